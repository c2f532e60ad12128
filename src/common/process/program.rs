//! The program that becomes a daemon.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::marker::Marker;
use crate::common::process::object_file::shared_library_at;
use crate::common::process::role::is_started_as_daemon;

/// The program that becomes a daemon, with what it is started with.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    /// Whether that is this program's file.
    pub(crate) is_own: bool,
    /// Its name in messages, because a path such as `/proc/self/exe` would not help.
    pub(crate) shown: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Whether to leave out this process's environment variables.
    pub(crate) env_clear: bool,
    pub(crate) current_dir: Option<PathBuf>,
}

/// A test added by `oad::test_daemon!`, with which the test binary is started as a
/// daemon.
#[derive(Debug)]
pub struct TestDaemon {
    /// The path of the test's module, which starts with the crate's name.
    pub module: &'static str,
}

inventory::collect!(TestDaemon);

/// The address of static data of the code that has called `oad::init`, or of the
/// constructor that `oad::auto_init!` has made; 0 if there is neither.
static INITIALIZED_BY: AtomicUsize = AtomicUsize::new(0);

/// Records that this program becomes a daemon when it is started again as one, because of
/// the code whose static data is at `address`.
pub(crate) fn note_initialized(address: usize) {
    INITIALIZED_BY.store(address, Ordering::Release);
}

/// How `oad::init` was called in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initialized {
    /// By the program itself.
    InProgram,
    /// By a shared library. The program, started again, would not call it.
    InLibrary(&'static Path),
    Never,
}

fn initialized() -> Initialized {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    match INITIALIZED_BY.load(Ordering::Acquire) {
        0 => Initialized::Never,
        address => match LIBRARY.get_or_init(|| shared_library_at(address)) {
            Some(library) => Initialized::InLibrary(library),
            None => Initialized::InProgram,
        },
    }
}

impl Program {
    /// The program that the caller named, or this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInitialized`] if this program would not become a daemon, or was
    /// started as one and has not called `oad::init()`.
    pub(crate) fn choose(named: Option<PathBuf>) -> Result<Self> {
        let initialized = initialized();
        if initialized != Initialized::InProgram && is_started_as_daemon() {
            return Err(uninitialized(
                "this process was started as a daemon, but starts one itself instead of serving",
            ));
        }
        if let Some(executable) = named {
            return Ok(Program::new(executable.clone(), executable, false));
        }
        let mut program = Program::new(own_executable(), own_name(), true);
        // The helper test comes first: where there is one, it is what calls `init`.
        match inventory::iter::<TestDaemon>().next() {
            Some(test) => {
                program.arguments = test.arguments();
                Ok(program)
            }
            None => match initialized {
                Initialized::InProgram => Ok(program),
                Initialized::InLibrary(library) => Err(initialized_in(library, &program.shown)),
                Initialized::Never => {
                    Err(uninitialized("this program cannot be started again as a daemon"))
                }
            },
        }
    }

    fn new(executable: PathBuf, shown: PathBuf, is_own: bool) -> Self {
        Program {
            executable,
            is_own,
            shown,
            arguments: Vec::new(),
            environment: Vec::new(),
            env_clear: false,
            current_dir: None,
        }
    }

    /// Starts it with one end of `lifeline` as fd 0, in a process group of its own, so
    /// that a Ctrl-C meant for the parent does not reach it. Only ever called on the
    /// keeper's thread.
    pub(super) fn start(
        &self,
        marker: Marker,
        lifeline: UnixStream,
    ) -> Result<std::process::Child> {
        let (name, value) = marker.variable();
        if let Some(directory) = self.current_dir.as_ref().filter(|directory| !directory.is_dir()) {
            let message = format!(
                "working directory `{}` does not exist or is not a directory",
                directory.display()
            );
            return Err(Error::new(ErrorKind::Spawn, message));
        }
        let mut command = Command::new(&self.executable);
        if self.env_clear {
            command.env_clear();
        }
        if let Some(directory) = &self.current_dir {
            command.current_dir(directory);
        }
        command
            .arg0(&self.shown)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(name, value)
            .stdin(Stdio::from(OwnedFd::from(lifeline)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> Error {
        let shown = self.shown.display();
        let advice = match error.kind() {
            io::ErrorKind::NotFound if self.executable == Path::new(OWN_EXECUTABLE) => Some(
                "oad finds this program's file by way of `/proc`: mount it, or name an \
                 `.executable(…)`",
            ),
            io::ErrorKind::NotFound => {
                Some("check the path; for a script, also the interpreter in its first line")
            }
            io::ErrorKind::PermissionDenied => Some("it must be a file with execute permission"),
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => {
                Some("the limit on processes or memory is reached")
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                Some("not an executable for this machine; a script needs a `#!` line")
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
                Some("this process has reached its limit on open files (`ulimit -n`)")
            }
            _ => None,
        };
        let failed = Error::new(ErrorKind::Spawn, format!("failed to start `{shown}`: {error}"))
            .because(error);
        match advice {
            Some(advice) => failed.advise(advice),
            None => failed,
        }
    }
}

impl TestDaemon {
    /// The arguments with which libtest runs just that test and does not capture its
    /// output.
    fn arguments(&self) -> Vec<OsString> {
        let in_crate =
            self.module.split_once("::").map_or(String::new(), |(_, module)| format!("{module}::"));
        [format!("{in_crate}oad_test_daemon"), "--exact".to_owned(), "--nocapture".to_owned()]
            .map(OsString::from)
            .into()
    }
}

const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// This program's file; by way of `/proc` if its path leads to another file or to none,
/// because it has been rebuilt since.
fn own_executable() -> PathBuf {
    let running = Path::new(OWN_EXECUTABLE);
    let same = |path: &PathBuf| match (path.metadata(), running.metadata()) {
        (Ok(there), Ok(here)) => (there.dev(), there.ino()) == (here.dev(), here.ino()),
        _ => false,
    };
    std::env::current_exe().ok().filter(same).unwrap_or_else(|| running.to_owned())
}

/// How messages name this program: by its path or, without `/proc`, by the name that it
/// was started with.
fn own_name() -> PathBuf {
    let path = std::env::current_exe().ok();
    let name = path.or_else(|| std::env::args_os().next().map(PathBuf::from));
    name.filter(|name| !name.as_os_str().is_empty()).unwrap_or_else(|| OWN_EXECUTABLE.into())
}

fn uninitialized(what: &str) -> Error {
    Error::new(ErrorKind::NotInitialized, what).advise(
        "make `oad::init();` the first line of `main`, or write `#[oad::main]` on it; in tests, \
         put `oad::test_daemon!();` at the top of the file",
    )
}

fn initialized_in(library: &Path, program: &Path) -> Error {
    let message = format!(
        "oad was initialized in the shared library `{}`, which `{}` would not load if it were \
         started again as a daemon",
        library.display(),
        program.display()
    );
    Error::new(ErrorKind::NotInitialized, message).advise(
        "name a program that calls `oad::init()` with `.executable(…)`, or use `.in_process()`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_binary_is_started_with_its_helper_test() {
        let arguments = |module| TestDaemon { module }.arguments();
        assert_eq!(arguments("life"), ["oad_test_daemon", "--exact", "--nocapture"]);
        assert_eq!(arguments("my_crate::tests::deep")[0], "tests::deep::oad_test_daemon");
    }
}
