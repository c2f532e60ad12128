//! Sends the items of a stream that a method returned.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::coop::consume_budget;

use crate::child::object::made_items::MadeItems;
use crate::child::object::{Arguments, STALL, in_place, stream_closed, unless_stalled};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{ItemSource, Stream};
use crate::common::value::Value;

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
    send_items(arguments, ItemSource::Iterator(Box::new(items.map(reply)))).await
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
    send_items(arguments, ItemSource::Stream(Box::pin(items.map(reply)))).await
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
    pub fn oad_stream<T: serde::Serialize + 'static>(
        arguments: Arguments,
        items: Stream<T>,
        reply: fn(&Arguments, T) -> Result<Value>,
    ) -> Self {
        let (replying, counting) = (arguments.for_items(), arguments.for_items());
        let source = items.into_source(
            move |item| reply(&replying, item),
            move |item| counting.count_handles(item),
        );
        OwnedItems { arguments, source }
    }

    /// Sends the items.
    ///
    /// # Errors
    ///
    /// Returns the error that ended the stream early.
    pub async fn send(self) -> Result<Value> {
        send_items(&self.arguments, self.source).await
    }
}

/// Sends the items of a source as the caller allows. The returned value is the response
/// of the call.
async fn send_items(arguments: &Arguments, mut source: ItemSource<'_>) -> Result<Value> {
    let scope = arguments.scope();
    let channel = scope.channel().ok_or_else(|| {
        Error::new(ErrorKind::BadArguments, "the call cannot receive a stream of items")
    })?;
    channel.open(false);
    let made = source.may_block().then(|| {
        let scope = Arc::clone(scope);
        MadeItems::new(Box::new(move |items| {
            let scope = Arc::clone(&scope);
            Box::pin(async move {
                match scope.channel() {
                    Some(channel) => channel.send(items, &scope).await,
                    None => Ok(()),
                }
            })
        }))
    });
    loop {
        let room = unless_stalled(&**scope, channel.room()).await?;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller stopped the stream"));
        }
        let begun = Instant::now();
        let ended = match &made {
            Some(made) => {
                let ended = in_place(|| source.gather(room, made.gathered())).await;
                made.send().await?;
                ended
            }
            None => {
                // A source that is always ready must yield to other tasks.
                consume_budget().await;
                let batch = unless_stalled(&**scope, source.wait(room)).await?;
                if !batch.items.is_empty() {
                    channel.send(batch.items, scope).await?;
                }
                batch.ended
            }
        };
        if let Some(ended) = ended {
            return ended.map(|()| Value::Null);
        }
        // The code of an iterator cannot be interrupted.
        if begun.elapsed() > STALL && scope.is_ending() {
            return Err(stream_closed());
        }
    }
}
