//! The receiving end of a stream: the items that have arrived, and how many more may.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use futures_util::{Stream, TryStreamExt as _};
use tokio::sync::Notify;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::window::Window;
use crate::common::value::{Held, Value};

/// Controls the producer of a stream from its receiving end.
pub(crate) trait ProducerControl: fmt::Debug + Send + Sync {
    /// Grants the producer more items.
    fn grant(&self, items: u32);

    /// Stops the producer, because the stream was dropped.
    fn stop(&self);

    /// Discards items that have arrived and were never read.
    fn discard(&self, items: &[Value]);
}

/// The context in which the items of a stream are read: it knows what the handles in them
/// stand for.
pub(crate) trait Context: fmt::Debug + Send + Sync {
    /// Runs `read`, which reads this value, in the context.
    fn within(&self, value: &Value, read: &mut dyn FnMut());

    /// Returns what keeps the objects alive that this value refers to, for a value that
    /// is passed on without being read.
    fn hold(&self, _: &Value) -> Held {
        Held::new()
    }

    /// Adds to an error what it is about.
    fn explain(&self, error: Error) -> Error {
        error
    }
}

/// Counts the memory of items until it is dropped.
pub(crate) type ItemsHold = Arc<dyn fmt::Debug + Send + Sync>;

/// The queue of items that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    state: Mutex<InboundState>,
    /// Notified when the consumer begins to wait.
    waits: Notify,
}

#[derive(Debug, Default)]
struct InboundState {
    items: VecDeque<Value>,
    /// What counts the memory of the items, and for how many of the next items.
    holds: VecDeque<(usize, ItemsHold)>,
    /// How many more may arrive.
    allowed: u64,
    /// About how many bytes one of the larger items has that have arrived lately.
    item_bytes: u64,
    /// Whether the stream was dropped, so that no item will be taken.
    is_dropped: bool,
    /// Set when no more items come: `Ok` at the end of the stream, otherwise the reason.
    ended: Option<Result<()>>,
    waker: Option<Waker>,
}

/// Takes the items that have arrived. Dropping it before the end stops the producer.
pub(crate) struct IncomingItems {
    inbound: Arc<Inbound>,
    upstream: Arc<dyn ProducerControl>,
    context: Option<Arc<dyn Context>>,
    window: Window,
    /// Whether there was nothing to take since more were granted.
    has_waited: bool,
}

// === impl Inbound ===

impl Inbound {
    /// Adds items that have arrived, of so many bytes together; returns them if the
    /// stream was dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if more arrive than were allowed.
    pub(crate) fn push(&self, items: Vec<Value>, bytes: usize) -> Result<Vec<Value>> {
        self.push_held(items, bytes, None)
    }

