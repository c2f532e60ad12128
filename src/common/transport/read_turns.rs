//! When all has been read that had arrived on a connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Counts how often a connection has been read until nothing more was there. Cheap to
/// clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadTurns(Arc<TurnState>);

#[derive(Debug, Default)]
struct TurnState {
    count: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
    is_awaited: AtomicBool,
}

impl ReadTurns {
    /// Notes that nothing more is there to be read.
    pub(crate) fn note(&self) {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        // Seldom awaited, and noted after each request.
        if self.0.is_awaited.load(Ordering::SeqCst) {
            let waiting = {
                let mut waiting = self.waiting();
                self.0.is_awaited.store(false, Ordering::SeqCst);
                std::mem::take(&mut *waiting)
            };
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    /// Waits until there have been more than `count`.
    pub(crate) fn poll_more_than(&self, count: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.count() > count {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting();
        waiting.retain(|waker| !waker.will_wake(cx.waker()));
        waiting.push(cx.waker().clone());
        self.0.is_awaited.store(true, Ordering::SeqCst);
        drop(waiting);
        // It may have been noted just before.
        if self.count() > count { Poll::Ready(()) } else { Poll::Pending }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
