//! How a daemon's life ended.

use std::sync::Arc;
use std::time::Duration;

use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Status};
use crate::parent::daemon::shutdown_report::ShutdownReport;

/// How a daemon's life ended.
#[derive(Clone, Debug)]
pub(super) enum ExitOutcome {
    /// It had been asked to end.
    ShutDown(ShutdownReport),
    /// It exited unexpectedly.
    Died(Arc<Death>),
}

impl ExitOutcome {
    /// The outcome if the supervising task is gone, which only a bug in oad or a panic in
    /// a subscriber to its events can cause.
    pub(super) fn unknown(pid: u32) -> Self {
        let death = Death {
            whose: DeadProcess::Daemon,
            pid,
            status: Status::Discarded,
            reason: None,
            stderr: String::new(),
            uptime: Duration::ZERO,
        };
        ExitOutcome::Died(Arc::new(death))
    }

    /// The error of a call to this daemon.
    pub(super) fn into_error(self) -> Error {
        match self {
            ExitOutcome::ShutDown(report) => {
                Error::new(ErrorKind::Closed, format!("the daemon was shut down ({report})"))
            }
            ExitOutcome::Died(death) => Error::from_death(death),
        }
    }
}