    /// Does the same, and keeps `hold` until the items have been taken. Either all items
    /// of a stream have one or none has.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub(crate) fn push_held(
        &self,
        items: Vec<Value>,
        bytes: usize,
        hold: Option<ItemsHold>,
    ) -> Result<Vec<Value>> {
        let mut state = self.state();
        if state.is_dropped {
            return Ok(items);
        }
        let Some(allowed) = state.allowed.checked_sub(items.len() as u64) else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "a stream sent more items than it was allowed to",
            ));
        };
        state.allowed = allowed;
        let item_bytes = bytes.checked_div(items.len()).unwrap_or(0) as u64;
        state.item_bytes = item_bytes.max(state.item_bytes - state.item_bytes / 8);
        if let Some(hold) = hold.filter(|_| !items.is_empty()) {
            state.holds.push_back((items.len(), hold));
        }
        state.items.extend(items);
        wake(state);
        Ok(Vec::new())
    }

    /// Notes that no more items come. Those that have arrived can still be taken. Only
    /// the first call counts.
    pub(crate) fn end(&self, outcome: Result<()>) {
        let mut state = self.state();
        state.ended.get_or_insert(outcome);
        wake(state);
    }

    /// Waits until the consumer waits for an item, and has not been given one since.
    pub(crate) async fn wanted(&self) {
        while self.state().waker.is_none() {
            // A notification in between is kept.
            self.waits.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, InboundState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes after unlocking, because a task woken on the same thread may lock at once.
fn wake(mut state: MutexGuard<'_, InboundState>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl InboundState {
    /// Notes that an item was taken; returns what has counted it if it was the last one.
    fn note_taken(&mut self) -> Option<ItemsHold> {
        let (left, _) = self.holds.front_mut()?;
        *left -= 1;
        if *left > 0 { None } else { self.holds.pop_front().map(|(_, hold)| hold) }
    }
}

// === impl IncomingItems ===

impl IncomingItems {
    /// Creates the receiving end of a stream whose producer has been granted a window of
    /// items already, unless that was withheld.
    pub(crate) fn new(
        inbound: Arc<Inbound>,
        upstream: Arc<dyn ProducerControl>,
        window: Window,
    ) -> Self {
        let to_grant = window.to_grant();
        inbound.state().allowed += u64::from(window.granted()) + u64::from(to_grant);
        if to_grant > 0 {
            upstream.grant(to_grant);
        }
        IncomingItems { inbound, upstream, context: None, window, has_waited: false }
    }

    /// Sets the context in which its items are read.
    pub(crate) fn in_context(mut self, context: Arc<dyn Context>) -> Self {
        self.context = Some(context);
        self
    }

    pub(super) fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Value>>> {
        let mut state = self.inbound.state();
        if let Some(item) = state.items.pop_front() {
            let hold = state.note_taken();
            let in_flight = state.allowed + state.items.len() as u64;
            let free = self.window.free(in_flight, state.item_bytes, self.has_waited);
            if free > 0 && state.ended.is_none() {
                state.allowed += u64::from(free);
                drop(state);
                self.has_waited = false;
                self.upstream.grant(free);
            } else {
                drop(state);
            }
            drop(hold);
            return Poll::Ready(Some(Ok(item)));
        }
        match &state.ended {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error.clone()))),
            None => {
                state.waker = Some(cx.waker().clone());
                let is_wanted = self.window.is_on_demand() && state.allowed == 0;
                state.allowed += u64::from(is_wanted);
                drop(state);
                self.has_waited = true;
                self.inbound.waits.notify_one();
                if is_wanted {
                    self.upstream.grant(1);
                }
                Poll::Pending
            }
        }
    }

    /// Returns the items unread, to be passed on. The objects that they refer to are held
    /// as long as the returned stream.
    pub(super) fn unread(self) -> impl Stream<Item = Result<Value>> + Send {
        let (context, mut held) = (self.context.clone(), Held::new());
        self.inspect_ok(move |item| {
            held.extend(context.iter().flat_map(|context| context.hold(item)))
        })
    }

    /// Reads an item in its context.
    pub(super) fn read<T>(&self, item: Value, read: fn(Value) -> Result<T>) -> Result<T> {
        let Some(context) = &self.context else { return read(item) };
        let whole = item.clone();
        let (mut item, mut result) = (Some(item), None);
        context.within(&whole, &mut || result = item.take().map(read));
        result.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Protocol, "an item of the stream was not read"))
        })
    }

    pub(super) fn explain(&self, error: Error) -> Error {
        self.context
            .as_ref()
            .map_or_else(|| error.clone(), |context| context.explain(error.clone()))
    }
}

/// The items unread. An error is the last item.
impl Stream for IncomingItems {
    type Item = Result<Value>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Value>>> {
        IncomingItems::poll_next(&mut self, cx)
    }
}

impl Drop for IncomingItems {
    fn drop(&mut self) {
        let (mut left, has_ended) = {
            let mut state = self.inbound.state();
            state.is_dropped = true;
            state.holds.clear();
            (std::mem::take(&mut state.items), state.ended.is_some())
        };
        if !has_ended {
            self.upstream.stop();
        }
        match &self.context {
            // Reading nothing from them releases the objects that they refer to.
            Some(context) => left.iter().for_each(|item| context.within(item, &mut || {})),
            // The response of the call itself was never read.
            None => self.upstream.discard(left.make_contiguous()),
        }
    }
}

