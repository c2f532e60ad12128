//! How a daemon was shut down.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::common::error::{DeadProcess, Death, Status};

/// How a daemon that was asked to end did so.
///
/// [`Daemon::shutdown`](crate::Daemon::shutdown) and
/// [`Remote::shutdown`](crate::Remote::shutdown) return it. `Display` is one line, such
/// as `daemon 4211 ended in 3 ms: exited with code 0`.
#[derive(Clone, Debug)]
pub struct ShutdownReport {
    pub(super) pid: u32,
    pub(super) status: Status,
    pub(super) killed: bool,
    pub(super) calls: Option<u64>,
    pub(super) abandoned: Option<u64>,
    pub(super) dropped: bool,
    pub(super) cut_short: u64,
    pub(super) duration: Duration,
    /// The last lines of its stderr. Only the error for a process that was ended before
    /// it became a daemon uses them.
    pub(super) stderr: String,
}

impl ShutdownReport {
    /// Converts the report of a process that was ended before it became a daemon, whose
    /// error shows its exit status and its stderr.
    pub(super) fn to_death(&self, uptime: Duration) -> Death {
        Death {
            whose: DeadProcess::Daemon,
            pid: self.pid,
            status: self.status,
            reason: None,
            stderr: self.stderr.clone(),
            uptime,
        }
    }

    /// Returns the process id that the daemon had.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the exit status of the daemon's process.
    ///
    /// It is `None` if this program ignores SIGCHLD, because the kernel then keeps no
    /// exit status; if a wrapper started the daemon and did not exit after it; and for a
    /// daemon [in this process](crate::Spawn::in_process).
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status.known()
    }

    /// Returns `true` if the daemon ended by itself and in order: every call was
    /// answered, every object was dropped, every interpreter ended in order, and the exit
    /// status, if it is known, is success.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let succeeded = self.status().is_none_or(|status| status.success());
        let is_whole = self.abandoned == Some(0) && self.dropped && self.cut_short == 0;
        !self.killed && is_whole && succeeded
    }

    /// Returns `true` if a signal ended the daemon: its parent or its own watchdog killed
    /// it because it had not ended within its grace, or something else did meanwhile.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// Returns how many calls, creations of objects included, were running or waiting
    /// when the daemon began to end.
    ///
    /// It is `None` if the daemon did not report it, because it was stopped or stuck.
    #[must_use]
    pub fn calls(&self) -> Option<u64> {
        self.calls
    }

    /// Returns how many calls were still running at the end of the grace and were cut
    /// off.
    ///
    /// It is `None` if the daemon did not report it, because it was killed or the object
    /// exited the process.
    #[must_use]
    pub fn abandoned(&self) -> Option<u64> {
        self.abandoned
    }

    /// Returns how many interpreters could not end in order, because they needed longer
    /// than the grace, such as for their `atexit` handlers, or were killed.
    #[must_use]
    pub fn interpreters_cut_short(&self) -> u64 {
        self.cut_short
    }

    /// Returns how long the shutdown took, from the first request to the removal of the
    /// daemon's directory.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "daemon {} ended in {} ms: {}",
            self.pid,
            self.duration.as_millis(),
            self.status
        )?;
        match self.abandoned {
            Some(1) => f.write_str(", and 1 call was cut off")?,
            Some(calls @ 2..) => write!(f, ", and {calls} calls were cut off")?,
            Some(0) | None => {}
        }
        if self.abandoned.is_some() && !self.dropped {
            f.write_str(", and an object was still being dropped")?;
        }
        match self.cut_short {
            // A call that was cut off has kept its interpreter from ending.
            _ if self.abandoned != Some(0) => {}
            0 => {}
            1 => f.write_str(", and the end of 1 interpreter was cut short")?,
            count => write!(f, ", and the ends of {count} interpreters were cut short")?,
        }
        Ok(())
    }
}
