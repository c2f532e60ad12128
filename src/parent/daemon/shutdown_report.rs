//! How a daemon ended.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::common::error::{DeadProcess, Death, Status};

/// How a daemon ended that was asked to: the report of a shutdown.
#[derive(Clone, Debug)]
pub struct ShutdownReport {
    pub(super) pid: u32,
    pub(super) status: Status,
    pub(super) killed: bool,
    pub(super) calls: Option<u64>,
    pub(super) abandoned: Option<u64>,
    pub(super) dropped: bool,
    pub(super) duration: Duration,
    /// The end of its stderr, for the error of one that was ended before it had begun.
    pub(super) stderr: String,
}

impl ShutdownReport {
    /// For the error of a process that was ended before it was a daemon: what is worth
    /// telling is how, and what it wrote.
    pub(super) fn as_death(&self, uptime: Duration) -> Death {
        Death {
            whose: DeadProcess::Daemon,
            pid: self.pid,
            status: self.status,
            stderr: self.stderr.clone(),
            uptime,
        }
    }

    /// The process id it had.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its exit status. `None` if this program ignores SIGCHLD, for then the kernel keeps
    /// none; or if a wrapper had started the daemon, and outlived it without telling.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.status.known()
    }

    /// Whether it ended by itself and in order: every call answered, every object
    /// dropped. Where its exit status is not known, its last word counts.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let succeeded = self.status().is_none_or(|status| status.success());
        !self.killed && self.abandoned == Some(0) && self.dropped && succeeded
    }

    /// Whether it was killed: by its parent or by its own watchdog because it had not
    /// ended within its grace, or by something else meanwhile.
    #[must_use]
    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// How many calls ran or waited when it began to end, creations of objects among
    /// them. `None` if it did not say, because it was stopped or stuck.
    #[must_use]
    pub fn calls(&self) -> Option<u64> {
        self.calls
    }

    /// How many calls were still running when the grace was over, and were cut off.
    /// `None` if it could not say, because it was killed or exited by itself.
    #[must_use]
    pub fn abandoned(&self) -> Option<u64> {
        self.abandoned
    }

    /// How long the end took, from the first request to the removal of its directory.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

/// As `daemon 4211 ended in 3 ms: exited with code 0`.
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
            f.write_str(", and an object's drop did not end")?;
        }
        Ok(())
    }
}
