//! A type-erased object, as the host holds it.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::child::object::{Arguments, Dynamic, ObjectRef, OwnedItems};
use crate::common::definition::TypeDescription;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// The result of a method call, or a future of it.
pub enum MethodOutput<'a> {
    /// The result of a sync method, which has already run.
    Now(Result<Value>),
    /// An async method, or one that returns a stream. It runs while this is polled.
    Later(Later<'a, Value>),
    /// A method that returns a stream which does not borrow the object. The object is
    /// free once the method has returned.
    Items(Later<'a, OwnedItems>),
}

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The result of a constructor, or a future of it.
pub enum Construction {
    /// The result of a sync constructor, which has already run.
    Now(Result<Box<dyn Hosted>>),
    /// An async constructor.
    Later(Later<'static, Box<dyn Hosted>>),
    /// An object that is created elsewhere, in an interpreter.
    #[allow(private_interfaces)]
    External(Later<'static, ObjectRef>),
}

/// An object of any type, until a method that takes `self` has taken it. The `receiver`
/// in a method's description selects one of the three `call_*` methods.
pub trait Hosted: Send + Sync {
    /// Returns the name and the methods.
    fn description(&self) -> &'static TypeDescription;
    /// Returns the id of the object's type.
    fn object_type(&self) -> TypeId;
    /// Returns the object if it allows shared access and has not been taken.
    fn as_shared(&self) -> Option<&dyn Any>;
    /// Returns the object if it has not been taken.
    fn as_exclusive(&mut self) -> Option<&mut dyn Any>;
    /// Returns the object as [`Dynamic`] if its methods are only known at run time.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn dynamic(&self) -> Option<Arc<dyn Dynamic>> {
        None
    }
    /// Returns whether the object has been taken.
    fn is_taken(&self) -> bool;
    /// Calls a method that takes `&self`.
    fn call_shared(&self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
    /// Calls a method that takes `&mut self`.
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
    /// Calls a method that takes `self`.
    fn call_consuming(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
}

/// Boxes the future of an async constructor.
pub fn construction(
    future: impl Future<Output = Result<Box<dyn Hosted>>> + Send + 'static,
) -> Construction {
    Construction::Later(Box::pin(future))
}

/// Takes an object out for a method that takes `self`.
///
/// # Errors
///
/// [`ErrorKind::NoSuchObject`] if another call has taken it.
pub fn take<T>(object: &mut Option<T>) -> Result<T> {
    object.take().ok_or_else(no_such_object)
}

/// Returns the error for any unusable handle.
pub(crate) fn no_such_object() -> Error {
    Error::no_such_object()
}

// === impl MethodOutput ===

impl MethodOutput<'_> {
    /// The result for an unknown method index; generated code ends its `match` with it.
    #[must_use]
    pub fn no_such_method() -> Self {
        MethodOutput::Now(Err(Error::new(
            ErrorKind::NoSuchMethod,
            "unknown method index for this receiver",
        )))
    }

    pub(super) fn no_such_object() -> Self {
        MethodOutput::Now(Err(no_such_object()))
    }
}

impl Construction {
    /// The result for an unknown constructor index; generated code ends its `match` with
    /// it.
    #[must_use]
    pub fn no_such_constructor() -> Self {
        Construction::Now(Err(Error::new(ErrorKind::NoSuchMethod, "unknown constructor index")))
    }
}

impl fmt::Debug for MethodOutput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MethodOutput::Now(_) => "Now",
            MethodOutput::Later(_) => "Later",
            MethodOutput::Items(_) => "Items",
        })
    }
}

impl fmt::Debug for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Construction::Now(_) => "Now",
            Construction::Later(_) => "Later",
            Construction::External(_) => "External",
        })
    }
}

impl fmt::Debug for dyn Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("type", &self.description().name).finish_non_exhaustive()
    }
}
