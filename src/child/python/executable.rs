//! Whether a file is something that the kernel runs.
//!
//! Starting a file that the kernel refuses does not fail: the C library, which the
//! standard library uses, then passes the file to `/bin/sh`, which runs its first bytes
//! as commands.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// How much of a file the kernel looks at (`BINPRM_BUF_SIZE` of `linux/binfmts.h`).
const HEAD: u64 = 256;

const NEITHER: &str = "it is neither a program for this machine nor a script with a `#!` line";

/// How many scripts may be run by one another (`exec_binprm` in `fs/exec.c`).
const SCRIPTS: usize = 5;

/// Why the kernel would not run a file, if so. It runs programs for this machine, and
/// scripts whose first lines lead to one in the end.
pub(super) fn refusal(path: &Path) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..SCRIPTS {
        let (head, length) = match read(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Some(format!(
                    "its first line names `{}`, which does not exist",
                    path.display()
                ));
            }
            // An executable file need not be readable.
            Err(_) => return None,
        };
        match interpreter(&head) {
            Some(next) => path = next,
            None if is_program(&head, length) => return None,
            None => {
                return Some(NEITHER.to_owned());
            }
        }
    }
    Some("too many scripts run one another by their `#!` lines".to_owned())
}

fn read(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let metadata = fs::metadata(path)?;
    let mut head = Vec::new();
    // Opening a pipe could wait for ever.
    if metadata.is_file() {
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    }
    Ok((head, metadata.len()))
}

/// What runs a script: the first word after `#!`, if all of it is in the head.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?;
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let line = &line[start..];
    let is_whole = (head.len() as u64) < HEAD;
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0));
    let word = &line[..end.or(is_whole.then_some(line.len()))?];
    (!word.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(word)))
}

/// Where the fields that the kernel looks at are in an ELF header, after `Elf32_Ehdr` and
/// `Elf64_Ehdr` of `elf.h`. Up to `e_machine` both are alike: the magic number, class,
/// byte order …, `e_type` at 16 and `e_machine` at 18.
struct Layout {
    program_headers: Range<usize>,
    header_size: Range<usize>,
    header_count: Range<usize>,
}

#[cfg(target_pointer_width = "64")]
const LAYOUT: Layout =
    Layout { program_headers: 32..40, header_size: 54..56, header_count: 56..58 };
#[cfg(not(target_pointer_width = "64"))]
const LAYOUT: Layout =
    Layout { program_headers: 28..32, header_size: 42..44, header_count: 44..46 };

/// `ET_EXEC` and `ET_DYN`.
const PROGRAMS: [u64; 2] = [2, 3];

/// Whether the kernel's `load_elf_binary` begins with it: it is what this program itself
/// is, for the same machine, and its program headers are all there.
fn is_program(head: &[u8], length: u64) -> bool {
    let own = read(Path::new("/proc/self/exe")).map(|(own, _)| own).unwrap_or_default();
    let same =
        |field: Range<usize>| own.get(field.clone()).is_none_or(|own| head.get(field) == Some(own));
    // The magic number, class and byte order; the machine; the size of a program header.
    if !head.starts_with(b"\x7fELF") || ![0..6, 18..20, LAYOUT.header_size].into_iter().all(same) {
        return false;
    }
    // In this machine's byte order, because it is the same as this program's.
    let number = |field: Range<usize>| {
        let bytes = head.get(field)?.iter().copied();
        let place = |sum: u64, byte: u8| (sum << 8) | u64::from(byte);
        Some(if cfg!(target_endian = "little") {
            bytes.rev().fold(0, place)
        } else {
            bytes.fold(0, place)
        })
    };
    let whole = || {
        let [start, size, count] = [
            number(LAYOUT.program_headers)?,
            number(LAYOUT.header_size)?,
            number(LAYOUT.header_count)?,
        ];
        let end = start.checked_add(size * count)?;
        Some(PROGRAMS.contains(&number(16..18)?) && count > 0 && end <= length)
    };
    whole() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_scripts_run_and_what_sh_would_be_given_does_not() {
        let folder = tempfile::tempdir().expect("there is room");
        let refused = |name: &str, contents: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, contents).expect("there is room");
            refusal(&path)
        };
        let program =
            fs::read(std::env::current_exe().expect("it has a path")).expect("it can be read");
        let neither = Some(NEITHER.to_owned());
        assert_eq!(refused("program", &program), None);
        assert_eq!(refused("cut", &program[..64]), neither);
        let mut foreign = program;
        foreign[18] ^= 1;
        assert_eq!(refused("foreign", &foreign), neither);
        assert_eq!(refused("text", b"touch /tmp/x\n"), neither);
        assert_eq!(refused("empty", b""), neither);
        assert_eq!(refused("script", b"#! /bin/sh -e\nexit 0\n"), None);
        assert_eq!(refused("short", b"#!/bin/sh"), None);
        assert_eq!(refused("nothing", b"#! \nexit 0\n"), neither);
        assert_eq!(
            refused("long", [b"#!/", "x".repeat(300).as_bytes()].concat().as_slice()),
            neither
        );
        let by = |name: &str| format!("#!{}\n", folder.path().join(name).display());
        assert_eq!(refused("by_script", by("script").as_bytes()), None);
        assert_eq!(refused("by_text", by("text").as_bytes()), neither);
        assert!(
            refused("by_itself", by("by_itself").as_bytes())
                .is_some_and(|why| why.contains("too many scripts"))
        );
        let missing = refused("by_nothing", b"#!/nowhere/python\n");
        assert_eq!(
            missing.as_deref(),
            Some("its first line names `/nowhere/python`, which does not exist")
        );
    }
}
