//! The lifeline that a daemon finds at its fd 0.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::net::{SendFlags, send};
use rustix::process::Signal;
use uuid::Uuid;

use crate::common::process::role::Role;
use crate::common::process::signals::reset_inherited_signals;

static THIS_DAEMON: OnceLock<Uuid> = OnceLock::new();

/// The daemon that this process is, if it has taken a lifeline.
pub(super) fn this_daemon() -> Option<Uuid> {
    THIS_DAEMON.get().copied()
}

/// Takes the lifeline from fd 0, if this process was started as a daemon, and sets the
/// signal that its parent's death sends, and all others to their defaults.
///
/// The signal is SIGCONT: it does nothing to a daemon that runs and wakes one that is
/// stopped, which then sees that its lifeline is closed. SIGKILL would end the process
/// before the object's drop, and leave the directory and the descendants.
///
/// # Errors
///
/// Says which step the kernel refused, or that fd 0 is another socket than the lifeline.
/// The process cannot be a daemon then, and its fd 0 is unchanged.
pub(crate) fn inherited_lifeline() -> io::Result<Option<InheritedLifeline>> {
    let marker = match Role::of_this_process() {
        Role::Program => return Ok(None),
        Role::Daemon(marker) => marker,
        Role::Incomplete { reason, .. } => return Err(io::Error::other(reason)),
    };
    reset_inherited_signals();
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
    rustix::stdio::dup2_stdin(&null).map_err(during("failed to replace its stdin (dup2)"))?;
    // Only the first call gets here: from now on, fd 0 is not a socket.
    let _ = THIS_DAEMON.set(marker.id);
    Ok(Some(InheritedLifeline { stream: UnixStream::from(lifeline) }))
}

/// A second hold on a lifeline, to report that this process cannot be a daemon.
#[derive(Debug)]
pub(crate) struct FailureChannel(UnixStream);

impl FailureChannel {
    /// Opens the channel at fd 0, after [`inherited_lifeline`] failed; `None` if fd 0 is
    /// not the lifeline.
    pub(crate) fn at_stdin() -> Option<Self> {
        match Role::of_this_process() {
            Role::Daemon(_) | Role::Incomplete { has_lifeline: true, .. } => {}
            Role::Program | Role::Incomplete { has_lifeline: false, .. } => return None,
        }
        let stream = rustix::stdio::stdin().try_clone_to_owned().ok()?;
        Some(FailureChannel(UnixStream::from(stream)))
    }

    /// Opens the channel of a lifeline; `None` if no descriptor is left.
    pub(crate) fn of(lifeline: &InheritedLifeline) -> Option<Self> {
        lifeline.stream.try_clone().ok().map(FailureChannel)
    }
}

impl From<InheritedLifeline> for FailureChannel {
    fn from(lifeline: InheritedLifeline) -> Self {
        FailureChannel(lifeline.stream)
    }
}

impl io::Write for FailureChannel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not with write(2), which may raise SIGPIPE.
        Ok(send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Says during which step an error happened.
pub(super) fn during<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> io::Error {
    move |error| {
        let error = error.into();
        io::Error::new(error.kind(), format!("{step}: {error}"))
    }
}

/// A daemon's hold on its parent.
#[derive(Debug)]
pub(crate) struct InheritedLifeline {
    pub(crate) stream: UnixStream,
}

/// Redirects this process's stdout and stderr to `/dev/null`. Their readers are dead, and
/// a failing `println!` panics.
pub(crate) fn silence() {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    // If this fails, printing fails, as it would have before.
    let _ = null.map(|null| (rustix::stdio::dup2_stdout(&null), rustix::stdio::dup2_stderr(&null)));
}
