//! The objects that a call can name and hand out: the way from a handle to an object, and
//! back.
//!
//! A [`Shared`](crate::Shared) object is a serde type like any other, and serde hands no
//! context down. So the call that reads its arguments or writes its answer puts what it
//! can reach where the type finds it: beside the thread, for as long as that takes.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::child::object::{ObjectRef, ReplyChannel};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::scoped::{Slot, with_slot};
use crate::common::stream::{Context, IncomingItems, finding};
use crate::common::value::{Handle, Value};

/// What one call can reach.
pub(crate) trait CallScope: fmt::Debug + Send + Sync {
    /// Finds the object of a handle that the caller has sent.
    fn find(&self, handle: &Handle) -> Result<ObjectRef>;

    /// Gives a handle of an object for a value that is being made. It holds the object
    /// until that [has been](CallScope::made).
    fn hand_out(&self, object: &ObjectRef) -> Handle;

    /// Counts the handles in a value as received by the caller, whoever has put them
    /// there. They are taken back at the call's end, unless the value is
    /// [sent](CallScope::note_sent) before.
    fn hand_over(&self, value: &Value);

    /// A value has been made, or could not be.
    fn made(&self);

    /// Takes note that a value with these handles has gone out.
    fn note_sent(&self, handles: &[Handle]);

    /// The way back to the caller, if it can take streams.
    fn channel(&self) -> Option<&dyn ReplyChannel>;

    /// The daemon that all this is in.
    fn daemon(&self) -> Uuid;

    /// How many levels deep a value may be nested.
    fn depth_limit(&self) -> usize;

    /// How large a message may be, in bytes.
    fn message_limit(&self) -> usize;
}

thread_local! {
    static SCOPE: Slot<Arc<dyn CallScope>> = const { RefCell::new(None) };
}

/// Converts values while what `call_scope` names can be found.
pub(super) fn within<T>(scope: &Arc<dyn CallScope>, convert: impl FnOnce() -> T) -> T {
    with_slot(&SCOPE, Arc::clone(scope), || finding(find_stream, convert)).0
}

/// Starts to receive a stream of the call whose values are being converted.
fn find_stream(number: u64) -> Result<IncomingItems> {
    let none = || Error::new(ErrorKind::BadArguments, "a stream can only be given over a session");
    let scope = current().ok_or_else(none)?;
    let incoming = scope.channel().ok_or_else(none)?.receive(number)?;
    Ok(incoming.in_context(Arc::new(Streams(scope))))
}

/// What the items of a stream among the arguments are read in.
#[derive(Debug)]
struct Streams(Arc<dyn CallScope>);

/// The items of such a stream may name objects too.
impl Context for Streams {
    fn within(&self, _: &Value, read: &mut dyn FnMut()) {
        within(&self.0, read);
    }
}

/// What the conversion under way can reach, if it is one of a call's.
pub(super) fn current() -> Option<Arc<dyn CallScope>> {
    SCOPE.with_borrow(Clone::clone)
}
