//! How long the interpreters of a daemon may take to end, and how many were cut short.

use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The least time, for when the calls have used up the grace.
const MIN_END: Duration = Duration::from_millis(100);

/// An interpreter exits this much before its time is over, so that the daemon learns of
/// it.
const AHEAD: Duration = Duration::from_millis(50);

/// How long the interpreters of a daemon may take to end. Each has what is left of the
/// daemon's grace, or all of it while the daemon goes on.
#[derive(Debug)]
pub(super) struct InterpreterEnds(Mutex<EndsState>);

#[derive(Debug)]
struct EndsState {
    grace: Duration,
    /// When the daemon ends, once that is known.
    deadline: Option<Instant>,
    /// How many have been killed, or have exited because their time was over.
    cut_short: u64,
}

impl InterpreterEnds {
    pub(super) fn set_grace(&self, grace: Duration) {
        self.state().grace = grace;
    }

    /// Notes that the daemon ends.
    pub(super) fn begin(&self, remaining: Duration) {
        self.state().deadline = Some(Instant::now() + remaining);
    }

    /// How long an interpreter that is to end may take until it exits, and until it is
    /// killed.
    pub(super) fn times(&self) -> (Duration, Duration) {
        let state = self.state();
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        let time = state.deadline.map_or(state.grace, left).max(MIN_END);
        (time - AHEAD, time)
    }

    /// Counts how an interpreter that nobody wanted any more has ended.
    pub(super) fn note(&self, status: Option<ExitStatus>) {
        self.state().cut_short += u64::from(status.is_some_and(|status| !status.success()));
    }

    pub(super) fn cut_short(&self) -> u64 {
        self.state().cut_short
    }

    fn state(&self) -> MutexGuard<'_, EndsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InterpreterEnds {
    fn default() -> Self {
        let grace = Duration::from_secs(2);
        InterpreterEnds(Mutex::new(EndsState { grace, deadline: None, cut_short: 0 }))
    }
}
