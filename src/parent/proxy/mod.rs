//! What the caller holds: proxies, and calls.
//!
//! [`Proxy`] is the base of all proxies. [`PythonProxy`] adds what Python objects
//! support, and the macro generates typed proxies. A [`Call`] is prepared by a proxy and
//! sent when it is first polled. [`Remote`] holds the methods that every proxy has. This
//! is the top of the parent's wing: below is the daemon, which carries the calls.

mod adopt;
#[cfg(feature = "python")]
mod attribute_path;
mod blocking;
mod call;
mod call_context;
#[cfg(feature = "python")]
mod from_python;
#[cfg(feature = "python")]
mod interpreter;
#[cfg(feature = "python")]
mod operator;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod python_builder;
mod recover;
mod remote;
mod typed_proxy;

#[cfg(feature = "python")]
pub use attribute_path::AttributePath;
pub use blocking::call_blocking;
pub use call::{Call, ResultParts, call, call_fallible};
#[cfg(feature = "python")]
pub use from_python::FromPython;
#[cfg(feature = "python")]
pub use interpreter::{Eval, Interpreter, interpreter};
#[cfg(feature = "python")]
pub use operator::Operator;
#[cfg(feature = "python")]
pub use python::PythonProxy;
#[cfg(feature = "python")]
pub use python_builder::{
    MadeInPython, PythonBuilder, python, python_file, python_module, python_name, python_script,
    python_value,
};
pub use recover::{FromError, Opaque, Readable, Recover, infallible};
pub use remote::Remote;
pub use typed_proxy::{TypedProxy, read_typed};

use std::fmt;
use std::sync::Arc;

use crate::common::definition::{InterpreterFacts, short_name};
use crate::common::error::{Error, Result};
use crate::common::value::Handle;
use crate::parent::client::{Description, Response};
use crate::parent::daemon::Daemon;

/// A proxy of an object in a daemon.
///
/// It is cheap to clone. When the last proxy of an object is dropped, the object is
/// released. When the last proxy and the last handle of a daemon are dropped, the daemon
/// ends.
#[derive(Clone)]
pub struct Proxy(Arc<ObjectLease>);

/// Keeps the object in the daemon, and releases it when it is dropped.
struct ObjectLease {
    daemon: Daemon,
    handle: Handle,
    origin: Origin,
}

/// The kind of an object, and what the parent knows of where it lives.
enum Origin {
    Rust,
    Python {
        /// The name in messages, if it is better than the name of the type.
        display_name: Option<String>,
        interpreter: Arc<InterpreterFacts>,
    },
}

impl Proxy {
    /// Returns the daemon that the object lives in.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.0.daemon
    }

    /// Returns the handle that names the object in that daemon.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// Returns the name of the object's type, such as `my_crate::Counter`, or for a
    /// Python object `pathlib.PosixPath`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.0.handle.type_name()
    }

    /// Asks the daemon for a description of the object: its methods, documentation and
    /// interfaces.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) and
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the daemon has ended;
    /// [`ErrorKind::NoSuchObject`](crate::ErrorKind::NoSuchObject) if a method that
    /// consumes the object was called.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn describe(&self) -> Result<Description> {
        let explain = |error: Error| {
            error.doing(format!("describing {}", self.display_name())).on(self.daemon().to_string())
        };
        let submitted = self.daemon().client().describe(self.handle()).map_err(explain)?;
        submitted.await.and_then(Response::into_description).map_err(explain)
    }

    fn new(daemon: Daemon, handle: Handle, origin: Origin) -> Self {
        Proxy(Arc::new(ObjectLease { daemon, handle, origin }))
    }

    /// The proxy of an object that a call of this one has returned.
    fn sibling(&self, handle: Handle) -> Self {
        let origin = match &self.0.origin {
            Origin::Rust => Origin::Rust,
            Origin::Python { interpreter, .. } => {
                Origin::Python { display_name: None, interpreter: Arc::clone(interpreter) }
            }
        };
        Proxy::new(self.daemon().clone(), handle, origin)
    }

    /// The name in messages: the one that the caller knows, the object's own, if it is a
    /// Python class, function or module, or that of the type without its path.
    fn display_name(&self) -> &str {
        match &self.0.origin {
            Origin::Python { display_name: Some(name), .. } => name,
            _ if !self.handle().name().is_empty() => self.handle().name(),
            _ => short_name(self.type_name()),
        }
    }
}

impl Drop for ObjectLease {
    fn drop(&mut self) {
        // In a copy made by `fork`, the locks may be held by threads that do not exist
        // there.
        if !self.daemon.is_forked_copy() {
            self.daemon.client().release(&self.handle);
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectLease { daemon, handle, .. } = &*self.0;
        f.debug_struct("Proxy")
            .field("type", &short_name(self.type_name()))
            .field("pid", &daemon.pid())
            .field("handle", &handle.id())
            .finish_non_exhaustive()
    }
}
