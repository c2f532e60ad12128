//! The arguments of a call as its caller hands them over.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{MAX_DEPTH, Value, to_value};

/// Arguments turned into values, one after the other; the first that cannot be is told when the call is made.
#[derive(Debug)]
pub struct Packed(Result<Vec<Value>>);

impl Packed {
    /// No arguments.
    #[must_use]
    pub fn new() -> Self {
        Packed(Ok(Vec::new()))
    }

    /// The items of a tuple or a list; `()` is none.
    #[must_use]
    pub(crate) fn items_of<T: Serialize + ?Sized>(arguments: &T) -> Self {
        // The tuple around the arguments is no level of theirs.
        Packed(match to_value(arguments, MAX_DEPTH + 1) {
            Ok(Value::Null) => Ok(Vec::new()),
            Ok(Value::Tuple(items)) => Ok(items),
            Ok(Value::List(items)) => Ok(items.into_iter().collect()),
            Ok(other) => {
                let message =
                    format!("the arguments of a call are a tuple, such as `(1,)`, and not {}", other.kind_name());
                Err(Error::new(ErrorKind::BadArguments, message))
            }
            Err(error) => Err(error),
        })
    }

    /// And one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(self, argument: &T) -> Self {
        Packed(self.0.and_then(|mut values| {
            values.push(to_value(argument, MAX_DEPTH)?);
            Ok(values)
        }))
    }

    pub(crate) fn into_values(self) -> Result<Vec<Value>> {
        self.0
    }
}

impl Default for Packed {
    fn default() -> Self {
        Packed::new()
    }
}
