//! The `tracing` events of the keeper, emitted on a thread of their own.
//!
//! A subscriber is the user's code. It may block, as a terminal does after Ctrl-S, or
//! panic. The keeper supervises every daemon of the process, so it calls no user code: it
//! puts its events into a bounded queue. Deliberately absent: the events of calls and
//! connections, which are emitted on the threads of their callers.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::dispatcher::{self, Dispatch, with_default};
use tracing::level_filters::LevelFilter;
use tracing::{Level, warn};

/// How many events wait for the subscriber at most. Output is read no faster than the
/// subscriber takes it once half of them wait.
const CAPACITY: usize = 1024;

/// How long the subscriber may take for one event before nothing waits for it any more.
const PATIENCE: Duration = Duration::from_millis(250);

/// The subscriber for which something happens on the keeper. Cheap to clone; neither its
/// use nor its drop runs code of the subscriber.
#[derive(Clone)]
pub(crate) struct EventSink(Arc<SinkSubscriber>);

/// The subscriber that was current when the sink was made. It is dropped on the thread of
/// the events.
struct SinkSubscriber(Option<Dispatch>);

static QUEUE: EventQueue = EventQueue {
    state: Mutex::new(EventQueueState {
        jobs: VecDeque::new(),
        events: 0,
        dropped: 0,
        added: 0,
        stuck_after: None,
        handled: None,
    }),
    changed: Condvar::new(),
};

struct EventQueue {
    state: Mutex<EventQueueState>,
    /// Wakes the thread.
    changed: Condvar,
}

struct EventQueueState {
    jobs: VecDeque<EventJob>,
    /// How many of the jobs are events.
    events: usize,
    /// How many events were dropped since the last one that was emitted.
    dropped: u64,
    /// How many jobs have ever been added.
    added: u64,
    /// After how many jobs the thread was found stuck. Until one more is done, nothing
    /// waits for it.
    stuck_after: Option<u64>,
    /// How many jobs have been done; `None` before the thread was started.
    handled: Option<watch::Receiver<u64>>,
}

enum EventJob {
    Emit(EventSink, Box<dyn FnOnce() + Send>),
    Drop(Dispatch),
}

// === impl EventSink ===

impl EventSink {
    /// The subscriber that is current on this thread.
    pub(crate) fn current() -> Self {
        let is_any = LevelFilter::current() != LevelFilter::OFF;
        EventSink(Arc::new(SinkSubscriber(
            is_any.then(|| dispatcher::get_default(Dispatch::clone)),
        )))
    }

    /// The subscriber itself, to call it on a thread of its user.
    pub(crate) fn subscriber(&self) -> Dispatch {
        self.0.0.clone().unwrap_or_else(Dispatch::none)
    }

    /// Emits the events of `emit`, which are of `level`, on the thread of the events. If
    /// too many wait there already, they are dropped and counted.
    pub(crate) fn emit(&self, level: Level, emit: impl FnOnce() + Send + 'static) {
        if level > LevelFilter::current() {
            return;
        }
        let mut state = QUEUE.state();
        if state.events >= CAPACITY {
            state.dropped += 1;
            return;
        }
        state.events += 1;
        QUEUE.add(&mut state, EventJob::Emit(self.clone(), Box::new(emit)));
    }

    /// Waits until the subscriber has taken what was emitted before, or is stuck.
    pub(crate) async fn flushed(&self) {
        let target = QUEUE.state().added;
        QUEUE.wait_for(target).await;
    }

    /// Waits until no more than half of the possible events wait, or the subscriber is
    /// stuck.
    pub(crate) async fn has_room(&self) {
        let target = {
            let state = QUEUE.state();
            if state.events <= CAPACITY / 2 {
                return;
            }
            state.added - (CAPACITY / 2) as u64
        };
        QUEUE.wait_for(target).await;
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSink").finish_non_exhaustive()
    }
}

impl Drop for SinkSubscriber {
    fn drop(&mut self) {
        if let Some(dispatch) = self.0.take() {
            // As many as there were daemons at most, so it needs no bound.
            QUEUE.add(&mut QUEUE.state(), EventJob::Drop(dispatch));
        }
    }
}

// === impl EventQueue ===

impl EventQueue {
    fn state(&self) -> MutexGuard<'_, EventQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&'static self, state: &mut EventQueueState, job: EventJob) {
        state.jobs.push_back(job);
        state.added += 1;
        if state.handled.is_none() {
            let (handled, receiver) = watch::channel(0);
            let thread = std::thread::Builder::new().name("oad-events".to_owned());
            // Without a thread the jobs wait for the next attempt.
            if thread.spawn(move || self.run(&handled)).is_ok() {
                state.handled = Some(receiver);
            }
        }
        self.changed.notify_one();
    }

    /// Waits until the first `target` jobs have been done, or one takes too long.
    async fn wait_for(&self, target: u64) {
        let Some(mut handled) = self.state().handled.clone() else { return };
        loop {
            let before = *handled.borrow_and_update();
            if before >= target || self.state().stuck_after == Some(before) {
                return;
            }
            if timeout(PATIENCE, handled.changed()).await.is_err() {
                self.state().stuck_after = Some(before);
                return;
            }
        }
    }

    /// Does the jobs; never returns.
    fn run(&self, handled: &watch::Sender<u64>) {
        loop {
            let mut state = self.state();
            let job = loop {
                match state.jobs.pop_front() {
                    Some(job) => break job,
                    None => {
                        state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            let mut dropped = 0;
            if let EventJob::Emit(..) = job {
                state.events -= 1;
                dropped = std::mem::take(&mut state.dropped);
            }
            drop(state);
            // A subscriber that panics loses this event only.
            let _ = catch_unwind(AssertUnwindSafe(|| job.run(dropped)));
            handled.send_modify(|handled| *handled += 1);
        }
    }
}

impl EventJob {
    fn run(self, dropped: u64) {
        match self {
            EventJob::Emit(sink, emit) => with_default(&sink.subscriber(), || {
                emit();
                if dropped > 0 {
                    warn!(
                        target: "oad::events",
                        dropped,
                        "events were dropped, because the subscriber was too slow"
                    );
                }
            }),
            EventJob::Drop(dispatch) => drop(dispatch),
        }
    }
}
