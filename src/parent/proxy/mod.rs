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
mod chain;
#[cfg(feature = "python")]
mod face;
#[cfg(feature = "python")]
mod from_python;
#[cfg(feature = "python")]
mod interpreter;
#[cfg(feature = "python")]
mod kept_exception;
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
pub use chain::Chain;
#[cfg(feature = "python")]
pub use face::{
    CheckReport, Face, FaceKind, FaceMember, FaceMemberKind, ToPython, TypedPython, python_face,
    python_proxy, typed_builder,
};
#[cfg(feature = "python")]
pub use from_python::FromPython;
#[cfg(feature = "python")]
pub use interpreter::{Eval, Exec, Interpreter, interpreter};
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

use crate::common::definition::{CallArgs, InterpreterFacts, Operation, short_name};
use crate::common::error::{Error, Result};
use crate::common::stream::ItemSource;
use crate::common::value::Handle;
use crate::parent::client::{CallOptions, Description, Response, Submitted};
use crate::parent::daemon::Daemon;
#[cfg(feature = "python")]
use crate::parent::door::AgentDoor;

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
    /// Whether the handle came through the interpreter's door, so that it is given back
    /// there.
    #[cfg(feature = "python")]
    is_direct: bool,
}

/// The kind of an object, and what the parent knows of where it lives.
enum Origin {
    Rust,
    Python {
        /// The name in messages, if it is better than the name of the type.
        display_name: Option<String>,
        interpreter: Arc<InterpreterFacts>,
        /// The way to it, unless that is the session.
        #[cfg(feature = "python")]
        door: Option<AgentDoor>,
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
        let submitted = self.submit_describe().map_err(explain)?;
        submitted.await.and_then(Response::into_description).map_err(explain)
    }

    /// The proxy of an object whose handle came over the session.
    fn new(daemon: Daemon, handle: Handle, origin: Origin) -> Self {
        Proxy(Arc::new(ObjectLease {
            daemon,
            handle,
            origin,
            #[cfg(feature = "python")]
            is_direct: false,
        }))
    }

    /// The proxy of an object that a call of this one has returned.
    fn sibling(&self, handle: Handle) -> Self {
        let daemon = self.daemon().clone();
        match &self.0.origin {
            Origin::Rust => Proxy::new(daemon, handle, Origin::Rust),
            Origin::Python {
                interpreter,
                #[cfg(feature = "python")]
                door,
                ..
            } => {
                let origin = Origin::Python {
                    display_name: None,
                    interpreter: Arc::clone(interpreter),
                    #[cfg(feature = "python")]
                    door: door.clone(),
                };
                #[cfg(feature = "python")]
                if door.is_some() {
                    let lease = ObjectLease { daemon, handle, origin, is_direct: true };
                    return Proxy(Arc::new(lease));
                }
                Proxy::new(daemon, handle, origin)
            }
        }
    }

    /// The same proxy, which nobody else has yet, with more known of it.
    #[cfg(feature = "python")]
    fn of_origin(mut self, origin: Origin) -> Self {
        if let Some(lease) = Arc::get_mut(&mut self.0) {
            lease.origin = origin;
        }
        self
    }

    /// The same proxy, which nobody else has yet, with another name in messages.
    #[cfg(feature = "python")]
    fn displayed_as(mut self, name: Option<String>) -> Self {
        if let Some(ObjectLease { origin: Origin::Python { display_name, .. }, .. }) =
            Arc::get_mut(&mut self.0)
        {
            *display_name = name;
        }
        self
    }

    /// The way to the object's interpreter, unless that is the session.
    #[cfg(feature = "python")]
    fn door(&self) -> Option<&AgentDoor> {
        match &self.0.origin {
            Origin::Python { door, .. } => door.as_ref(),
            Origin::Rust => None,
        }
    }

    /// Sends an operation on the object.
    fn submit(
        &self,
        operation: Operation,
        arguments: CallArgs,
        streams: Vec<ItemSource<'static>>,
        options: CallOptions,
    ) -> Result<Submitted> {
        #[cfg(feature = "python")]
        if let Some(door) = self.door() {
            return door.call(self.handle(), operation, arguments, options);
        }
        self.daemon().client().call(self.handle(), &operation, arguments, streams, options)
    }

    fn submit_describe(&self) -> Result<Submitted> {
        #[cfg(feature = "python")]
        if let Some(door) = self.door() {
            return door.describe(self.handle());
        }
        self.daemon().client().describe(self.handle())
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
        if self.daemon.is_forked_copy() {
            return;
        }
        #[cfg(feature = "python")]
        if self.is_direct
            && let Origin::Python { door: Some(door), .. } = &self.origin
        {
            return door.release(&self.handle, 1);
        }
        self.daemon.client().release(&self.handle);
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
