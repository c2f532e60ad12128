//! The process of an interpreter, as the daemon that uses it holds it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};

use crate::common::error::{Error, ErrorKind, Result, Status};
use crate::common::process::child::{LIVING, exit_status};
use crate::common::process::descendants::{end_remains, kill_marked};
use crate::common::process::marker::Marker;
use crate::common::process::output::Output;
use crate::common::process::pidfd::Pidfd;
use crate::common::process::signals::IgnoredSignals;
use crate::common::threads::aside_or_here;

/// Keeps the current directory out of the module search while the interpreter starts:
/// 3.13 imports a module before it runs the text it is given. With this value it takes
/// that out of its environment again; what it starts by its own flags, as
/// `multiprocessing` does, has a safe path too.
const SAFE_PATH: &str = "PYTHONSAFEPATH";

/// A process that ends with this one, however this one ends. It has one owner, which ends
/// it with [`InterpreterProcess::reap`]; the processes it starts inherit its marker, by
/// which they are found and ended too.
#[derive(Debug)]
pub(crate) struct InterpreterProcess {
    pid: Pid,
    pidfd: Pidfd,
    marker: Marker,
    output: Output,
}

impl InterpreterProcess {
    /// Starts `program` with one end of each of some socket pairs, whose descriptor
    /// numbers are its last arguments; returns the other ends.
    ///
    /// Must be called on the keeper's thread: the signal that it gets when this process
    /// dies is bound to the thread that started it.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&OsStr],
        sockets: usize,
    ) -> Result<(Self, Vec<OwnedFd>)> {
        let failed = |what: &str, error: io::Error| {
            Error::new(
                ErrorKind::Spawn,
                format!("failed to start `{}`: {what}{error}", program.display()),
            )
            .because(error)
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..sockets {
            let pair = UnixStream::pair().map_err(|error| failed("a socket pair: ", error))?;
            ours.push(OwnedFd::from(pair.0));
            theirs.push(OwnedFd::from(pair.1));
        }
        let numbers: Vec<_> = theirs.iter().map(OwnedFd::as_raw_fd).collect();
        let parent = rustix::process::getpid();
        let marker = Marker::of_interpreter();
        let (variable, value) = marker.variable();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(numbers.iter().map(ToString::to_string))
            .env(variable, value)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if std::env::var_os(SAFE_PATH).is_none() {
            command.env(SAFE_PATH, "oad");
        }
        let ignored = IgnoredSignals::of_this_process();
        let prepare = move || {
            ignored.reset();
            for &number in &numbers {
                // SAFETY: `theirs` are open until the child has been started, and the
                // child has a copy of all descriptors.
                #[allow(unsafe_code)]
                let socket = unsafe { BorrowedFd::borrow_raw(number) };
                rustix::io::fcntl_setfd(socket, FdFlags::empty())?;
            }
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before that.
            match rustix::process::getppid() == Some(parent) {
                true => Ok(()),
                false => Err(io::ErrorKind::NotFound.into()),
            }
        };
        // SAFETY: what runs between fork and exec makes a few system calls, and neither
        // allocates nor takes a lock. The standard library has no safe way to hand a
        // descriptor down by its number, nor to set the death signal.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(prepare);
        }
        let mut process = command.spawn().map_err(|error| failed("", error))?;
        drop(theirs);
        let stdout = process.stdout.take().map(OwnedFd::from);
        let stderr = process.stderr.take().map(OwnedFd::from);
        let pid = Pid::from_child(&process);
        let pidfd = Pidfd::of_child(&mut process)
            .map_err(|error| failed("a descriptor for its process: ", error))?;
        end_at_exit(marker);
        let output = Output::relay(process.id(), stdout, stderr);
        LIVING.send_modify(|living| *living += 1);
        Ok((InterpreterProcess { pid, pidfd, marker, output }, ours))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The process that starts interpreters: this one.
    pub(crate) fn parent() -> u32 {
        std::process::id()
    }

    /// Waits for its end; it is then a zombie until it is reaped.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn exited(&self) {
        self.pidfd.exited().await;
    }

    pub(crate) fn kill(&self) {
        self.pidfd.kill();
    }

    /// Waits for its exit, and returns its exit status and the end of its stderr. The
    /// rest does not delay the caller: a task of the keeper's reaps it and ends what it
    /// left behind.
    ///
    /// Must be called on the keeper.
    pub(crate) async fn reap(self) -> (Status, String) {
        self.exited().await;
        let status = self.pidfd.status().ok().flatten();
        let status = status.as_ref().and_then(exit_status).map_or(Status::Discarded, Status::Known);
        let stderr = self.output.finish().await;
        tokio::spawn(self.clear_up());
        (status, stderr)
    }

    async fn clear_up(self) {
        let InterpreterProcess { pid, pidfd, marker, output } = self;
        // It reads much of `/proc`. If it cannot be done there is nobody to tell.
        let ending = tokio::spawn(aside_or_here(move || match pidfd.holds_its_number() {
            true => end_remains(pid, marker),
            false => kill_marked(marker),
        }));
        output.passed_on().await;
        let _ = ending.await;
        running(|markers| markers.retain(|running| *running != marker));
        // Last, because a daemon that ends waits for this, and what the interpreter wrote
        // is to be passed on.
        LIVING.send_modify(|living| *living -= 1);
    }
}

/// The markers of the interpreters of this process.
static RUNNING: Mutex<Vec<Marker>> = Mutex::new(Vec::new());

fn running<T>(change: impl FnOnce(&mut Vec<Marker>) -> T) -> T {
    change(&mut RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Kills an interpreter, and what it has started, when this process exits before that has
/// been cleared up.
///
/// A daemon clears up before it exits. A program with a daemon in process may exit at any
/// time. The death signal then reaches the interpreter, but not the processes below it.
fn end_at_exit(marker: Marker) {
    static REGISTER: Once = Once::new();

    // SAFETY: the signature is that of the C library, and the function may be called at
    // any time.
    #[allow(unsafe_code)]
    unsafe extern "C" {
        safe fn atexit(handler: extern "C" fn()) -> std::ffi::c_int;
    }

    extern "C" fn end_running() {
        // A thread that is stuck with the lock must not keep the process from exiting.
        let Ok(mut markers) = RUNNING.try_lock() else { return };
        // A fork's copy inherits the handler, but the interpreters are not its own.
        markers.drain(..).filter(|marker| marker.is_of_child()).for_each(kill_marked);
    }

    running(|markers| markers.push(marker));
    // It can only fail for lack of memory; the death signal still ends the interpreter.
    REGISTER.call_once(|| {
        let _ = atexit(end_running);
    });
}
