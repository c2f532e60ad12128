//! The sending end of a stream: where its items come from.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::Stream;

use crate::common::error::Result;
use crate::common::scoped::{Slot, with_slot};
use crate::common::stream::gathered::Gathered;
use crate::common::value::Value;

/// How long the items of an iterator are gathered before they are sent together.
const GATHER: Duration = Duration::from_micros(200);

/// The most items that are sent together, whatever the window is. More would be held back
/// meanwhile, as would the other work of the thread.
const MOST: usize = 256;

/// Where the items of a stream come from.
pub(crate) enum ItemSource<'a> {
    /// An iterator, whose `next` may block.
    Iterator(Box<dyn Iterator<Item = Result<Value>> + Send + 'a>),
    /// A stream, which does not block.
    Stream(Pin<Box<dyn Stream<Item = Result<Value>> + Send + 'a>>),
}

/// Items that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Value>,
    /// Set with the last items: `Ok` at the end of the stream, otherwise the reason.
    pub(crate) ended: Option<Result<()>>,
}

impl Batch {
    /// Adds an item, or the end; returns whether there is room for more.
    fn add(&mut self, item: Option<Result<Value>>, most: usize) -> bool {
        match item {
            Some(Ok(item)) => self.items.push(item),
            Some(Err(error)) => self.ended = Some(Err(error)),
            None => self.ended = Some(Ok(())),
        }
        self.ended.is_none() && self.items.len() < most.min(MOST)
    }
}

impl ItemSource<'_> {
    /// Whether its items are made by code that may block.
    pub(crate) fn may_block(&self) -> bool {
        matches!(self, ItemSource::Iterator(_))
    }

    /// Makes the next items of an iterator, at most so many: those that it produces
    /// within 200 µs, and at least one. Adds each to `gathered` when it has been made,
    /// and returns how the stream has ended if it has. Makes nothing of a stream.
    pub(crate) fn gather(&mut self, most: usize, gathered: &Gathered) -> Option<Result<()>> {
        let ItemSource::Iterator(items) = self else { return None };
        let started = Instant::now();
        for _ in 0..most.min(MOST) {
            match items.next() {
                Some(Ok(item)) => gathered.add(item),
                Some(Err(error)) => return Some(Err(error)),
                None => return Some(Ok(())),
            }
            if started.elapsed() >= GATHER {
                break;
            }
        }
        None
    }

    /// Returns the next items of a stream, at most so many: waits for one and takes those
    /// that are ready within 200 µs. Nothing for an iterator.
    pub(crate) async fn wait(&mut self, most: usize) -> Batch {
        let mut batch = Batch::default();
        let ItemSource::Stream(items) = self else { return batch };
        let mut first_came = None;
        poll_fn(|cx| {
            loop {
                let has_room = match items.as_mut().poll_next(cx) {
                    Poll::Ready(item) => batch.add(item, most),
                    Poll::Pending if batch.items.is_empty() => return Poll::Pending,
                    Poll::Pending => false,
                };
                // A stream that is always ready may compute each item.
                let first_came = first_came.get_or_insert_with(Instant::now);
                if !has_room || first_came.elapsed() >= GATHER {
                    return Poll::Ready(());
                }
            }
        })
        .await;
        batch
    }
}

impl fmt::Debug for ItemSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.may_block() { "Iterator" } else { "Stream" })
    }
}

thread_local! {
    /// The streams among the arguments that are being converted.
    static OUTGOING: Slot<Vec<ItemSource<'static>>> = const { RefCell::new(None) };
}

/// Runs `convert`, which converts arguments into values, and adds the streams among them
/// to `sources`. The number of a stream is its index there.
pub(crate) fn outgoing<T>(
    sources: &mut Vec<ItemSource<'static>>,
    convert: impl FnOnce() -> T,
) -> T {
    let (converted, left) = with_slot(&OUTGOING, std::mem::take(sources), convert);
    *sources = left.unwrap_or_default();
    converted
}

/// Takes a stream among the arguments, and returns its number; `None` outside the
/// conversion of arguments.
pub(super) fn send(source: ItemSource<'static>) -> Option<u64> {
    OUTGOING.with_borrow_mut(|outgoing| {
        let sources = outgoing.as_mut()?;
        sources.push(source);
        Some(sources.len() as u64 - 1)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::common::stream::Taken;

    #[test]
    fn batch_is_bounded_where_the_window_is_not() {
        let mut ready =
            ItemSource::Stream(Box::pin(futures_util::stream::repeat_with(|| Ok(Value::Null))));
        let batch = ready.wait(usize::MAX).now_or_never().expect("it is ready");
        assert_eq!((batch.items.len(), batch.ended.is_none()), (MOST, true));
        let mut quick = ItemSource::Iterator(Box::new(std::iter::repeat_with(|| Ok(Value::Null))));
        let gathered = Gathered::default();
        assert!(quick.gather(usize::MAX, &gathered).is_none());
        assert!((1..=MOST).contains(&gathered.take().len()));
    }

    #[test]
    fn slow_item_holds_back_none_that_was_made() {
        let gathered = Arc::<Gathered>::default();
        let (sent, items) = std::sync::mpsc::channel();
        let waiting = gathered.clone();
        let mut source = ItemSource::Iterator(Box::new(items.into_iter().inspect(move |_| {
            assert!(matches!(waiting.take_after(Duration::ZERO), Taken::None), "it was taken");
        })));
        let making = {
            let gathered = gathered.clone();
            std::thread::spawn(move || while source.gather(64, &gathered).is_none() {})
        };
        for number in 0..3 {
            assert!(matches!(gathered.take_after(Duration::ZERO), Taken::None));
            sent.send(Ok(Value::Int(number))).expect("it is received");
            // The iterator waits for the next one now.
            let taken = loop {
                match gathered.take_after(Duration::ZERO) {
                    Taken::Items(items) => break items,
                    _ => std::thread::yield_now(),
                }
            };
            assert_eq!(taken, [Value::Int(number)]);
        }
        drop(sent);
        making.join().expect("it ends");
    }

    #[test]
    fn slow_stream_is_not_gathered() {
        let slow = futures_util::stream::repeat_with(|| {
            std::thread::sleep(GATHER);
            Ok(Value::Null)
        });
        let mut slow = ItemSource::Stream(Box::pin(slow));
        let batch = slow.wait(64).now_or_never().expect("it is ready");
        assert!(batch.items.len() <= 2, "{}", batch.items.len());
    }
}
