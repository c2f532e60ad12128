//! A process by descriptor rather than by number: it cannot become another process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;

use crate::common::process::unchecked::watch;

/// A process, watched by the runtime of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Pidfd(AsyncFd<OwnedFd>);

impl Pidfd {
    /// # Errors
    ///
    /// Any error of pidfd_open(2), mostly too many open files.
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Pidfd(watch(fd)?))
    }

    /// Watches a child that was just started. If that fails, the child is killed and
    /// reaped, because nothing would watch it.
    ///
    /// # Errors
    ///
    /// Those of [`Pidfd::open`].
    pub(super) fn of_child(child: &mut std::process::Child) -> io::Result<Self> {
        Pidfd::open(Pid::from_child(child)).inspect_err(|_| {
            // Both fail only for a child that has ended already.
            let _ = child.kill();
            let _ = child.wait();
        })
    }

    /// Waits until the process has exited; it is then a zombie until it is reaped.
    pub(crate) async fn exited(&self) {
        // An error would mean that the runtime has ended, and with it the task that
        // waits.
        let _ = self.0.readable().await;
    }

    /// Sends SIGKILL, which cannot hit another process, not even one that has the same
    /// pid now.
    pub(super) fn kill(&self) {
        // It may have ended already.
        let _ = rustix::process::pidfd_send_signal(self.0.get_ref(), Signal::KILL);
    }

    /// Returns whether the process still has its pid, running or as a zombie. A child of
    /// a program that ignores SIGCHLD loses it on exit.
    pub(super) fn holds_its_number(&self) -> bool {
        self.status().is_ok()
    }

    /// The status of the process, if it has exited; it must still be reaped.
    ///
    /// # Errors
    ///
    /// `ECHILD` where the kernel kept no status, because this program ignores SIGCHLD.
    pub(super) fn status(&self) -> io::Result<Option<WaitIdStatus>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(rustix::process::waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options)?)
    }

    /// Reaps the process; blocks if it has not exited.
    ///
    /// # Errors
    ///
    /// `ECHILD` where the kernel kept no status, because this program ignores SIGCHLD.
    pub(super) fn reap(&self) -> io::Result<Option<WaitIdStatus>> {
        loop {
            match rustix::process::waitid(
                WaitId::PidFd(self.0.get_ref().as_fd()),
                WaitIdOptions::EXITED,
            ) {
                Err(rustix::io::Errno::INTR) => {}
                waited => return Ok(waited?),
            }
        }
    }
}

/// The event of a pidfd when its process exits.
pub(super) const EXITED: PollFlags = PollFlags::IN;

/// Blocks this thread until a descriptor is ready for `what`, and returns whether it was
/// by `end`. For threads without a runtime.
pub(super) fn becomes(fd: impl AsFd, what: PollFlags, end: Instant) -> bool {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left =
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        let mut asked = [PollFd::new(&fd, what)];
        match poll(&mut asked, Some(&left)) {
            // Interrupted by a signal to this process.
            Err(Errno::INTR) => {}
            polled => return polled.is_ok() && asked[0].revents().contains(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[tokio::test]
    // The pidfd reaps it, which is what is tested.
    #[allow(clippy::zombie_processes)]
    async fn exit_is_seen_and_its_status_kept_until_reaped() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read line; exit 7"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh");
        let pidfd = Pidfd::open(Pid::from_child(&child)).expect("it is our child");
        assert!(
            futures_util::future::FutureExt::now_or_never(pidfd.exited()).is_none(),
            "it reads its stdin"
        );
        drop(child.stdin.take());
        pidfd.exited().await;
        assert_eq!(
            pidfd.reap().expect("it is a zombie").and_then(|status| status.exit_status()),
            Some(7)
        );
        assert!(pidfd.reap().is_err(), "it is reaped");
    }
}
