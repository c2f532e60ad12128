//! Turns a method's error into an exception, using whatever traits its type has.
//!
//! Generated code knows the error's type but not its traits, so it uses autoref
//! specialization: `(&&&&RaisedError(&error)).describe()` resolves to the first of
//! [`ByError`], [`ByDisplay`], [`ByDebug`] and [`ByNothing`] whose bound holds, because
//! each is implemented for one reference less than the one before. In the same way
//! [`Serialized`] or [`NotSerialized`] returns the value that travels with the exception,
//! and [`Deserialized`] or [`NotDeserialized`] accepts an object by value.

use std::any::type_name;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::child::object::Arguments;
use crate::common::error::{Error, ErrorKind, Exception, Result};
use crate::common::value::{self, Value};

/// An error that becomes an exception.
#[derive(Debug)]
pub struct RaisedError<'a, E>(pub &'a E);

/// The type of an object that arrived by value.
#[derive(Debug)]
pub struct ByValue<T>(pub PhantomData<T>);

impl<E> RaisedError<'_, E> {
    /// Builds the exception from its parts.
    #[must_use]
    pub fn to_error(&self, message: String, causes: Vec<String>, value: Option<Value>) -> Error {
        let value = value.map(|value| Arc::new(value) as _);
        Error::from_exception(Exception {
            causes,
            value,
            ..Exception::new(type_name::<E>(), message)
        })
    }
}

/// For a [`std::error::Error`], which has a message and causes.
pub trait ByError {
    /// Returns the message and the causes.
    fn describe(&self) -> (String, Vec<String>);
}

/// For an error with only [`Display`].
pub trait ByDisplay {
    /// Returns the message.
    fn describe(&self) -> (String, Vec<String>);
}

/// For an error with only [`Debug`].
pub trait ByDebug {
    /// Returns the debug text.
    fn describe(&self) -> (String, Vec<String>);
}

/// For an error with neither.
pub trait ByNothing {
    /// Returns a sentence that says so.
    fn describe(&self) -> (String, Vec<String>);
}

impl<E: StdError> ByError for &&&RaisedError<'_, E> {
    fn describe(&self) -> (String, Vec<String>) {
        let mut causes = Vec::new();
        let mut next = self.0.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        (self.0.to_string(), causes)
    }
}

impl<E: Display> ByDisplay for &&RaisedError<'_, E> {
    fn describe(&self) -> (String, Vec<String>) {
        (self.0.to_string(), Vec::new())
    }
}

impl<E: Debug> ByDebug for &RaisedError<'_, E> {
    fn describe(&self) -> (String, Vec<String>) {
        (format!("{:?}", self.0), Vec::new())
    }
}

impl<E> ByNothing for RaisedError<'_, E> {
    fn describe(&self) -> (String, Vec<String>) {
        ("the error's type implements neither `Display` nor `Debug`".to_owned(), Vec::new())
    }
}

/// For an error that can be serialized.
pub trait Serialized {
    /// Returns the error as a value.
    fn value(&self, arguments: &Arguments) -> Option<Value>;
}

/// For an error that cannot be serialized.
pub trait NotSerialized {
    /// Returns `None`.
    fn value(&self, arguments: &Arguments) -> Option<Value>;
}

impl<E: Serialize> Serialized for &RaisedError<'_, E> {
    fn value(&self, arguments: &Arguments) -> Option<Value> {
        // An error that fails to serialize still arrives with its message; failing here
        // would hide it.
        arguments.converted(self.0).ok()
    }
}

impl<E> NotSerialized for RaisedError<'_, E> {
    fn value(&self, _: &Arguments) -> Option<Value> {
        None
    }
}

/// For a type that can be sent by value.
pub trait Deserialized<T> {
    /// Returns the object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] if the value does not have the type.
    fn convert(&self, value: Value) -> Result<T>;
}

/// For a type that cannot be sent by value.
pub trait NotDeserialized<T> {
    /// Always fails.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`], always.
    fn convert(&self, value: Value) -> Result<T>;
}

impl<T: DeserializeOwned> Deserialized<T> for &ByValue<T> {
    fn convert(&self, value: Value) -> Result<T> {
        value::from_value(value).map_err(|error| {
            let name = type_name::<T>();
            Error::new(
                ErrorKind::BadArguments,
                format!("failed to convert the value to `{name}`: {}", error.detail()),
            )
        })
    }
}

impl<T> NotDeserialized<T> for ByValue<T> {
    fn convert(&self, _: Value) -> Result<T> {
        let name = type_name::<T>();
        Err(Error::new(
            ErrorKind::BadArguments,
            format!("`{name}` cannot be sent by value: it does not implement `serde::Deserialize`"),
        )
        .advise("create it in the daemon with a constructor, or derive `Deserialize`"))
    }
}
