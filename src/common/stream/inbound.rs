//! The receiving end of a stream: what has arrived, and how much more may.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use futures_util::{Stream, TryStreamExt as _};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Held, Value};

/// How many items may be under way or wait to be taken, unless the caller says otherwise.
pub(crate) const WINDOW: u32 = 64;

/// The way back to who makes the items.
pub(crate) trait ProducerControl: fmt::Debug + Send + Sync {
    /// Allows so many more.
    fn grant(&self, items: u32);

    /// Nobody wants any more.
    fn stop(&self);

    /// Nobody has looked at these, which have come already.
    fn discard(&self, items: &[Value]);
}

/// What a value of the stream is read in: it knows what handles in it stand for.
pub(crate) trait Context: fmt::Debug + Send + Sync {
    /// Runs `read`, which reads this value.
    fn within(&self, value: &Value, read: &mut dyn FnMut());

    /// What keeps the objects that this value names, for who hands it on without reading
    /// it.
    fn hold(&self, _: &Value) -> Held {
        Held::new()
    }

    /// Says of a failure what it is about.
    fn explain(&self, error: Error) -> Error {
        error
    }
}

/// Where arriving items are put.
#[derive(Debug, Default)]
pub(crate) struct Inbound(Mutex<InboundState>);

#[derive(Debug, Default)]
struct InboundState {
    items: VecDeque<Value>,
    /// How many more may arrive.
    allowed: u64,
    /// Whether nobody takes any.
    is_dropped: bool,
    /// Whether nothing more comes, and why if it is not the end.
    ended: Option<Result<()>>,
    waker: Option<Waker>,
}

/// Where they are taken. Dropped before the end, it stops the making of them.
pub(crate) struct IncomingItems {
    inbound: Arc<Inbound>,
    upstream: Arc<dyn ProducerControl>,
    context: Option<Arc<dyn Context>>,
    window: u32,
    /// How many were taken since more were allowed.
    taken: u32,
}

// === impl Inbound ===

impl Inbound {
    /// Puts in what has arrived; gives it back if nobody takes it any more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if more arrives than was allowed.
    pub(crate) fn push(&self, items: Vec<Value>) -> Result<Vec<Value>> {
        let mut state = self.state();
        if state.is_dropped {
            return Ok(items);
        }
        let Some(allowed) = state.allowed.checked_sub(items.len() as u64) else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "more items of a stream have come than were allowed",
            ));
        };
        state.allowed = allowed;
        state.items.extend(items);
        wake(state);
        Ok(Vec::new())
    }

    /// Nothing more comes; what has arrived can still be taken. The first word counts.
    pub(crate) fn end(&self, outcome: Result<()>) {
        let mut state = self.state();
        state.ended.get_or_insert(outcome);
        wake(state);
    }

    fn state(&self) -> MutexGuard<'_, InboundState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes outside the lock, because on the same thread the woken may want it at once.
fn wake(mut state: MutexGuard<'_, InboundState>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

// === impl Incoming ===

impl IncomingItems {
    /// The receiving end of a stream whose maker has been allowed a window of items
    /// already.
    pub(crate) fn new(
        inbound: Arc<Inbound>,
        upstream: Arc<dyn ProducerControl>,
        window: u32,
    ) -> Self {
        inbound.state().allowed += u64::from(window);
        IncomingItems { inbound, upstream, context: None, window, taken: 0 }
    }

    /// Has its items read in a context.
    pub(crate) fn in_context(mut self, context: Arc<dyn Context>) -> Self {
        self.context = Some(context);
        self
    }

    pub(super) fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Value>>> {
        let mut state = self.inbound.state();
        if let Some(item) = state.items.pop_front() {
            self.taken += 1;
            // Not one by one, which would cost a frame for each; and not so late that the
            // maker has to wait.
            if self.taken > self.window / 2 && state.ended.is_none() {
                state.allowed += u64::from(self.taken);
                drop(state);
                self.upstream.grant(std::mem::take(&mut self.taken));
            }
            return Poll::Ready(Some(Ok(item)));
        }
        match &state.ended {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(error.clone()))),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The items as they are, for who hands them on. What they name is held as long as
    /// what is given.
    pub(super) fn handed_on(self) -> impl Stream<Item = Result<Value>> + Send {
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
            Err(Error::new(ErrorKind::Protocol, "an item of a stream was not read"))
        })
    }

    pub(super) fn explain(&self, error: Error) -> Error {
        self.context
            .as_ref()
            .map_or_else(|| error.clone(), |context| context.explain(error.clone()))
    }
}

/// For who hands the stream on as it is. A failure is the last item.
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
            (std::mem::take(&mut state.items), state.ended.is_some())
        };
        if !has_ended {
            self.upstream.stop();
        }
        match &self.context {
            // Read as nothing, so that the objects they name are released.
            Some(context) => left.iter().for_each(|item| context.within(item, &mut || {})),
            // Not even the call has been looked at.
            None => self.upstream.discard(left.make_contiguous()),
        }
    }
}

impl fmt::Debug for IncomingItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("window", &self.window).finish_non_exhaustive()
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
        let (inbound, maker) = (Arc::new(Inbound::default()), Arc::new(Producer::default()));
        let incoming = IncomingItems::new(Arc::clone(&inbound), maker.clone(), window);
        (inbound, maker, incoming)
    }

    fn next(incoming: &mut IncomingItems) -> Option<Option<Result<Value>>> {
        incoming.next().now_or_never()
    }

    #[test]
    fn more_is_allowed_when_half_is_taken() {
        let (inbound, maker, mut incoming) = stream(4);
        inbound.push(vec![Value::Null; 4]).expect("four were allowed");
        assert_eq!(
            inbound.push(vec![Value::Null]).expect_err("no more").kind(),
            ErrorKind::Protocol
        );
        for granted in [0, 0, 3, 3] {
            assert!(next(&mut incoming).is_some());
            assert_eq!(maker.granted.load(Ordering::Relaxed), granted);
        }
        inbound.push(vec![Value::Null; 3]).expect("three more were allowed");
    }

    #[test]
    fn what_has_arrived_comes_before_the_end() {
        let (inbound, maker, mut incoming) = stream(4);
        inbound.push(vec![Value::Int(1)]).expect("it is allowed");
        inbound.end(Err(Error::new(ErrorKind::Closed, "over")));
        inbound.end(Ok(()));
        assert!(matches!(next(&mut incoming), Some(Some(Ok(Value::Int(1))))));
        assert!(
            matches!(next(&mut incoming), Some(Some(Err(error))) if error.kind() == ErrorKind::Closed)
        );
        drop(incoming);
        assert_eq!(maker.stops.load(Ordering::Relaxed), 0, "there is nothing to stop");
    }

    #[test]
    fn items_that_nobody_has_looked_at_are_discarded() {
        let (inbound, maker, incoming) = stream(4);
        inbound.push(vec![Value::Null; 3]).expect("it is allowed");
        drop(incoming);
        assert_eq!(maker.discarded.load(Ordering::Relaxed), 3);
        assert_eq!(inbound.push(vec![Value::Null]).expect("it is given back").len(), 1);
    }

    #[test]
    fn dropped_stream_stops_its_maker() {
        let (_inbound, maker, mut incoming) = stream(4);
        assert!(next(&mut incoming).is_none());
        drop(incoming);
        assert_eq!(maker.stops.load(Ordering::Relaxed), 1);
    }
}
