//! The channel back to the caller while its call runs, for streams of items in either
//! direction.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::task::coop::consume_budget;

use crate::child::object::{Arguments, CallScope, in_place};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{IncomingItems, ItemSource, Stream};
use crate::common::value::Value;

/// The channel back to the caller of one call. When the caller goes away the call is
/// dropped, so no method here reports that.
pub(crate) trait ReplyChannel: fmt::Debug + Send + Sync {
    /// Announces that the method has returned a stream.
    fn open(&self);

    /// Waits until items may be sent and returns how many; 0 if the caller wants no more.
    fn room(&self) -> BoxFuture<'_, usize>;

    /// Sends items, at most as many as `room` returned, and notes in `scope` the handles
    /// of each item that has been sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if an item is larger than the limit.
    fn send<'a>(
        &'a self,
        items: Vec<Value>,
        scope: &'a Arc<dyn CallScope>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Starts to receive a stream that is an argument.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] if the caller has no such stream.
    fn receive(&self, stream: u64) -> Result<IncomingItems>;
}

/// Sends the items of an iterator that a method returned; `reply` converts each item.
///
/// # Errors
///
/// Returns the first error of `reply`, or an error if the items cannot be sent.
pub async fn send_iterator<I: Iterator + Send>(
    arguments: &Arguments,
    items: I,
    reply: impl Fn(I::Item) -> Result<Value> + Send,
) -> Result<Value> {
    pump(arguments, ItemSource::Iterator(Box::new(items.map(reply)))).await
}

/// Sends the items of a stream that a method returned; `reply` converts each item.
///
/// # Errors
///
/// Returns the first error of `reply`, or an error if the items cannot be sent.
pub async fn send_stream<S: futures_util::Stream + Send>(
    arguments: &Arguments,
    items: S,
    reply: impl Fn(S::Item) -> Result<Value> + Send,
) -> Result<Value> {
    use futures_util::StreamExt as _;
    pump(arguments, ItemSource::Stream(Box::pin(items.map(reply)))).await
}

/// The source of a stream that does not borrow its object, with the arguments that
/// convert its items.
#[derive(Debug)]
pub struct OwnedItems {
    arguments: Arguments,
    source: ItemSource<'static>,
}

impl OwnedItems {
    /// Wraps an iterator.
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

    /// Wraps a [`futures_util::Stream`].
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

    /// Wraps an oad [`Stream`].
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
    /// Returns the error that ended the stream early.
    pub async fn send(self) -> Result<Value> {
        pump(&self.arguments, self.source).await
    }
}

/// Sends the items of a source as the caller allows. The returned value is the response
/// of the call.
async fn pump(arguments: &Arguments, mut source: ItemSource<'_>) -> Result<Value> {
    let scope = arguments.scope();
    let channel = scope.channel().ok_or_else(|| {
        Error::new(ErrorKind::BadArguments, "the call cannot receive a stream of items")
    })?;
    channel.open();
    loop {
        let room = channel.room().await;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller stopped the stream"));
        }
        let batch = match source.may_block() {
            true => in_place(|| source.gather(room)).await,
            false => {
                // A source that is always ready must yield to other tasks.
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
