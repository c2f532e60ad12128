//! The way back to the caller while its call runs: for streams of items, in either
//! direction.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::coop::consume_budget;

use crate::child::object::{Arguments, CallScope, in_place};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{IncomingItems, ItemSource, Stream};
use crate::common::value::Value;

/// The way back to the caller of one call. When the caller has gone the call is dropped,
/// so nothing here tells of that.
pub(crate) trait ReplyChannel: fmt::Debug + Send + Sync {
    /// Tells that the method has returned a stream.
    fn open(&self);

    /// Waits until items may be sent, and gives how many; 0 if none ever may.
    fn room(&self) -> BoxFuture<'_, usize>;

    /// Sends items, no more than there is room for, and tells `call_scope` of each that
    /// has gone out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] for an item that is larger than the limit.
    fn send<'a>(
        &'a self,
        items: Vec<Value>,
        scope: &'a Arc<dyn CallScope>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Starts to receive a stream that is among the arguments.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] if there is none.
    fn receive(&self, stream: u64) -> Result<IncomingItems>;
}

/// Sends the items of an iterator that a method has returned; `reply` makes a value of
/// each.
///
/// # Errors
///
/// The first that `reply` gives.
pub async fn send_iterator<I: Iterator + Send>(
    arguments: &Arguments,
    items: I,
    reply: impl Fn(I::Item) -> Result<Value> + Send,
) -> Result<Value> {
    pump(arguments, ItemSource::Iterator(Box::new(items.map(reply)))).await
}

/// Sends the items of a stream that a method has returned; `reply` makes a value of each.
///
/// # Errors
///
/// The first that `reply` gives.
pub async fn send_stream<S: futures_util::Stream + Send>(
    arguments: &Arguments,
    items: S,
    reply: impl Fn(S::Item) -> Result<Value> + Send,
) -> Result<Value> {
    use futures_util::StreamExt as _;
    pump(arguments, ItemSource::Stream(Box::pin(items.map(reply)))).await
}

/// Where the items of a stream come from that borrows nothing of its object, with the
/// arguments that make values of them.
#[derive(Debug)]
pub struct OwnedItems {
    arguments: Arguments,
    source: ItemSource<'static>,
}

impl OwnedItems {
    /// The items of an iterator.
    pub fn iterator<I: Iterator + Send + 'static>(
        arguments: Arguments,
        items: I,
        reply: fn(&Arguments, I::Item) -> Result<Value>,
    ) -> Self {
        let replying = arguments.for_items();
        OwnedItems {
            arguments,
            source: ItemSource::Iterator(Box::new(items.map(move |item| reply(&replying, item)))),
        }
    }

    /// The items of a stream.
    pub fn stream<S: futures_util::Stream + Send + 'static>(
        arguments: Arguments,
        items: S,
        reply: fn(&Arguments, S::Item) -> Result<Value>,
    ) -> Self {
        use futures_util::StreamExt as _;
        let replying = arguments.for_items();
        OwnedItems {
            arguments,
            source: ItemSource::Stream(Box::pin(items.map(move |item| reply(&replying, item)))),
        }
    }

    /// The items of one of ours.
    pub fn ours<T: serde::Serialize + 'static>(
        arguments: Arguments,
        items: Stream<T>,
        reply: fn(&Arguments, T) -> Result<Value>,
    ) -> Self {
        let (replying, handing_on) = (arguments.for_items(), arguments.for_items());
        let source = items
            .into_source(move |item| reply(&replying, item), move |item| handing_on.hand_on(item));
        OwnedItems { arguments, source }
    }

    /// Sends the items.
    ///
    /// # Errors
    ///
    /// Whatever ends them before their time.
    pub async fn send(self) -> Result<Value> {
        pump(&self.arguments, self.source).await
    }
}

/// Sends what a source makes, as it is allowed; the answer is the end.
async fn pump(arguments: &Arguments, mut source: ItemSource<'_>) -> Result<Value> {
    let scope = arguments.scope();
    let channel = scope
        .channel()
        .ok_or_else(|| Error::new(ErrorKind::BadArguments, "there is nobody to send items to"))?;
    channel.open();
    loop {
        let room = channel.room().await;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller allows no more items"));
        }
        let batch = match source.may_block() {
            true => in_place(|| source.gather(room)).await,
            false => {
                // One that is always ready would let nobody else have the thread.
                consume_budget().await;
                source.wait(room).await
            }
        };
        if !batch.items.is_empty() {
            channel.send(batch.items, scope).await?;
        }
        if let Some(ended) = batch.ended {
            return ended.map(|()| Value::Null);
        }
    }
}
