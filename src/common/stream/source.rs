//! The making end of a stream: where its items come from.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::Stream;

use crate::common::error::Result;
use crate::common::scoped::{Slot, with_slot};
use crate::common::value::Value;

/// How long items are gathered before they are sent together.
const GATHER: Duration = Duration::from_micros(200);

/// How many are sent together at the most, whatever the window is: they are held
/// meanwhile, and so is what else the thread has to do.
const MOST: usize = 256;

/// Where the items of a stream come from.
pub(crate) enum ItemSource<'a> {
    /// One that may block.
    Iterator(Box<dyn Iterator<Item = Result<Value>> + Send + 'a>),
    /// One that waits.
    Stream(Pin<Box<dyn Stream<Item = Result<Value>> + Send + 'a>>),
}

/// Items that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Value>,
    /// Whether these are the last, and why if it is not the end.
    pub(crate) ended: Option<Result<()>>,
}

impl Batch {
    /// Adds what has come; gives whether there is room for more.
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

    /// The next items, at most so many: those that an iterator makes within a moment.
    /// Only for one that [may block](Source::may_block).
    pub(crate) fn gather(&mut self, most: usize) -> Batch {
        let mut batch = Batch::default();
        if let ItemSource::Iterator(items) = self {
            let started = Instant::now();
            while batch.add(items.next(), most) && started.elapsed() < GATHER {}
        }
        batch
    }

    /// The next items, at most so many: waits for one and takes what else is there. Only
    /// for one that does not block.
    pub(crate) async fn wait(&mut self, most: usize) -> Batch {
        let mut batch = Batch::default();
        let ItemSource::Stream(items) = self else { return batch };
        poll_fn(|cx| {
            loop {
                let has_room = match items.as_mut().poll_next(cx) {
                    Poll::Ready(item) => batch.add(item, most),
                    Poll::Pending if batch.items.is_empty() => return Poll::Pending,
                    Poll::Pending => false,
                };
                if !has_room {
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
    /// The streams among the arguments that are being packed.
    static OUTGOING: Slot<Vec<ItemSource<'static>>> = const { RefCell::new(None) };
}

/// Runs `pack`, which turns arguments into values, and adds the streams among them to
/// `sources`; their numbers are their places.
pub(crate) fn outgoing<T>(sources: &mut Vec<ItemSource<'static>>, pack: impl FnOnce() -> T) -> T {
    let (packed, left) = with_slot(&OUTGOING, std::mem::take(sources), pack);
    *sources = left.unwrap_or_default();
    packed
}

/// Takes a stream that is being packed, and gives its number; `None` if nothing is being
/// packed.
pub(super) fn send(source: ItemSource<'static>) -> Option<u64> {
    OUTGOING.with_borrow_mut(|outgoing| {
        let sources = outgoing.as_mut()?;
        sources.push(source);
        Some(sources.len() as u64 - 1)
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn batch_is_bounded_where_the_window_is_not() {
        let mut ready =
            ItemSource::Stream(Box::pin(futures_util::stream::repeat_with(|| Ok(Value::Null))));
        let batch = ready.wait(usize::MAX).now_or_never().expect("it is ready");
        assert_eq!((batch.items.len(), batch.ended.is_none()), (MOST, true));
        let mut quick = ItemSource::Iterator(Box::new(std::iter::repeat_with(|| Ok(Value::Null))));
        assert!(quick.gather(usize::MAX).items.len() <= MOST);
    }
}
