//! An object with its type forgotten, as the host holds it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Arguments, Description, Object};
use crate::value::Value;

/// What a method call gives: its answer, or a future of it.
pub enum Answer<'a> {
    /// A sync method: it has run.
    Now(Result<Value>),
    /// An async method: it runs as this is polled.
    Later(Later<'a, Value>),
}

type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What a constructor gives: the object, or a future of it.
pub enum Construction {
    /// A sync constructor: it has run.
    Now(Result<Box<dyn Hosted>>),
    /// An async constructor.
    Later(Later<'static, Box<dyn Hosted>>),
}

/// An object of any type. The `receiver` in its description says which of the three calls a method goes through.
pub trait Hosted: Send + Sync {
    /// What it is called and what it can do.
    fn description(&self) -> &'static Description;
    /// Calls a method whose receiver is shared.
    fn call_shared(&self, method: usize, arguments: Arguments) -> Answer<'_>;
    /// Calls a method whose receiver is exclusive.
    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> Answer<'_>;
    /// Calls a method whose receiver is consuming.
    fn call_consuming(self: Box<Self>, method: usize, arguments: Arguments) -> Answer<'static>;
}

/// An object whose `&self` methods overlap.
struct Overlapping<T>(T);

/// An object whose methods, all of them, run one at a time, so that it need not be `Sync`.
struct Serial<T>(Mutex<T>);

/// Takes an object whose `&self` methods overlap.
pub fn overlapping<T: Object + Sync>(object: T) -> Box<dyn Hosted> {
    Box::new(Overlapping(object))
}

/// Takes an object whose methods run one at a time.
pub fn serial<T: Object>(object: T) -> Box<dyn Hosted> {
    Box::new(Serial(Mutex::new(object)))
}

/// Takes the future of a constructor.
pub fn construction(future: impl Future<Output = Result<Box<dyn Hosted>>> + Send + 'static) -> Construction {
    Construction::Later(Box::pin(future))
}

// === impl Hosted ===

impl<T: Object + Sync> Hosted for Overlapping<T> {
    fn description(&self) -> &'static Description {
        T::DESCRIPTION
    }

    fn call_shared(&self, method: usize, arguments: Arguments) -> Answer<'_> {
        self.0.call_shared(method, arguments)
    }

    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> Answer<'_> {
        self.0.call_exclusive(method, arguments)
    }

    fn call_consuming(self: Box<Self>, method: usize, arguments: Arguments) -> Answer<'static> {
        self.0.call_consuming(method, arguments)
    }
}

impl<T: Object> Hosted for Serial<T> {
    fn description(&self) -> &'static Description {
        T::DESCRIPTION
    }

    fn call_shared(&self, _: usize, _: Arguments) -> Answer<'_> {
        Answer::no_such_method()
    }

    fn call_exclusive(&mut self, method: usize, arguments: Arguments) -> Answer<'_> {
        // A panic poisons the lock, but a panic is an exception here and the object stays usable.
        let object = self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        object.call_exclusive(method, arguments)
    }

    fn call_consuming(self: Box<Self>, method: usize, arguments: Arguments) -> Answer<'static> {
        let object = self.0.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        object.call_consuming(method, arguments)
    }
}

// === impl Answer ===

impl Answer<'_> {
    /// For a number that no method with this receiver has; generated code ends its `match` with it.
    #[must_use]
    pub fn no_such_method() -> Self {
        Answer::Now(Err(Error::new(ErrorKind::NoSuchMethod, "there is no method of this number and receiver")))
    }
}

impl Construction {
    /// For a number that no constructor has; generated code ends its `match` with it.
    #[must_use]
    pub fn no_such_constructor() -> Self {
        Construction::Now(Err(Error::new(ErrorKind::NoSuchMethod, "there is no constructor of this number")))
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Now(_) => "Now",
            Answer::Later(_) => "Later",
        })
    }
}

impl fmt::Debug for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Construction::Now(_) => "Now",
            Construction::Later(_) => "Later",
        })
    }
}

impl fmt::Debug for dyn Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("type", &self.description().name).finish_non_exhaustive()
    }
}
