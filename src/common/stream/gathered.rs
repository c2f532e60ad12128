//! The items that an iterator has made and that have not been sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::common::value::Value;

/// The items that an iterator has made and that have not been sent. The iterator's thread
/// adds them. They are sent together, but not held back while the next one takes its
/// time.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    state: Mutex<GatheredState>,
    /// Notified when there is a first item.
    has_items: Notify,
}

#[derive(Debug, Default)]
struct GatheredState {
    items: Vec<Value>,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Gathered {
    pub(super) fn add(&self, item: Value) {
        let mut state = self.state();
        state.items.push(item);
        if state.since.is_none() {
            state.since = Some(Instant::now());
            drop(state);
            self.has_items.notify_one();
        }
    }

    /// Takes all items.
    pub(crate) fn take(&self) -> Vec<Value> {
        let mut state = self.state();
        state.since = None;
        std::mem::take(&mut state.items)
    }

    /// Waits until there are items. A wait may also end when they have been taken.
    pub(crate) async fn wait(&self) {
        self.has_items.notified().await;
    }

    /// Takes all items, if the first one has been waiting for so long.
    pub(crate) fn take_after(&self, time: Duration) -> Taken {
        let since = self.state().since;
        match since {
            None => Taken::None,
            Some(since) if since.elapsed() < time => Taken::TooEarly,
            Some(_) => Taken::Items(self.take()),
        }
    }

    fn state(&self) -> MutexGuard<'_, GatheredState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was there to be taken.
#[derive(Debug)]
pub(crate) enum Taken {
    None,
    TooEarly,
    Items(Vec<Value>),
}
