//! How an object of a given type is hosted: with overlapping or with serial methods.

use std::any::{Any, TypeId};
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use crate::child::object::dispatch::Dispatch;
use crate::child::object::{Arguments, Hosted, MethodOutput, Object};
use crate::common::definition::TypeDescription;

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
