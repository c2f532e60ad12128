//! Streams of items between a caller and a daemon, in either direction.
//!
//! Both ends hold a [`Stream`]. An [`ItemSource`] produces the items, as many as its
//! [`Credit`] allows. Items that arrive wait in an [`Inbound`] until [`IncomingItems`]
//! takes them and grants more. Frames and ids are not here; they belong to the client and
//! the session.

mod credit;
mod gathered;
mod inbound;
mod source;
mod window;

pub(crate) use credit::Credit;
pub(crate) use gathered::{Gathered, Taken};
pub(crate) use inbound::{Context, Inbound, IncomingItems, ItemsHold, ProducerControl};
pub(crate) use source::{Batch, ItemSource, outgoing};
pub(crate) use window::Window;

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
use crate::common::value::{
    Held, StreamNumber, Value, before_writing, drop_written, from_value, holding, to_value,
};

/// A stream of items between a caller and a daemon.
///
/// If a method returns an iterator or a stream, its caller receives a `Stream`. If a
/// method takes a `Stream`, its caller passes one, created with [`Stream::iter`] or
/// [`Stream::new`]. Items travel as they are produced, but not many of them before they
/// are taken: 64 at first, and up to 1,024 or about 8 MiB while their consumer waits for
/// them. So a slow consumer slows down its producer, and nothing else. Dropping a stream
/// stops its producer.
///
/// It implements the `Stream` trait of the `futures` crates, and its items are `Result`s.
/// An error of the method, or the death of the daemon, is the last item.
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
    /// Its items come from the other process.
    Incoming(IncomingItems),
    /// Its items are produced here by an iterator.
    Iterator(Box<dyn Iterator<Item = T> + Send>),
    /// Its items are produced here by a stream.
    Stream(Pin<Box<dyn futures_util::Stream<Item = T> + Send>>),
    /// It was passed to a call, or has failed.
    Gone,
}

/// What an item of a [`Stream`] can be read as: any type that implements
/// `serde::Deserialize`, or an `oad::PythonProxy`.
pub trait StreamItem: Sized {
    #[doc(hidden)]
    fn from_item(item: Value) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> StreamItem for T {
    fn from_item(item: Value) -> Result<Self> {
        from_value(item)
    }
}

impl<T> Stream<T> {
    /// Creates a stream of the items of an iterator.
    ///
    /// In a call, the iterator runs on threads that may block. If it blocks forever, the
    /// async runtime that the thread belongs to cannot end, as with
    /// `tokio::task::spawn_blocking`.
    ///
    /// The proxies among its items are held until the call has ended, however long that
    /// takes. To send very many, make more than one call.
    pub fn iter<I>(items: I) -> Self
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        Stream(Mutex::new(StreamState::Iterator(Box::new(items.into_iter()))))
    }

    /// Creates a stream of the items of a stream of the `futures` crates.
    ///
    /// In a call, it is polled by the async runtime that carries the connection to the
    /// daemon. If the daemon was created outside a runtime, that is oad's own runtime,
    /// which has one thread: a stream that blocks there holds up every daemon.
    ///
    /// The proxies among its items are held until the call has ended, as with
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

impl<T: StreamItem> Stream<T> {
    /// Returns the next item; `None` after the last.
    ///
    /// # Errors
    ///
    /// The error that has ended the stream, as its last item: the exception of the method
    /// that produces the items, or a failure on the way.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no item.
    pub async fn next(&mut self) -> Option<Result<T>> {
        StreamExt::next(self).await
    }

    /// Returns the next item, as [`next`](Stream::next) does, and blocks the thread
    /// meanwhile. Not for async functions.
    pub fn blocking_next(&mut self) -> Option<Result<T>> {
        wait(self.next())
    }

    /// Returns the items as an iterator that blocks the thread, as
    /// [`blocking_next`](Stream::blocking_next) does.
    pub fn blocking_iter(mut self) -> impl Iterator<Item = Result<T>> + Send {
        std::iter::from_fn(move || self.blocking_next())
    }

    /// Waits for the end of the stream and returns all items:
    /// `stream.collect::<Vec<_>>()`.
    ///
    /// # Errors
    ///
    /// The error that has ended the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses the items that have come.
    pub async fn collect<C: Default + Extend<T>>(self) -> Result<C> {
        TryStreamExt::try_collect(self).await
    }
}

impl<T: StreamItem> futures_util::Stream for Stream<T> {
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
                .and_then(|value| incoming.read(value, T::from_item))
                .map_err(|error| incoming.explain(error))
        });
        if let Some(Err(_)) = &item {
            // Nothing comes after an error. If an item could not be read as a `T`, this
            // stops the producer.
            *kind = StreamState::Gone;
        }
        Poll::Ready(item)
    }
}

/// Only as an argument of a call.
impl<T: Serialize + 'static> Serialize for Stream<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        // The source holds the objects that the items refer to, and lives as long as the
        // call.
        let mut held = Held::new();
        let value = move |item: T| {
            before_writing();
            let value = holding(&mut held, || to_value(&item));
            drop_written(item);
            value
        };
        let source = match self.take() {
            StreamState::Iterator(items) => ItemSource::Iterator(Box::new(items.map(value))),
            StreamState::Stream(items) => ItemSource::Stream(Box::pin(items.map(value))),
            StreamState::Incoming(incoming) => ItemSource::Stream(Box::pin(incoming.unread())),
            StreamState::Gone => {
                return Err(ser::Error::custom("the stream was passed to a call already"));
            }
        };
        match source::send(source) {
            Some(number) => StreamNumber(number).serialize(serializer),
            None => Err(ser::Error::custom(
                "a stream can only be an argument of a call or the result of a method",
            )),
        }
    }
}

/// Only from the response of a call, or as an argument of a method.
impl<'de, T> Deserialize<'de> for Stream<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let StreamNumber(number) = StreamNumber::deserialize(deserializer)?;
        let found = match LOOKUP.with_borrow(|lookup| *lookup) {
            Some(find) => find(number),
            None => Err(Error::new(
                ErrorKind::WrongType,
                "a stream can only be read from the response of a call",
            )),
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
    /// Returns the items to be sent, for a method that returns a stream. `reply` converts
    /// each item into a value; `hand_on` is called with each item that already is one.
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

/// Starts to receive the stream with a number, in the call whose values are being read. A
/// plain function, because a closure would have to be made for each argument of each
/// call.
pub(crate) type IncomingLookup = fn(u64) -> Result<IncomingItems>;

thread_local! {
    static LOOKUP: Slot<IncomingLookup> = const { RefCell::new(None) };
}

/// Runs `read`, which reads values, with the streams in them being found by `find`.
pub(crate) fn finding<T>(find: IncomingLookup, read: impl FnOnce() -> T) -> T {
    with_slot(&LOOKUP, find, read).0
}
