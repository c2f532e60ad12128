//! Streams of items between a caller and a daemon, in either direction.
//!
//! [`Stream`] is what both ends hold. Who makes the items is a [`ItemSource`], which is
//! asked for no more than was allowed; what arrives waits in an [`Inbound`] until its
//! [`IncomingItems`] takes it, and allows more. Deliberately absent: frames and ids,
//! which are the client's and the session's.

mod credit;
mod inbound;
mod source;

pub(crate) use credit::Credit;
pub(crate) use inbound::{Context, Inbound, IncomingItems, ProducerControl, WINDOW};
pub(crate) use source::{Batch, ItemSource, outgoing};

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};

use futures_util::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::park::wait;
use crate::common::scoped::{Slot, with_slot};
use crate::common::value::{Held, StreamNumber, Value, from_value, holding, to_value};

/// A stream of items between a caller and a daemon.
///
/// Where a method returns an iterator or a stream, its caller has a `Stream`; where a
/// method takes a `Stream`, its caller gives one, made by [`Stream::iter`] or
/// [`Stream::new`]. Items travel as they are made, but no more than 64 of them before
/// they are taken: a slow consumer holds its producer, and nothing else. Dropping a
/// stream ends the making of its items.
///
/// It is also a `Stream` as the `futures` crates know it, and its items are `Result`s:
/// the method's own failure, or the daemon's death, is the last of them.
///
/// ```no_run
/// # struct Log;
/// #[oad::object]
/// impl Log {
///     fn new() -> Self {
///         Log
///     }
///
///     // LogProxy::lines(&self) -> oad::Call<oad::Stream<String>>
///     fn lines(&self) -> impl Iterator<Item = String> + Send {
///         (1..).map(|number| format!("line {number}"))
///     }
///
///     // LogProxy::write(&self, lines: oad::Stream<String>) -> oad::Call<usize>
///     async fn write(&mut self, mut lines: oad::Stream<String>) -> oad::Result<usize> {
///         let mut count = 0;
///         while let Some(line) = lines.next().await {
///             count += line?.len();
///         }
///         Ok(count)
///     }
/// }
///
/// # async fn example() -> oad::Result<()> {
/// let log = LogProxy::new().await?;
/// let mut lines = log.lines().await?;
/// while let Some(line) = lines.next().await {
///     println!("{}", line?);
/// }
/// let written = log.write(oad::Stream::iter(["a".to_owned(), "b".to_owned()])).await?;
/// # Ok(()) }
/// ```
pub struct Stream<T>(Mutex<StreamState<T>>);

enum StreamState<T> {
    /// It comes from the other process.
    Incoming(IncomingItems),
    /// It was made here.
    Iterator(Box<dyn Iterator<Item = T> + Send>),
    /// It was made here.
    Stream(Pin<Box<dyn futures_util::Stream<Item = T> + Send>>),
    /// It was given to a call, or has failed.
    Gone,
}

impl<T> Stream<T> {
    /// A stream of the items of an iterator. If it is given to a call, the iterator runs
    /// on threads that may block; one that blocks for ever keeps its thread, and with it
    /// the end of the async runtime that it belongs to, as `tokio::task::spawn_blocking`
    /// does.
    ///
    /// The proxies among its items are held until the call has ended, however long that
    /// takes: to send very many, make more than one call.
    pub fn iter<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        Stream(Mutex::new(StreamState::Iterator(Box::new(items.into_iter()))))
    }

    /// A stream of the items of another, as the `futures` crates know it. If it is given
    /// to a call, it is polled by the async runtime that carries the daemon's connection;
    /// if the daemon was made where there was none, that is oad's own, which has one
    /// thread, and what blocks there holds up every daemon.
    ///
    /// The proxies among its items are held until the call has ended, as by
    /// [`Stream::iter`].
    pub fn new(items: impl futures_util::Stream<Item = T> + Send + 'static) -> Self {
        Stream(Mutex::new(StreamState::Stream(Box::pin(items))))
    }

    fn take(&self) -> StreamState<T> {
        std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            StreamState::Gone,
        )
    }
}

impl<T: DeserializeOwned> Stream<T> {
    /// The next item; `None` after the last.
    ///
    /// # Errors
    ///
    /// Whatever has ended the stream, as its last item: the exception of the method that
    /// makes the items, or what keeps them from coming.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no item.
    pub async fn next(&mut self) -> Option<Result<T>> {
        StreamExt::next(self).await
    }

