//! How far a call has come, for whoever gives it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far a call has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

/// What it runs as, once its turn has come.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum RunMode {
    Sync = 1,
    Async,
    Elsewhere,
}

impl Progress {
    pub(super) fn note(&self, runs: RunMode) {
        self.0.store(runs as u8, Ordering::Relaxed);
    }

    /// What becomes of a call that is given up now.
    pub(crate) fn advice(&self) -> &'static str {
        const SYNC: u8 = RunMode::Sync as u8;
        const ASYNC: u8 = RunMode::Async as u8;
        const ELSEWHERE: u8 = RunMode::Elsewhere as u8;
        match self.0.load(Ordering::Relaxed) {
            SYNC => {
                "a sync method that runs is not stopped by this, and keeps its object meanwhile"
            }
            ASYNC => "it had begun, and was dropped at an await",
            ELSEWHERE => {
                "its code is interrupted; what cannot be, as code in C, keeps the object busy until it returns, or is \
                 killed by `kill_when_stuck`"
            }
            _ => "it had not begun: the object is busy with a call before it",
        }
    }
}
