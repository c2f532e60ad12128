//! How the error of a method becomes an exception, whatever its type can do.
//!
//! Generated code knows the error's type but not its traits. Method lookup does:
//! `(&&&&Raise(&error)).describe()` takes the first of [`ByError`], [`ByDisplay`],
//! [`ByDebug`] and [`ByNothing`] whose bound holds, because each is implemented for one
//! reference less than the one before. The same way [`Serialized`] or [`NotSerialized`]
//! gives the value that travels along, and [`Deserialized`] or [`NotDeserialized`] takes
//! an object by value.

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

/// An error that is to become an exception.
#[derive(Debug)]
pub struct RaisedError<'a, E>(pub &'a E);

/// The type of an object that has come by value.
#[derive(Debug)]
pub struct Revive<T>(pub PhantomData<T>);

impl<E> RaisedError<'_, E> {
    /// Puts the parts together.
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

/// The error is a [`std::error::Error`]: it has a message and causes.
pub trait ByError {
    /// Its message and causes.
    fn describe(&self) -> (String, Vec<String>);
}

/// The error can be displayed.
pub trait ByDisplay {
    /// Its message.
    fn describe(&self) -> (String, Vec<String>);
}

/// The error can only be printed for a programmer.
pub trait ByDebug {
    /// Its debug text.
    fn describe(&self) -> (String, Vec<String>);
}

/// The error can do nothing.
pub trait ByNothing {
    /// A sentence that says so.
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
        ("the error's type implements neither Display nor Debug".to_owned(), Vec::new())
    }
}

/// The error can travel.
pub trait Serialized {
    /// Its value.
    fn value(&self, arguments: &Arguments) -> Option<Value>;
}

/// The error cannot travel.
pub trait NotSerialized {
    /// Nothing.
    fn value(&self, arguments: &Arguments) -> Option<Value>;
}

impl<E: Serialize> Serialized for &RaisedError<'_, E> {
    fn value(&self, arguments: &Arguments) -> Option<Value> {
        // An error that will not serialize still arrives by its message; failing here
        // would hide it.
        arguments.reply(self.0).ok()
    }
}

impl<E> NotSerialized for RaisedError<'_, E> {
    fn value(&self, _: &Arguments) -> Option<Value> {
        None
    }
}

/// The type can come by value.
pub trait Deserialized<T> {
    /// The object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] if the value is not one of the type.
    fn revive(&self, value: Value) -> Result<T>;
}

/// The type cannot come by value.
pub trait NotDeserialized<T> {
    /// Never the object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`], always.
    fn revive(&self, value: Value) -> Result<T>;
}

impl<T: DeserializeOwned> Deserialized<T> for &Revive<T> {
    fn revive(&self, value: Value) -> Result<T> {
        value::from_value(value).map_err(|error| {
            let name = type_name::<T>();
            Error::new(
                ErrorKind::BadArguments,
                format!("the value is not a `{name}`: {}", error.detail()),
            )
        })
    }
}

impl<T> NotDeserialized<T> for Revive<T> {
    fn revive(&self, _: Value) -> Result<T> {
        let name = type_name::<T>();
        Err(Error::new(
            ErrorKind::BadArguments,
            format!("a `{name}` cannot be sent: it is not `serde::Deserialize`"),
        )
        .advise("make it in the daemon by one of its constructors, or derive `Deserialize`"))
    }
}
