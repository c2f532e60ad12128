//! What a proxy that implements a trait answers when a call fails: the error of the
//! trait's method, whatever its type can do.
//!
//! Generated code knows the error's type but not its traits. Method lookup does, as in
//! `object/raise.rs`: `(&&Recover::<E>(PhantomData)).own(&error)` takes [`Readable`] if
//! the type can be read from what has crossed, and else [`Opaque`]. What comes of neither
//! is made [`FromError`].

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::common::error::{Error, Result};

/// The error type of a method.
#[derive(Debug)]
pub struct Recover<E>(pub PhantomData<E>);

/// The type can be read from what has crossed.
pub trait Readable<E> {
    /// The method's own error, if it has crossed.
    fn own(&self, error: &Error) -> Option<E>;
}

/// The type cannot be read.
pub trait Opaque<E> {
    /// Nothing.
    fn own(&self, error: &Error) -> Option<E>;
}

/// An error that a proxy can give where the trait's method says so.
#[diagnostic::on_unimplemented(
    message = "a method of an interface also fails if its daemon does, so `{Self}` must implement `From<oad::Error>`",
    label = "cannot hold a failure of the daemon",
    note = "implement `From<oad::Error>` for it, or return an `oad::Result`; if it is also `Serialize + Deserialize`, the method's own errors are sent as values"
)]
pub trait FromError {
    /// What is made of oad's error.
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

/// The answer of a method that cannot fail, to a caller who expects it not to.
///
/// # Panics
///
/// If there is none, with the error's message.
#[track_caller]
pub fn infallible<T>(answer: Result<T>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
