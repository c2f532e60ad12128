//! An object with its type forgotten, as the host holds it.

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

/// What a method call gives: its answer, or a future of it.
pub enum MethodOutput<'a> {
    /// A sync method: it has run.
    Now(Result<Value>),
    /// An async method, or one that returns a stream: it runs as this is polled.
    Later(Later<'a, Value>),
    /// A method that returns a stream which borrows nothing of the object: once it has
    /// run, the object is free.
    Items(Later<'a, OwnedItems>),
}

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a constructor gives: the object, or a future of it.
pub enum Construction {
    /// A sync constructor: it has run.
    Now(Result<Box<dyn Hosted>>),
    /// An async constructor.
    Later(Later<'static, Box<dyn Hosted>>),
    /// What makes an object where it lives already, as an interpreter does.
    #[allow(private_interfaces)]
    Elsewhere(Later<'static, ObjectRef>),
}

/// An object of any type, until a method that takes `self` has taken it. The `receiver`
/// in its description says which of the three calls a method goes through.
pub trait Hosted: Send + Sync {
    /// What it is called and what it can do.
    fn description(&self) -> &'static TypeDescription;
    /// Its type.
    fn object_type(&self) -> TypeId;
    /// The object itself, if it can be read beside others; not if it has been taken.
    fn as_shared(&self) -> Option<&dyn Any>;
    /// The object itself; not if it has been taken.
    fn as_exclusive(&mut self) -> Option<&mut dyn Any>;
    /// The object as one whose abilities are not known before it is asked, if it is such.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn dynamic(&self) -> Option<Arc<dyn Dynamic>> {
        None
    }
    /// Whether it has been taken.
    fn is_taken(&self) -> bool;
    /// Calls a method whose receiver is shared.
    fn call_shared(&self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
    /// Calls a method whose receiver is exclusive.
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
    /// Calls a method whose receiver is consuming.
    fn call_consuming(&mut self, method: usize, arguments: Arguments) -> MethodOutput<'_>;
}

/// An object whose `&self` methods overlap.
struct Overlapping<T: Object> {
    object: Option<T>,
    dispatch: &'static Dispatch<T>,
}

/// An object whose methods, all of them, run one at a time, so that it need not be
/// `Sync`.
struct Serial<T: Object> {
    object: Mutex<Option<T>>,
    dispatch: &'static Dispatch<T>,
}

/// The type of an object that is to be taken in, for method lookup to say which way, as
/// in `exception`: [`OverlappingKind`] if it is `Sync`, else [`SerialKind`].
#[derive(Debug)]
pub struct HostedAs<T>(pub PhantomData<T>);

/// The type's `&self` methods may overlap.
pub trait OverlappingKind<T> {
    /// Takes in an object.
    fn host(&self, object: T) -> Box<dyn Hosted>;
}

/// The type's `&self` methods may not overlap.
pub trait SerialKind<T> {
    /// Takes in an object.
    fn host(&self, object: T) -> Box<dyn Hosted>;
}

/// Takes in an object whose `&self` methods overlap.
pub fn overlapping<T: Object + Sync>(object: T) -> Box<dyn Hosted> {
    Box::new(Overlapping { object: Some(object), dispatch: Dispatch::of(false) })
}

/// Takes in an object whose methods run one at a time.
pub fn serial<T: Object>(object: T) -> Box<dyn Hosted> {
    Box::new(Serial { object: Mutex::new(Some(object)), dispatch: Dispatch::of(true) })
}

/// Takes the future of a constructor.
pub fn construction(
    future: impl Future<Output = Result<Box<dyn Hosted>>> + Send + 'static,
) -> Construction {
    Construction::Later(Box::pin(future))
}

/// Takes an object out, for a method that takes `self`.
///
/// # Errors
///
/// [`ErrorKind::NoSuchObject`] if another has taken it.
pub fn take<T>(object: &mut Option<T>) -> Result<T> {
    object.take().ok_or_else(no_such_object)
}

/// One error for a stale handle, a guessed one, one of another daemon and an object that
/// was taken, so that it tells nobody which it was.
pub(crate) fn no_such_object() -> Error {
    Error::new(ErrorKind::NoSuchObject, "the daemon holds no object of this handle").advise(
        "it was released or taken by a method that ends it, or the handle is another daemon's",
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
        // A panic poisons the lock, but a panic is an exception here and the object stays
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

// === impl Answer ===

impl MethodOutput<'_> {
    /// For a number that no method with this receiver has; generated code ends its
    /// `match` with it.
    #[must_use]
    pub fn no_such_method() -> Self {
        MethodOutput::Now(Err(Error::new(
            ErrorKind::NoSuchMethod,
            "there is no method of this number and receiver",
        )))
    }

    fn no_such_object() -> Self {
        MethodOutput::Now(Err(no_such_object()))
    }
}

impl Construction {
    /// For a number that no constructor has; generated code ends its `match` with it.
    #[must_use]
    pub fn no_such_constructor() -> Self {
        Construction::Now(Err(Error::new(
            ErrorKind::NoSuchMethod,
            "there is no constructor of this number",
        )))
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
