//! How a process knows that it is a daemon.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, Signal};
use uuid::Uuid;

use crate::common::process::Wrappers;
use crate::common::process::pidfd::Pidfd;

/// The environment variable that a daemon is started with: its parent's pid and its own
/// UUID. It is inherited by whatever the object starts, so alone it means nothing; it is
/// how what a killed daemon left behind is found.
const DAEMON: &str = "OAD_DAEMON";

/// The same of an interpreter.
const INTERPRETER: &str = "OAD_INTERPRETER";

/// The marker of one daemon or interpreter, as `VARIABLE=pid:uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    variable: &'static str,
    parent: u32,
    id: Uuid,
}

impl Marker {
    /// The marker of a daemon of this process.
    pub(super) fn of_daemon(id: Uuid) -> Self {
        Marker { variable: DAEMON, parent: std::process::id(), id }
    }

    /// The marker of a new interpreter of this process.
    pub(super) fn of_interpreter() -> Self {
        Marker { variable: INTERPRETER, parent: std::process::id(), id: Uuid::new_v4() }
    }

    /// The marker that this process was started with as a daemon, if it was.
    pub(super) fn of_this_process() -> Option<Self> {
        let variable = std::env::var(DAEMON).ok()?;
        let (parent, id) = variable.split_once(':')?;
        Some(Marker { variable: DAEMON, parent: parent.parse().ok()?, id: id.parse().ok()? })
    }

    /// Whether this process started what carries it.
    pub(super) fn is_of_child(self) -> bool {
        self.parent == std::process::id()
    }

    pub(super) fn variable(self) -> (&'static str, String) {
        (self.variable, format!("{}:{}", self.parent, self.id.simple()))
    }

    /// Whether the process `pid` was started with it. Another user's environment cannot
    /// be read, nor can one's that has just ended.
    pub(super) fn is_on(self, pid: i32) -> bool {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| self.is_in(&environ))
    }

    /// Whether it stands in an environment as `/proc/<pid>/environ` shows it.
    fn is_in(self, environ: &[u8]) -> bool {
        let (name, value) = self.variable();
        let entry = format!("{name}={value}");
        environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    }
}

/// Whether this process was started as a daemon: it is marked, and its fd 0 is a socket
/// whose other end its marker's parent made.
///
/// A program that some object starts inherits the marker, but never the lifeline, which
/// [`inherited_lifeline`] moved away from fd 0.
pub(crate) fn is_marked() -> bool {
    own_marker().is_some()
}

/// The marker that makes this process a daemon, if it is one.
fn own_marker() -> Option<Marker> {
    let peer = socket_peercred(rustix::stdio::stdin()).ok()?.pid.as_raw_nonzero().get();
    Marker::of_this_process().filter(|marker| marker.parent == peer.unsigned_abs())
}

static THIS_DAEMON: OnceLock<Uuid> = OnceLock::new();

/// The daemon that this process is, if it has taken a lifeline.
pub(super) fn this_daemon() -> Option<Uuid> {
    THIS_DAEMON.get().copied()
}

/// Takes the lifeline from fd 0, if this process was started as a daemon, and sets the
/// signal that its parent's death sends.
///
/// The signal is SIGCONT: it does nothing to a daemon that runs and wakes one that is
/// stopped, which then sees that its lifeline is closed. SIGKILL would end the process
/// before the object's drop, and leave the directory and the descendants.
///
/// # Errors
///
/// Whatever the kernel refuses; the process can then not be a daemon.
pub(crate) fn inherited_lifeline() -> io::Result<Option<InheritedLifeline>> {
    let Some(marker) = own_marker() else { return Ok(None) };
    let parent = socket_peercred(rustix::stdio::stdin())?.pid;
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    // Orphans of the object's processes come to this one, so that it can end them.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;

    // Away from fd 0 and closed on exec, so that no process of the object's holds it
    // open.
    let lifeline: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    // Only the first can come so far: fd 0 is another then.
    let _ = THIS_DAEMON.set(marker.id);
    let wrappers = Wrappers::below(parent, &lifeline)?;
    Ok(Some(InheritedLifeline { stream: UnixStream::from(lifeline), parent, wrappers }))
}

/// A daemon's hold on its parent.
#[derive(Debug)]
pub(crate) struct InheritedLifeline {
    pub(crate) stream: UnixStream,
    parent: Pid,
    wrappers: Wrappers,
}

impl InheritedLifeline {
    pub(crate) fn parent_pid(&self) -> u32 {
        self.parent.as_raw_nonzero().get().unsigned_abs()
    }

    /// What stands between the parent and this process.
    pub(crate) fn wrappers(&self) -> Wrappers {
        self.wrappers.clone()
    }

    /// Watches the parent itself. The stream alone does not tell its death where it was
    /// copied by a `fork` of the parent.
    ///
    /// Must be called where a runtime is current. `None`: it is dead already.
    pub(crate) fn watch_parent(&self) -> io::Result<Option<Pidfd>> {
        match Pidfd::open(self.parent) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Ok(None)
            }
            watched => watched.map(Some),
        }
    }
}

/// Turns this process's stdout and stderr to nowhere. Their readers are dead, and a
/// `println!` that fails panics.
pub(crate) fn silence() {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    // Where that fails, printing fails, which is no worse than before.
    let _ = null.map(|null| (rustix::stdio::dup2_stdout(&null), rustix::stdio::dup2_stderr(&null)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_is_found_whole_in_an_environment() {
        let marker = Marker { variable: DAEMON, parent: 12, id: Uuid::from_u128(0xab) };
        let (name, value) = marker.variable();
        assert!(marker.is_in(format!("A=1\0{name}={value}\0B=2\0").as_bytes()));
        assert!(!marker.is_in(format!("A=1\0{name}={value}0\0").as_bytes()));
        assert!(!marker.is_in(format!("X{name}={value}\0").as_bytes()));
    }
}
