//! The program that becomes a daemon.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::marker::{Marker, is_marked};

/// The program that becomes a daemon, with what it is started with.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    /// What messages call it, where that is not its path: `/proc/self/exe` tells a reader
    /// nothing.
    pub(crate) shown: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Without what this process has in its environment.
    pub(crate) env_clear: bool,
    pub(crate) current_dir: Option<PathBuf>,
}

/// Where `oad::test_daemon!` has put a test to start a test binary with.
#[derive(Debug)]
pub struct TestDaemon {
    /// The module of the test, with the crate's name in front.
    pub module: &'static str,
}

inventory::collect!(TestDaemon);

/// Whether `oad::init` has run, so that this program can be started again as a daemon.
static INITIALIZED: AtomicBool = AtomicBool::new(false);

pub(crate) fn note_initialized() {
    INITIALIZED.store(true, Ordering::Release);
}

impl Program {
    /// The program that the caller names, or this one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotInitialized`] if this program would not become a daemon, or
    /// already is one that does not know it.
    pub(crate) fn choose(named: Option<PathBuf>) -> Result<Self> {
        let initialized = INITIALIZED.load(Ordering::Acquire);
        if !initialized && is_marked() {
            return Err(uninitialized(
                "this process was started as a daemon, but makes one itself instead of serving",
            ));
        }
        if let Some(executable) = named {
            return Ok(Program::new(executable.clone(), executable));
        }
        let mut program =
            Program::new(own_executable(), std::env::current_exe().unwrap_or_default());
        // The helper test comes first: in a test binary it is also the one that has
        // called `init`, as any test may have run.
        match inventory::iter::<TestDaemon>().next() {
            Some(test) => {
                program.arguments = test.arguments();
                Ok(program)
            }
            None if initialized => Ok(program),
            None => Err(uninitialized("this program cannot be started again as a daemon")),
        }
    }

    fn new(executable: PathBuf, shown: PathBuf) -> Self {
        let (arguments, environment) = (Vec::new(), Vec::new());
        Program { executable, shown, arguments, environment, env_clear: false, current_dir: None }
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
            let message =
                format!("the working directory {} is not there, or is none", directory.display());
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
            io::ErrorKind::NotFound => {
                "check the path; for a script, the interpreter in its first line"
            }
            io::ErrorKind::PermissionDenied => "is it a file, and marked executable?",
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => {
                "a limit on processes or memory is reached"
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
                "it is no program for this machine; a script needs `#!` in its first line"
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
                "this process has as many files open as its limit allows (`ulimit -n`)"
            }
            _ => "see what the system says",
        };
        Error::new(ErrorKind::Spawn, format!("`{shown}` could not be started: {error}"))
            .advise(advice)
            .because(error)
    }
}

impl TestDaemon {
    /// How libtest is told to run just that test, and not to capture its output.
    fn arguments(&self) -> Vec<OsString> {
        let in_crate =
            self.module.split_once("::").map_or(String::new(), |(_, module)| format!("{module}::"));
        [format!("{in_crate}oad_test_daemon"), "--exact".to_owned(), "--nocapture".to_owned()]
            .map(OsString::from)
            .into()
    }
}

/// This program's file; by way of `/proc` where its path leads to another by now, or to
/// none, because it was built anew.
fn own_executable() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    let same = |path: &PathBuf| match (path.metadata(), running.metadata()) {
        (Ok(there), Ok(here)) => (there.dev(), there.ino()) == (here.dev(), here.ino()),
        _ => false,
    };
    std::env::current_exe().ok().filter(same).unwrap_or_else(|| running.to_owned())
}

fn uninitialized(what: &str) -> Error {
    Error::new(ErrorKind::NotInitialized, what).advise(
        "make `oad::init();` the first line of `main`, or write `#[oad::main]` on it; in tests, put `oad::test_daemon!();` \
         at the top of the file",
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
