//! The lifeline that a daemon finds at its fd 0.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, Signal};
use uuid::Uuid;

use crate::common::process::marker::own_marker;
use crate::common::process::pidfd::Pidfd;
use crate::common::process::wrappers::Wrappers;

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
/// Says which step the kernel refused. The process cannot be a daemon then, and its fd 0
/// is still the lifeline.
pub(crate) fn inherited_lifeline() -> io::Result<Option<InheritedLifeline>> {
    let Some(marker) = own_marker() else { return Ok(None) };
    let parent = socket_peercred(rustix::stdio::stdin())
        .map_err(during("failed to identify its parent (getsockopt)"))?
        .pid;
    rustix::process::set_parent_process_death_signal(Some(Signal::CONT))
        .map_err(during("failed to set the signal for its parent's death (prctl)"))?;
    // Orphans of the object's processes become children of this one, so that it can end
    // them.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(during("failed to become a subreaper (prctl)"))?;

    // Away from fd 0 and closed on exec, so that no process of the object's holds it
    // open.
    let lifeline: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)
        .map_err(during("failed to duplicate its lifeline (fcntl)"))?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(during("failed to open `/dev/null`"))?;
    let wrappers =
        Wrappers::below(parent, &lifeline).map_err(during("failed to watch its parent"))?;
    rustix::stdio::dup2_stdin(&null).map_err(during("failed to replace its stdin (dup2)"))?;
    // Only the first call gets here: from now on, fd 0 is not a socket.
    let _ = THIS_DAEMON.set(marker.id);
    Ok(Some(InheritedLifeline { stream: UnixStream::from(lifeline), parent, wrappers }))
}

/// A second hold on a lifeline, to report that this process cannot be a daemon.
#[derive(Debug)]
pub(crate) struct FailureChannel(UnixStream);

impl FailureChannel {
    /// Opens the channel at fd 0, after [`inherited_lifeline`] failed.
    pub(crate) fn at_stdin() -> Option<Self> {
        own_marker()?;
        let stream = rustix::stdio::stdin().try_clone_to_owned().ok()?;
        Some(FailureChannel(UnixStream::from(stream)))
    }

    /// Opens the channel of a lifeline; `None` if no descriptor is left.
    pub(crate) fn of(lifeline: &InheritedLifeline) -> Option<Self> {
        lifeline.stream.try_clone().ok().map(FailureChannel)
    }
}

impl io::Write for FailureChannel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Says during which step an error happened.
fn during<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{step}: {error}"))
    }
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

    /// The wrappers between the parent and this process.
    pub(crate) fn wrappers(&self) -> Wrappers {
        self.wrappers.clone()
    }

    /// Watches the parent process. The stream alone does not show its death if a `fork`
    /// of the parent holds a copy of it.
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

/// Redirects this process's stdout and stderr to `/dev/null`. Their readers are dead, and
/// a failing `println!` panics.
pub(crate) fn silence() {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    // If this fails, printing fails, as it would have before.
    let _ = null.map(|null| (rustix::stdio::dup2_stdout(&null), rustix::stdio::dup2_stderr(&null)));
}
