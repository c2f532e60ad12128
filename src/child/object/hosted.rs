//! A type-erased object, as the host holds it.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::child::object::dispatch::Dispatch;
use crate::child::object::{Arguments, Dynamic, Object, ObjectRef, OwnedItems};
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
    Elsewhere(Later<'static, ObjectRef>),
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

/// An object whose `&self` methods overlap.
struct Overlapping<T: Object> {
    object: Option<T>,
    dispatch: &'static Dispatch<T>,
}

/// An object whose methods all run one at a time, so that it need not be `Sync`.
struct Serial<T: Object> {
    object: Mutex<Option<T>>,
    dispatch: &'static Dispatch<T>,
}

/// Selects how an object is hosted, by autoref specialization as in `exception`:
/// [`OverlappingKind`] if the type is `Sync`, otherwise [`SerialKind`].
#[derive(Debug)]
pub struct HostedAs<T>(pub PhantomData<T>);

/// For a type whose `&self` methods may overlap.
pub trait OverlappingKind<T> {
    /// Boxes an object for the host.
    fn host(&self, object: T) -> Box<dyn Hosted>;
}

/// For a type whose `&self` methods must not overlap.
pub trait SerialKind<T> {
    /// Boxes an object for the host.
    fn host(&self, object: T) -> Box<dyn Hosted>;
}

/// Boxes an object whose `&self` methods overlap.
pub fn overlapping<T: Object + Sync>(object: T) -> Box<dyn Hosted> {
    Box::new(Overlapping { object: Some(object), dispatch: Dispatch::of(false) })
}

/// Boxes an object whose methods run one at a time.
pub fn serial<T: Object>(object: T) -> Box<dyn Hosted> {
    Box::new(Serial { object: Mutex::new(Some(object)), dispatch: Dispatch::of(true) })
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

/// Returns the error for any unusable handle: a stale one, a guessed one, one of another
/// daemon, or one of an object that was taken. It does not reveal which.
pub(crate) fn no_such_object() -> Error {
    Error::new(ErrorKind::NoSuchObject, "the daemon has no object with this handle").advise(
        "the object was released or consumed by a method, or the handle belongs to another daemon",
    )
}

// === impl HostedAs ===

impl<T: Object + Sync> OverlappingKind<T> for &HostedAs<T> {
    fn host(&self, object: T) -> Box<dyn Hosted> {
        overlapping(object)
    }
}

impl<T: Object> SerialKind<T> for HostedAs<T> {
    fn host(&self, object: T) -> Box<dyn Hosted> {
        serial(object)
    }
}

// === impl Hosted ===

impl<T: Object + Sync> Hosted for Overlapping<T> {
    fn description(&self) -> &'static TypeDescription {
        self.dispatch.description
    }

    fn object_type(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn as_shared(&self) -> Option<&dyn Any> {
        self.object.as_ref().map(|object| object as _)
    }

    fn as_exclusive(&mut self) -> Option<&mut dyn Any> {
        self.object.as_mut().map(|object| object as _)
    }

    fn is_taken(&self) -> bool {
        self.object.is_none()
    }

    fn call_shared(&self, method: usize, arguments: Arguments) -> MethodOutput<'_> {
        let Some(object) = &self.object else { return MethodOutput::no_such_object() };
        self.dispatch.call_shared(object, method, arguments)
    }

    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_> {
        let Some(object) = &mut self.object else { return MethodOutput::no_such_object() };
        self.dispatch.call_exclusive(object, method, arguments)
    }

    fn call_consuming(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_> {
        self.dispatch.call_consuming(&mut self.object, method, arguments)
    }
}

impl<T: Object> Serial<T> {
    fn object(&mut self) -> &mut Option<T> {
        // A panic poisons the lock, but it becomes an exception and the object stays
        // usable.
        self.object.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Object> Hosted for Serial<T> {
    fn description(&self) -> &'static TypeDescription {
        self.dispatch.description
    }

    fn object_type(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn as_shared(&self) -> Option<&dyn Any> {
        None
    }

    fn as_exclusive(&mut self) -> Option<&mut dyn Any> {
        self.object().as_mut().map(|object| object as _)
    }

    fn is_taken(&self) -> bool {
        self.object.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn call_shared(&self, _: usize, _: Arguments) -> MethodOutput<'_> {
        MethodOutput::no_such_method()
    }

    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_> {
        let dispatch = self.dispatch;
        let Some(object) = self.object() else { return MethodOutput::no_such_object() };
        dispatch.call_exclusive(object, method, arguments)
    }

    fn call_consuming(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_> {
        let dispatch = self.dispatch;
        dispatch.call_consuming(self.object(), method, arguments)
    }
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

    fn no_such_object() -> Self {
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
            Construction::Elsewhere(_) => "Elsewhere",
        })
    }
}

impl fmt::Debug for dyn Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("type", &self.description().name).finish_non_exhaustive()
    }
}
