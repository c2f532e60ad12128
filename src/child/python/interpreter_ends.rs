//! How long the interpreters of a daemon may take to end, and how many were cut short.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The least time, for when the calls have used up the grace.
const MIN_END: Duration = Duration::from_millis(100);

/// An interpreter exits this much before its time is over, so that the daemon learns of
/// it.
const AHEAD: Duration = Duration::from_millis(50);

/// How long the interpreters of a daemon may take to end. Each has what is left of the
/// daemon's grace, or all of it while the daemon goes on.
#[derive(Debug)]
pub(crate) struct InterpreterEnds {
    state: Mutex<EndsState>,
    /// How many run.
    running: watch::Sender<u64>,
}

#[derive(Debug)]
struct EndsState {
    grace: Duration,
    /// When the daemon ends, once that is known.
    deadline: Option<Instant>,
    /// How many have been killed, or have exited because their time was over, since the
    /// daemon began to end.
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

    pub(super) fn note_start(&self) {
        self.running.send_modify(|running| *running += 1);
    }

    /// Counts an interpreter that has ended, and whether that was cut short.
    pub(super) fn note_end(&self, is_cut_short: bool) {
        let mut state = self.state();
        state.cut_short += u64::from(is_cut_short && state.deadline.is_some());
        drop(state);
        self.running.send_modify(|running| *running -= 1);
    }

    /// Waits until none runs.
    pub(crate) async fn gone(&self) {
        // This has the sender.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    /// How many interpreters were cut short since the daemon began to end, or still run.
    pub(crate) fn cut_short(&self) -> u64 {
        self.state().cut_short + *self.running.borrow()
    }

    fn state(&self) -> MutexGuard<'_, EndsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InterpreterEnds {
    fn default() -> Self {
        let grace = Duration::from_secs(2);
        let state = EndsState { grace, deadline: None, cut_short: 0 };
        InterpreterEnds { state: Mutex::new(state), running: watch::Sender::new(0) }
    }
}
