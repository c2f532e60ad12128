//! The arguments of a call as its caller hands them over.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{MAX_DEPTH, Value, to_value};

/// Arguments turned into values, one after the other; the first that cannot be is told when the call is made.
#[derive(Default)]
pub struct Packed {
    values: Vec<Value>,
    failed: Option<Error>,
    held: Held,
}

/// What the arguments name and must not go before the call is answered.
pub(crate) type Held = Vec<Arc<dyn Any + Send + Sync>>;

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Vec::new()) };
}

/// Keeps what an argument names until its call is answered; for the `Serialize` of such an argument.
pub(crate) fn hold(named: Arc<dyn Any + Send + Sync>) {
    HELD.with_borrow_mut(|held| held.push(named));
}

impl Packed {
    /// No arguments.
    #[must_use]
    pub fn new() -> Self {
        Packed::default()
    }

    /// The items of a tuple or a list; `()` is none.
    #[must_use]
    pub(crate) fn items_of<T: Serialize + ?Sized>(arguments: &T) -> Self {
        let mut packed = Packed::new();
        // The tuple around the arguments is no level of theirs.
        match packed.convert(arguments, MAX_DEPTH + 1) {
            Ok(Value::Null) => {}
            Ok(Value::Tuple(items)) => packed.values = items,
            Ok(Value::List(items)) => packed.values = items.into_iter().collect(),
            Ok(other) => {
                let message =
                    format!("the arguments of a call are a tuple, such as `(1,)`, and not {}", other.kind_name());
                packed.failed = Some(Error::new(ErrorKind::BadArguments, message));
            }
            Err(error) => packed.failed = Some(error),
        }
        packed
    }

    /// And one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, argument: &T) -> Self {
        if self.failed.is_none() {
            match self.convert(argument, MAX_DEPTH) {
                Ok(value) => self.values.push(value),
                Err(error) => self.failed = Some(error),
            }
        }
        self
    }

    fn convert<T: Serialize + ?Sized>(&mut self, argument: &T, depth_limit: usize) -> Result<Value> {
        // What somebody's own conversion has left there is not of this call.
        HELD.take();
        let value = to_value(argument, depth_limit);
        self.held.append(&mut HELD.take());
        value
    }

    /// The values, and what must be held until the call is answered.
    pub(crate) fn into_parts(self) -> Result<(Vec<Value>, Held)> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.values, self.held)),
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("values", &self.values).field("failed", &self.failed).finish_non_exhaustive()
    }
}