impl fmt::Debug for IncomingItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingItems").field("window", &self.window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    #[derive(Debug, Default)]
    struct Producer {
        granted: AtomicU32,
        stops: AtomicU32,
        discarded: AtomicU32,
    }

    impl ProducerControl for Producer {
        fn discard(&self, items: &[Value]) {
            self.discarded.fetch_add(items.len() as u32, Ordering::Relaxed);
        }

        fn grant(&self, items: u32) {
            self.granted.fetch_add(items, Ordering::Relaxed);
        }

        fn stop(&self) {
            self.stops.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn stream(window: u32) -> (Arc<Inbound>, Arc<Producer>, IncomingItems) {
        let (inbound, producer) = (Arc::new(Inbound::default()), Arc::new(Producer::default()));
        let window = Window::exactly(window);
        let incoming = IncomingItems::new(Arc::clone(&inbound), producer.clone(), window);
        (inbound, producer, incoming)
    }

    fn next(incoming: &mut IncomingItems) -> Option<Option<Result<Value>>> {
        incoming.next().now_or_never()
    }

    #[test]
    fn more_is_granted_when_half_is_taken() {
        let (inbound, producer, mut incoming) = stream(4);
        inbound.push(vec![Value::Null; 4], 4).expect("four are allowed");
        assert_eq!(
            inbound.push(vec![Value::Null], 1).expect_err("no more").kind(),
            ErrorKind::Protocol
        );
        for granted in [0, 0, 3, 3] {
            assert!(next(&mut incoming).is_some());
            assert_eq!(producer.granted.load(Ordering::Relaxed), granted);
        }
        inbound.push(vec![Value::Null; 3], 3).expect("three more are allowed");
    }

    #[test]
    fn large_items_do_not_pile_up() {
        let (inbound, producer) = (Arc::new(Inbound::default()), Arc::new(Producer::default()));
        let window = Window::default();
        let mut incoming = IncomingItems::new(Arc::clone(&inbound), producer.clone(), window);
        // The size of the first ones is not known before they come.
        inbound.push(vec![Value::Null; 64], 64 << 20).expect("the first ones are allowed");
        (0..60).for_each(|_| assert!(next(&mut incoming).is_some()));
        assert_eq!(producer.granted.load(Ordering::Relaxed), 0);
        assert!(next(&mut incoming).is_some());
        assert_eq!(producer.granted.load(Ordering::Relaxed), 5, "eight are in flight");
    }

    #[test]
    fn one_item_is_wanted_each_time_the_consumer_waits() {
        let (inbound, _producer, mut incoming) = stream(4);
        let is_wanted = || inbound.wanted().now_or_never().is_some();
        assert!(!is_wanted());
        assert!(next(&mut incoming).is_none() && is_wanted() && is_wanted());
        // Polled again before the item comes, as `select!` does.
        assert!(next(&mut incoming).is_none());
        inbound.push(vec![Value::Null], 1).expect("it is allowed");
        assert!(!is_wanted(), "the consumer has an item");
        assert!(next(&mut incoming).is_some() && !is_wanted());
        assert!(next(&mut incoming).is_none() && is_wanted());
    }

    #[test]
    fn items_on_demand_are_granted_one_by_one() {
        let (inbound, producer) = (Arc::new(Inbound::default()), Arc::new(Producer::default()));
        let window = Window::default().withheld();
        assert_eq!(window.granted(), 0);
        let window = window.opened(true);
        let mut incoming = IncomingItems::new(Arc::clone(&inbound), producer.clone(), window);
        for granted in 1..4 {
            assert_eq!(producer.granted.load(Ordering::Relaxed), granted - 1);
            assert!(next(&mut incoming).is_none() && next(&mut incoming).is_none());
            assert_eq!(producer.granted.load(Ordering::Relaxed), granted);
            inbound.push(vec![Value::Null], 1).expect("one is allowed");
            assert!(inbound.push(vec![Value::Null], 1).is_err());
            assert!(next(&mut incoming).is_some());
        }
    }

    #[test]
    fn withheld_window_is_granted_when_the_stream_opens() {
        let (inbound, producer) = (Arc::new(Inbound::default()), Arc::new(Producer::default()));
        let window = Window::default().withheld().opened(false);
        let mut incoming = IncomingItems::new(Arc::clone(&inbound), producer.clone(), window);
        assert_eq!(producer.granted.load(Ordering::Relaxed), 64);
        inbound.push(vec![Value::Null; 64], 64).expect("they are allowed");
        (0..33).for_each(|_| assert!(next(&mut incoming).is_some()));
        assert_eq!(producer.granted.load(Ordering::Relaxed), 64 + 33);
    }

    #[test]
    fn arrived_items_come_before_the_end() {
        let (inbound, producer, mut incoming) = stream(4);
        inbound.push(vec![Value::Int(1)], 1).expect("it is allowed");
        inbound.end(Err(Error::new(ErrorKind::Closed, "over")));
        inbound.end(Ok(()));
        assert!(matches!(next(&mut incoming), Some(Some(Ok(Value::Int(1))))));
        let last = next(&mut incoming);
        assert!(matches!(last, Some(Some(Err(error))) if error.kind() == ErrorKind::Closed));
        drop(incoming);
        assert_eq!(producer.stops.load(Ordering::Relaxed), 0, "there is nothing to stop");
    }

    #[test]
    fn unread_items_are_discarded() {
        let (inbound, producer, incoming) = stream(4);
        inbound.push(vec![Value::Null; 3], 3).expect("it is allowed");
        drop(incoming);
        assert_eq!(producer.discarded.load(Ordering::Relaxed), 3);
        assert_eq!(inbound.push(vec![Value::Null], 1).expect("it is returned").len(), 1);
    }

    #[test]
    fn dropped_stream_stops_its_producer() {
        let (_inbound, producer, mut incoming) = stream(4);
        assert!(next(&mut incoming).is_none());
        drop(incoming);
        assert_eq!(producer.stops.load(Ordering::Relaxed), 1);
    }
}
