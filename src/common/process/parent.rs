//! The parent of a daemon, as the daemon knows it.

use std::io;
use std::os::fd::AsFd as _;

use rustix::process::Pid;
use tokio::net::UnixStream;

use crate::common::process::inherited_lifeline::during;
use crate::common::process::pidfd::Pidfd;
use crate::common::process::wrappers::Wrappers;

/// The process that started this daemon.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    /// `None` if it is outside of this process's PID namespace, where it has no number.
    pid: Option<Pid>,
    wrappers: Wrappers,
}

impl Parent {
    /// Finds the parent, at the other end of `lifeline`.
    ///
    /// It asks tokio, because rustix returns a pid that is never 0, which is not sound
    /// for a process of another namespace.
    ///
    /// # Errors
    ///
    /// If the kernel refuses it, mostly for lack of descriptors.
    pub(crate) fn of(lifeline: &UnixStream) -> io::Result<Self> {
        let peer =
            lifeline.peer_cred().map_err(during("failed to identify its parent (getsockopt)"))?;
        let pid = peer.pid().and_then(Pid::from_raw);
        let wrappers =
            Wrappers::below(pid, lifeline.as_fd()).map_err(during("failed to watch its parent"))?;
        Ok(Parent { pid, wrappers })
    }

    /// Its pid in this process's PID namespace; 0 if it is outside.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.map_or(0, |parent| parent.as_raw_nonzero().get().unsigned_abs())
    }

    /// The wrappers between it and this process.
    pub(crate) fn wrappers(&self) -> &Wrappers {
        &self.wrappers
    }

    /// Watches the process. The lifeline alone does not show its death if a `fork` of the
    /// parent holds a copy of it.
    ///
    /// Must be called where a runtime is current. `None`: it is dead already.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a parent outside of this process's PID namespace; or those of
    /// pidfd_open(2).
    pub(crate) fn watch(&self) -> io::Result<Option<Pidfd>> {
        let Some(parent) = self.pid else { return Err(io::ErrorKind::Unsupported.into()) };
        match Pidfd::open(parent) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Ok(None)
            }
            watched => watched.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parent_is_the_process_at_the_other_end() {
        let (one, _other) = UnixStream::pair().expect("there are descriptors");
        let parent = Parent::of(&one).expect("it is a Unix socket");
        assert_eq!(parent.pid(), std::process::id());
    }
}
