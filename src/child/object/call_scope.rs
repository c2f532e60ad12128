//! The objects that a call can refer to: maps handles to objects and back.
//!
//! A [`Shared`](crate::Shared) object is an ordinary serde type, and serde passes no
//! context. So a call that converts its arguments or its result puts its scope into a
//! thread-local for the duration of the conversion.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::child::object::ObjectRef;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::scoped::{Slot, with_slot};
use crate::common::stream::{Context, IncomingItems, finding};
use crate::common::value::{Handle, Value};

/// How long a stream may wait for its items, or for room for them, when the daemon has
/// been asked to end. One that waits longer is idle or not read, and would take the whole
/// grace. Others may come to their end.
pub(crate) const STALL: Duration = Duration::from_millis(100);

/// The objects and the reply channel that one call has access to.
pub(crate) trait CallScope: fmt::Debug + Send + Sync {
    /// Returns the object of a handle that the caller sent.
    fn find(&self, handle: &Handle) -> Result<ObjectRef>;

    /// Returns a handle of an object for a value that is being built. The object is kept
    /// until that value [has been built](CallScope::made).
    fn hand_out(&self, object: &ObjectRef) -> Handle;

    /// Counts the handles in a value as received by the caller, whoever created them.
    /// They are released at the end of the call unless the value is
    /// [sent](CallScope::note_sent) before.
    fn count_handles(&self, value: &Value);

    /// Notes that a value has been built, or could not be.
    fn made(&self);

    /// Notes that a value with these handles has been sent.
    fn note_sent(&self, handles: &[Handle]);

    /// Releases the handles of a value that was noted as sent, but did not reach the
    /// caller.
    fn release(&self, handles: &[Handle]);

    /// Returns the reply channel, if the caller supports streams.
    fn channel(&self) -> Option<&dyn ReplyChannel>;

    /// Whether the daemon has been asked to end.
    fn is_ending(&self) -> bool;

    /// Waits until the daemon has been asked to end, and [`STALL`] longer.
    fn stalled(&self) -> BoxFuture<'static, ()>;

    /// Returns the UUID of the daemon.
    fn daemon(&self) -> Uuid;

    /// Returns how many levels deep a value may be nested.
    fn depth_limit(&self) -> usize;

    /// Returns the largest size of a message, in bytes.
    fn message_limit(&self) -> usize;
}

/// The channel back to the caller of one call. When the caller goes away the call is
/// dropped, so no method here reports that.
pub(crate) trait ReplyChannel: fmt::Debug + Send + Sync {
    /// Announces that the method has returned a stream, and whether an item should be
    /// made only when the caller waits for it.
    fn open(&self, is_on_demand: bool);

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

thread_local! {
    static SCOPE: Slot<Arc<dyn CallScope>> = const { RefCell::new(None) };
}

/// Runs `convert` with `scope` as the current scope of this thread.
pub(super) fn within<T>(scope: &Arc<dyn CallScope>, convert: impl FnOnce() -> T) -> T {
    with_slot(&SCOPE, Arc::clone(scope), || finding(receive_stream, convert)).0
}

/// Starts to receive a stream argument of the call whose values are being converted.
fn receive_stream(number: u64) -> Result<IncomingItems> {
    let no_session = || {
        Error::new(
            ErrorKind::BadArguments,
            "a stream can only be an argument of a call in a session",
        )
    };
    let scope = current().ok_or_else(no_session)?;
    let incoming = scope.channel().ok_or_else(no_session)?.receive(number)?;
    Ok(incoming.in_context(Arc::new(StreamContext(scope))))
}

/// Waits for the next step of a stream.
///
/// # Errors
///
/// [`ErrorKind::Closed`] if the daemon ends meanwhile and the step takes longer than
/// [`STALL`].
pub(crate) async fn unless_stalled<T>(
    scope: &dyn CallScope,
    step: impl Future<Output = T>,
) -> Result<T> {
    tokio::select! {
        biased;
        done = step => Ok(done),
        () = scope.stalled() => Err(stream_closed()),
    }
}

/// The error of a stream that the end of the daemon has cut short.
pub(crate) fn stream_closed() -> Error {
    Error::new(ErrorKind::Closed, "the daemon is shutting down, and the stream was idle")
}

/// The context in which the items of a stream argument are converted.
#[derive(Debug)]
struct StreamContext(Arc<dyn CallScope>);

/// The items may refer to objects too.
impl Context for StreamContext {
    fn within(&self, _: &Value, read: &mut dyn FnMut()) {
        within(&self.0, read);
    }
}

/// Returns the scope of the current conversion, if it belongs to a call.
pub(super) fn current() -> Option<Arc<dyn CallScope>> {
    SCOPE.with_borrow(Clone::clone)
}
