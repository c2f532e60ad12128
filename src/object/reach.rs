//! The objects that a call can name and hand out: the way from a handle to an object, and back.
//!
//! A [`Shared`](crate::Shared) object is a serde type like any other, and serde hands no context down. So the call that reads its arguments or writes its
//! answer puts what it can reach where the type finds it: beside the thread, for as long as that takes.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Line, Living};
use crate::stream::{Context, Incoming, finding};
use crate::value::{Handle, Value};

/// What one call can reach.
pub(crate) trait Reach: fmt::Debug + Send + Sync {
    /// Finds the object of a handle that the caller has sent.
    fn find(&self, handle: &Handle) -> Result<Living>;

    /// Gives a handle of an object for a value that is being made. It holds the object until that [has been](Reach::made).
    fn hand_out(&self, object: &Living) -> Handle;

    /// Counts the handles in a value as received by the caller, whoever has put them there. They are taken back at the call's end, unless the value is
    /// [sent](Reach::note_sent) before.
    fn hand_over(&self, value: &Value);

    /// A value has been made, or could not be.
    fn made(&self);

    /// Takes note that a value with these handles has gone out.
    fn note_sent(&self, handles: &[Handle]);

    /// The way back to the caller, if it can take streams.
    fn line(&self) -> Option<&dyn Line>;

    /// The daemon that all this is in.
    fn daemon(&self) -> Uuid;

    /// How many levels deep a value may be nested.
    fn depth_limit(&self) -> usize;

    /// How large a message may be, in bytes.
    fn message_limit(&self) -> usize;
}

thread_local! {
    static REACH: RefCell<Option<Arc<dyn Reach>>> = const { RefCell::new(None) };
}

/// Converts values while what `reach` names can be found.
pub(super) fn within<T>(reach: &Arc<dyn Reach>, convert: impl FnOnce() -> T) -> T {
    let _outer = Restore(REACH.replace(Some(Arc::clone(reach))));
    finding(find_stream, convert)
}

/// Starts to receive a stream of the call whose values are being converted.
fn find_stream(number: u64) -> Result<Incoming> {
    let none = || Error::new(ErrorKind::BadArguments, "a stream can only be given over a session");
    let reach = current().ok_or_else(none)?;
    let incoming = reach.line().ok_or_else(none)?.receive(number)?;
    Ok(incoming.in_context(Arc::new(Streams(reach))))
}

/// What the items of a stream among the arguments are read in.
#[derive(Debug)]
struct Streams(Arc<dyn Reach>);

/// The items of such a stream may name objects too.
impl Context for Streams {
    fn within(&self, _: &Value, read: &mut dyn FnMut()) {
        within(&self.0, read);
    }
}

/// What the conversion under way can reach, if it is one of a call's.
pub(super) fn current() -> Option<Arc<dyn Reach>> {
    REACH.with_borrow(Clone::clone)
}

/// Also when the conversion panics: it is the object's own code too.
struct Restore(Option<Arc<dyn Reach>>);

impl Drop for Restore {
    fn drop(&mut self) {
        REACH.set(self.0.take());
    }
}
