//! The arguments of a call as its caller hands them over.

use serde::Serialize;

use crate::error::Result;
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
