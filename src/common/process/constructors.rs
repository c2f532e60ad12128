//! The constructors of this program: the functions of its `.init_array`, which run before
//! `main`.
//!
//! `oad::auto_init!` is one of them. A daemon never returns from it, so it must not start
//! to serve before the others have run: the registrations of objects are constructors
//! too, and so are the initializers of C++ libraries. Which of them come later is the
//! linker's choice; with fat LTO most do.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::ptr;

use crate::common::process::object_file::entry_point;

/// What glibc passes to a constructor: `argc`, `argv` and `envp`. Other C libraries pass
/// nothing; the values then mean nothing, and are only passed on.
pub type ConstructorArguments = [usize; 3];

/// A function that runs before `main`, as the linker's `.init_array` holds it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Constructor(pub extern "C" fn(usize, usize, usize));

/// The constructors that run after a given one.
#[derive(Debug)]
pub(crate) struct LaterConstructors {
    first: usize,
    end: usize,
}

impl LaterConstructors {
    /// Finds those after `constructor`; `None` if that is not in the program itself, but
    /// in a shared library.
    ///
    /// # Errors
    ///
    /// If the program's file cannot be read, or has no section headers.
    pub(crate) fn of(constructor: &'static Constructor) -> io::Result<Option<Self>> {
        let address = ptr::from_ref(constructor).addr();
        let sections = init_arrays(&File::open("/proc/self/exe")?, entry_point()?)?;
        if sections.is_empty() {
            return Err(io::Error::other("this program's file has no section headers"));
        }
        let own = sections.into_iter().find(|(start, end)| (*start..*end).contains(&address));
        Ok(own.map(|(_, end)| LaterConstructors { first: address + size_of::<Constructor>(), end }))
    }

    /// Runs them.
    ///
    /// Must be called once, on the thread that runs the constructors, by a caller that
    /// does not return from its own: the C library would run them again.
    pub(crate) fn run(self, [argc, argv, envp]: ConstructorArguments) {
        for address in (self.first..self.end).step_by(size_of::<Constructor>()) {
            // SAFETY: `of` found the address between a constructor of this program and
            // the end of the section that holds it. The linker fills the section with
            // pointers to functions of this kind, the loader has relocated all of them
            // before the first one runs, and nothing writes to it. The C library calls
            // each with these arguments, as is done here in its place.
            #[allow(unsafe_code)]
            let Constructor(function) =
                unsafe { ptr::with_exposed_provenance::<Constructor>(address).read() };
            function(argc, argv, envp);
        }
    }
}

/// The addresses of the program's `.init_array` sections, from the section headers of its
/// file (elf(5)); `entry` is the address at which the program starts, which tells where
/// its sections are loaded.
fn init_arrays(file: &File, entry: usize) -> io::Result<Vec<(usize, usize)>> {
    /// The type of a section that holds constructors.
    const SHT_INIT_ARRAY: u32 = 14;
    /// The place of a field in a file for this machine's word size.
    fn word_sized(in_64_bits: usize, in_32_bits: usize) -> usize {
        if size_of::<usize>() == 8 { in_64_bits } else { in_32_bits }
    }
    let header = Fields::read(file, 0, word_sized(64, 52))?;
    let load_bias = entry.wrapping_sub(header.word(24));
    let offset = header.word(word_sized(40, 32));
    let [size, count] =
        [word_sized(58, 46), word_sized(60, 48)].map(|at| usize::from(header.half(at)));
    let mut found = Vec::new();
    for index in 0..if offset == 0 { 0 } else { count } {
        let section = Fields::read(file, (offset + index * size) as u64, size)?;
        if section.quarter(4) == SHT_INIT_ARRAY {
            let start = load_bias.wrapping_add(section.word(word_sized(16, 12)));
            found.push((start, start.wrapping_add(section.word(word_sized(32, 20)))));
        }
    }
    Ok(found)
}

/// A header in an ELF file, whose numbers are this machine's.
struct Fields(Vec<u8>);

impl Fields {
    fn read(file: &File, offset: u64, size: usize) -> io::Result<Self> {
        let mut bytes = vec![0; size.max(64)];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(Fields(bytes))
    }

    fn at<const SIZE: usize>(&self, offset: usize) -> [u8; SIZE] {
        let field = self.0[offset..].first_chunk();
        *field.expect("every field lies within the 64 bytes that are read at the least")
    }

    fn half(&self, offset: usize) -> u16 {
        u16::from_ne_bytes(self.at(offset))
    }

    fn quarter(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.at(offset))
    }

    fn word(&self, offset: usize) -> usize {
        usize::from_ne_bytes(self.at(offset))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn count(_: usize, _: usize, _: usize) {
        RUNS.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn later_constructors_run_in_order_to_the_end() {
        static THREE: [Constructor; 3] = [Constructor(count); 3];
        let first = THREE.as_ptr().expose_provenance();
        let later = LaterConstructors {
            first: first + size_of::<Constructor>(),
            end: first + size_of_val(&THREE),
        };
        later.run([0; 3]);
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn constructor_outside_of_the_program_has_no_later_ones() {
        static LONE: Constructor = Constructor(count);
        let later = LaterConstructors::of(&LONE).expect("this program's file can be read");
        assert!(later.is_none(), "{later:?}");
    }

    /// The registrations of objects, and the standard library's constructor at the least.
    #[test]
    fn constructors_of_this_program_are_found() {
        let file = File::open("/proc/self/exe").expect("it can be read");
        let entry = entry_point().expect("it is known");
        let sections = init_arrays(&file, entry).expect("it has section headers");
        let maps = std::fs::read_to_string("/proc/self/maps").expect("it is readable");
        assert!(sections.iter().all(|(start, end)| end > start), "{sections:?}");
        assert!(!sections.is_empty() && !maps.is_empty());
    }
}
