//! The files that this process's code is loaded from: the program itself and its shared
//! libraries.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

/// The key of the program's entry point in `/proc/self/auxv` (getauxval(3)).
const AT_ENTRY: usize = 9;

/// A file that is mapped into this process.
#[derive(Debug, PartialEq, Eq)]
struct MappedFile<'a> {
    /// Device and inode.
    id: (&'a str, &'a str),
    path: &'a str,
}

/// The shared library that the address of some static data lies in. `None` if it lies in
/// the program itself, or if that cannot be found out.
pub(crate) fn shared_library_at(address: usize) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let program = file_at(&maps, entry_point().ok()?)?;
    let found = file_at(&maps, address).filter(|found| *found != program)?;
    Some(PathBuf::from(found.path))
}

/// The address at which this program starts.
pub(super) fn entry_point() -> io::Result<usize> {
    const WORD: usize = size_of::<usize>();
    let mut vector = Vec::new();
    File::open("/proc/self/auxv")?.read_to_end(&mut vector)?;
    let words: Vec<usize> = vector
        .chunks_exact(WORD)
        .map(|word| usize::from_ne_bytes(word.try_into().expect("a chunk is a word long")))
        .collect();
    let entry = words.chunks_exact(2).find(|pair| pair[0] == AT_ENTRY).map(|pair| pair[1]);
    entry.ok_or_else(|| io::Error::other("/proc/self/auxv has no entry point"))
}

/// The file whose mapping holds the address, in the text of `/proc/self/maps` (proc(5)).
fn file_at(maps: &str, address: usize) -> Option<MappedFile<'_>> {
    maps.lines().find_map(|line| {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let [start, end] = [start, end].map(|bound| usize::from_str_radix(bound, 16).ok());
        if !(start?..end?).contains(&address) {
            return None;
        }
        let device = fields.nth(2)?;
        let inode = fields.next()?;
        let path = fields.next()?.trim_start();
        (inode != "0").then_some(MappedFile { id: (device, inode), path })
    })
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    const MAPS: &str = "\
555555554000-555555556000 r--p 00000000 fd:01 131 /usr/bin/a program
555555556000-55555555a000 r-xp 00002000 fd:01 131 /usr/bin/a program
55555555a000-55555555c000 rw-p 00000000 00:00 0 \n\
7ffff7c00000-7ffff7c28000 r--p 00000000 fd:01 977   /usr/lib/libplugin.so
";

    #[test]
    fn file_is_found_by_an_address_within_its_mappings() {
        let program = MappedFile { id: ("fd:01", "131"), path: "/usr/bin/a program" };
        let library = MappedFile { id: ("fd:01", "977"), path: "/usr/lib/libplugin.so" };
        assert_eq!(file_at(MAPS, 0x5555_5555_6000), Some(program));
        assert_eq!(file_at(MAPS, 0x7fff_f7c0_0008), Some(library));
        for nowhere in [0x5555_5555_a000, 0x7fff_f7c2_8000, 0] {
            assert_eq!(file_at(MAPS, nowhere), None);
        }
    }

    #[test]
    fn static_data_of_a_program_is_not_in_a_shared_library() {
        let address = std::ptr::from_ref(Location::caller()).addr();
        assert_eq!(shared_library_at(address), None);
        let maps = std::fs::read_to_string("/proc/self/maps").expect("it is readable");
        assert!(file_at(&maps, address).is_some(), "the address lies in a file");
    }
}
