//! What a call of a Python object can return.

use serde::de::DeserializeOwned;

use crate::common::error::Result;
use crate::common::stream::StreamItem;

/// What a call of a Python object can return: any `serde` type, or a [`PythonProxy`].
///
/// It is implemented for all of them; there is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from what a Python object returns",
    note = "ask for a type that implements `serde::Deserialize`, such as `String` or `Vec<f64>`, or for an `oad::PythonProxy`; inside another type a proxy is an `oad::Proxy`"
)]
pub trait FromPython: StreamItem {
    /// What is read from the response first.
    #[doc(hidden)]
    type Read: DeserializeOwned;

    /// Converts it.
    #[doc(hidden)]
    fn from_read(read: Self::Read) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromPython for T {
    type Read = T;

    fn from_read(read: T) -> Result<Self> {
        Ok(read)
    }
}
