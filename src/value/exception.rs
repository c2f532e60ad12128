//! The value of an error that an object raised.

use serde::de::DeserializeOwned;

use crate::error::Exception;
use crate::value::{Value, from_value};

impl Exception {
    /// The error itself, if its type could be serialized in the daemon and is a `T` here.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        let value = self.value.as_ref()?.downcast_ref::<Value>()?;
        from_value(value.clone()).ok()
    }
}