    /// As [`next`](Stream::next), in a sync function: the thread waits. In an async one
    /// it would hold up others.
    pub fn blocking_next(&mut self) -> Option<Result<T>> {
        wait(self.next())
    }

    /// The items as an iterator, in a sync function; see
    /// [`blocking_next`](Stream::blocking_next).
    pub fn blocking_iter(mut self) -> impl Iterator<Item = Result<T>> + Send {
        std::iter::from_fn(move || self.blocking_next())
    }

    /// All items, when the last has come: `stream.collect::<Vec<_>>()`.
    ///
    /// # Errors
    ///
    /// Whatever has ended the stream before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses what has come.
    pub async fn collect<C: Default + Extend<T>>(self) -> Result<C> {
        TryStreamExt::try_collect(self).await
    }
}

impl<T: DeserializeOwned> futures_util::Stream for Stream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        let kind = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let incoming = match kind {
            StreamState::Incoming(incoming) => incoming,
            StreamState::Iterator(items) => return Poll::Ready(items.next().map(Ok)),
            StreamState::Stream(items) => {
                return items.as_mut().poll_next(cx).map(|item| item.map(Ok));
            }
            StreamState::Gone => return Poll::Ready(None),
        };
        let item = ready!(incoming.poll_next(cx)).map(|value| {
            value
                .and_then(|value| incoming.read(value, from_value))
                .map_err(|error| incoming.explain(error))
        });
        if let Some(Err(_)) = &item {
            // Nothing comes after a failure; and what was not read as a `T` would go on
            // for nobody.
            *kind = StreamState::Gone;
        }
        Poll::Ready(item)
    }
}

/// As the caller of a method gives it; nowhere else.
impl<T: Serialize + 'static> Serialize for Stream<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // What the items name is held as long as the source, which is as long as the
        // call.
        let mut held = Held::new();
        let value = move |item: T| holding(&mut held, || to_value(&item));
        let source = match self.take() {
            StreamState::Iterator(items) => ItemSource::Iterator(Box::new(items.map(value))),
            StreamState::Stream(items) => ItemSource::Stream(Box::pin(items.map(value))),
            StreamState::Incoming(incoming) => ItemSource::Stream(Box::pin(incoming.handed_on())),
            StreamState::Gone => {
                return Err(ser::Error::custom("the stream was given to a call already"));
            }
        };
        match source::send(source) {
            Some(number) => StreamNumber(number).serialize(serializer),
            None => Err(ser::Error::custom(
                "a stream is an argument of a call, or what a method returns, and in nothing else",
            )),
        }
    }
}

/// As the answer of a call, or among the arguments of a method; nowhere else.
impl<'de, T> Deserialize<'de> for Stream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let StreamNumber(number) = StreamNumber::deserialize(deserializer)?;
        let found = match LOOKUP.with_borrow(|lookup| *lookup) {
            Some(find) => find(number),
            None => Err(Error::new(ErrorKind::WrongType, "a stream can only be read from a call")),
        };
        found
            .map(|incoming| Stream(Mutex::new(StreamState::Incoming(incoming))))
            .map_err(de::Error::custom)
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl<T: Serialize + 'static> Stream<T> {
    /// The items to be sent, for a method that returns a stream; `reply` makes a value of
    /// each, and `hand_on` is told of each that is one already.
    pub(crate) fn into_source(
        self,
        reply: impl Fn(T) -> Result<Value> + Send + 'static,
        hand_on: impl Fn(&Value) + Send + 'static,
    ) -> ItemSource<'static> {
        match self.take() {
            StreamState::Iterator(items) => ItemSource::Iterator(Box::new(items.map(reply))),
            StreamState::Stream(items) => ItemSource::Stream(Box::pin(items.map(reply))),
            StreamState::Incoming(incoming) => {
                ItemSource::Stream(Box::pin(incoming.inspect_ok(hand_on)))
            }
            StreamState::Gone => ItemSource::Iterator(Box::new(std::iter::empty())),
        }
    }
}

/// Starts to receive the stream of a number, in the call whose values are being read. No
/// closure, because one for each argument of each call costs.
pub(crate) type IncomingLookup = fn(u64) -> Result<IncomingItems>;

thread_local! {
    static LOOKUP: Slot<IncomingLookup> = const { RefCell::new(None) };
}

/// Reads values while the streams in them can be found.
pub(crate) fn finding<T>(find: IncomingLookup, read: impl FnOnce() -> T) -> T {
    with_slot(&LOOKUP, find, read).0
}
