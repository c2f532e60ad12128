//! What is known about the end of a daemon, and the outcome that follows from it.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::common::error::{DeadProcess, Death, Status};
use crate::parent::daemon::exit_outcome::ExitOutcome;
use crate::parent::daemon::shutdown_report::ShutdownReport;

/// What is known about the end of a process that was reaped.
pub(super) struct End {
    pub(super) pid: u32,
    pub(super) status: Status,
    /// Whether it was killed because it had closed its lifeline.
    pub(super) was_unreachable: bool,
    pub(super) stderr: String,
    pub(super) uptime: Duration,
    pub(super) ending: Option<EndInProgress>,
    pub(super) report: EndReport,
}

impl End {
    fn kill_reason(&self) -> Option<String> {
        let reason = "it closed its connection to its parent, but did not exit; does its object \
                      close descriptors that are not its own, or replace the process (`exec`)?";
        let is_killed = self.status.signal() == Some(Signal::KILL.as_raw());
        (self.was_unreachable && is_killed).then(|| reason.to_owned())
    }

    /// The outcome as of now: the duration of a shutdown grows until all is cleaned up.
    pub(super) fn outcome(&self) -> ExitOutcome {
        let killed_by_parent = self.ending.as_ref().is_some_and(|ending| ending.deadline.is_none());
        // A daemon that was asked to end, but exited before it received the request, has
        // died of something else.
        let ending =
            self.ending.as_ref().filter(|_| killed_by_parent || self.report.calls.is_some());
        match ending {
            Some(ending) => ExitOutcome::ShutDown(ShutdownReport {
                pid: self.pid,
                status: self.status,
                killed: killed_by_parent || self.status.signal().is_some(),
                calls: self.report.calls,
                abandoned: self.report.abandoned,
                dropped: self.report.dropped,
                cut_short: self.report.cut_short,
                duration: ending.since.elapsed(),
                stderr: self.stderr.clone(),
            }),
            None => ExitOutcome::Died(Arc::new(Death {
                whose: DeadProcess::Daemon,
                pid: self.pid,
                status: self.status,
                reason: self.kill_reason(),
                stderr: self.stderr.clone(),
                uptime: self.uptime,
            })),
        }
    }
}

/// What the daemon has reported about its end.
#[derive(Default)]
pub(super) struct EndReport {
    /// How many calls were running or waiting when it began.
    pub(super) calls: Option<u64>,
    /// How many of them were cut off; it is in the daemon's last message.
    pub(super) abandoned: Option<u64>,
    /// How many calls that it knows nothing of were cut off when their interpreters
    /// ended.
    pub(super) cut_off: u64,
    /// Whether its objects were all dropped.
    pub(super) dropped: bool,
    /// How many interpreters could not end in order.
    pub(super) cut_short: u64,
}

/// An ending under way.
pub(super) struct EndInProgress {
    pub(super) since: Instant,
    /// When the process is killed; `None` after that.
    pub(super) deadline: Option<Instant>,
}
