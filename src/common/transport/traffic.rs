//! How much is written to all connections together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counts what is written to all connections together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    waiting: AtomicUsize,
}

impl Traffic {
    /// The bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        self.0.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a connection as one with more to write than its client has read, until the
    /// returned guard is dropped.
    pub(crate) fn wait(&self) -> WaitingToWrite {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        WaitingToWrite(self.clone())
    }

    /// Whether some connection has more to write than its client has read.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }
}

/// A guard of [`Traffic::wait`].
#[derive(Debug)]
pub(crate) struct WaitingToWrite(Traffic);

impl Drop for WaitingToWrite {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
