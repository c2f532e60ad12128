//! The errors of interface methods, when a proxy implements the interface.
//!
//! A call can fail in the daemon or on the way, and the error must become the method's
//! own error type. Generated code knows that type, but not which traits it implements.
//! Method lookup finds out, as in `object/raise.rs`:
//! `(&&Recover::<E>(PhantomData)).own(&error)` resolves to [`Readable`] if the type can
//! be deserialized, and to [`Opaque`] otherwise. If neither returns an error,
//! [`FromError`] makes one.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::common::error::{Error, Result};

/// The error type of a method.
#[derive(Debug)]
pub struct Recover<E>(pub PhantomData<E>);

/// Recovers an error type that can be deserialized.
pub trait Readable<E> {
    /// Returns the method's own error, if that is what the call failed with.
    fn own(&self, error: &Error) -> Option<E>;
}

/// Stands in for an error type that cannot be deserialized.
pub trait Opaque<E> {
    /// Returns `None`.
    fn own(&self, error: &Error) -> Option<E>;
}

/// An error type that a proxy can return from an interface method.
#[diagnostic::on_unimplemented(
    message = "a method of an interface also fails if its daemon does, so `{Self}` must implement \
               `From<oad::Error>`",
    label = "cannot hold a failure of the daemon",
    note = "implement `From<oad::Error>` for it, or return an `oad::Result`; if it is also \
            `Serialize + Deserialize`, the method's own errors are sent as values"
)]
pub trait FromError {
    /// Converts oad's error.
    fn from_error(error: Error) -> Self;
}

impl<E: DeserializeOwned> Readable<E> for &Recover<E> {
    fn own(&self, error: &Error) -> Option<E> {
        error.exception().and_then(|exception| exception.get())
    }
}

impl<E> Opaque<E> for Recover<E> {
    fn own(&self, _: &Error) -> Option<E> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> FromError for E {
    fn from_error(error: Error) -> Self {
        E::from(error)
    }
}

/// Returns the result of an interface method that cannot fail by its signature.
///
/// # Panics
///
/// If the call failed, with the error as the message.
#[track_caller]
pub fn infallible<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
