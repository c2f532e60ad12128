//! How far a call has come, for the error of a call that timed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far a call has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

/// How a call runs, once its turn has come.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum RunMode {
    Sync = 1,
    Async,
    External,
}

impl Progress {
    pub(super) fn note(&self, runs: RunMode) {
        self.0.store(runs as u8, Ordering::Relaxed);
    }

    /// Describes what happens to the call if it is given up now.
    pub(crate) fn advice(&self) -> &'static str {
        const SYNC: u8 = RunMode::Sync as u8;
        const ASYNC: u8 = RunMode::Async as u8;
        const EXTERNAL: u8 = RunMode::External as u8;
        match self.0.load(Ordering::Relaxed) {
            SYNC => "the sync method cannot be stopped and keeps its object busy until it returns",
            ASYNC => "the method had started and was dropped at an await",
            EXTERNAL => {
                "the running code was interrupted; code that cannot be interrupted, such as C \
                 code, keeps the object busy until it returns or `kill_when_stuck` kills the \
                 interpreter"
            }
            _ => "the call had not started: the object is busy with an earlier call",
        }
    }
}
