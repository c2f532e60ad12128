//! What the caller holds.
//!
//! [`Proxy`] is the one that typed proxies stand on; [`Call`] is a call that has been
//! prepared and is sent when it is first polled; [`Remote`] holds a proxy's own verbs.
//! The top of the left stair: below is the daemon, which carries the call.

mod adopt;
#[cfg(feature = "python")]
mod attribute_path;
mod blocking;
mod call;
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

pub use adopt::read_typed;
#[cfg(feature = "python")]
pub use attribute_path::AttributePath;
pub use blocking::call_blocking;
pub use call::{Call, ResultParts, call, call_fallible};
#[cfg(feature = "python")]
pub use interpreter::{Eval, Interpreter};
#[cfg(feature = "python")]
pub use operator::Operator;
#[cfg(feature = "python")]
pub use python::{FromPython, PythonProxy};
#[cfg(feature = "python")]
pub use python_builder::{
    MadeInPython, PythonBuilder, interpreter, python, python_file, python_module, python_name,
    python_script, python_value,
};
pub use recover::{FromError, Opaque, Readable, Recover, infallible};
pub use remote::{Remote, TypedProxy};

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::definition::{InterpreterFacts, short_name};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Handle;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::client::{Description, Response};
use crate::parent::daemon::{Daemon, Spawn, Spawned};

/// A proxy of an object in a daemon. Cheap to clone. When the last proxy of the object is
/// dropped the object is released, and when the last of all proxies and handles of the
/// daemon is, the daemon ends.
#[derive(Clone)]
pub struct Proxy(Arc<ObjectLease>);

/// The object's life in the daemon, as long as anybody here holds it.
struct ObjectLease {
    daemon: Daemon,
    handle: Handle,
    origin: Origin,
}

/// The kind of an object, and what the parent knows of where it lives.
enum Origin {
    Rust,
    Python {
        /// The name that messages use, where the type's would tell less.
        called: Option<String>,
        interpreter: Arc<InterpreterFacts>,
    },
}

impl Proxy {
    /// The daemon that the object lives in.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.0.daemon
    }

    /// The object's name in that daemon.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.0.handle
    }

    /// The registered name of its type, such as `my_crate::Counter`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.0.handle.type_name()
    }

    /// Calls a method by its name, with a tuple of arguments; `()` for none.
    ///
    /// ```no_run
    /// # async fn example(counter: oad::Proxy) -> oad::Result<()> {
    /// let total: i64 = counter.call("add", (2,)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// What a Python object returns comes as the type that is asked for: as a value, as a
    /// `Proxy` of what stays there, or not at all where that is `()`.
    ///
    /// # Errors
    ///
    /// The call fails with [`ErrorKind::NoSuchMethod`] if the object has none of this
    /// name, [`ErrorKind::BadArguments`] if it takes other arguments, and
    /// [`ErrorKind::WrongType`] if it returns something else than a `T`.
    pub fn call<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        arguments: impl Serialize,
    ) -> Call<T> {
        call::call_named(self, Cow::Owned(method.into()), ArgumentsBuilder::items_of(&arguments))
    }

    /// Asks the daemon what the object can do.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering; [`ErrorKind::NoSuchObject`] if the object has
    /// been taken by a method that ends it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn describe(&self) -> Result<Description> {
        let explain = |error: Error| {
            error.doing(format!("describing {}", self.called())).on(self.daemon().to_string())
        };
        let submitted = self.daemon().client().describe(self.handle()).map_err(explain)?;
        submitted.await.and_then(Response::into_description).map_err(explain)
    }

    /// The typed proxy of the same object.
    ///
    /// ```no_run
    /// # struct Counter;
    /// # #[oad::object] impl Counter { fn new(start: i64) -> Self { Counter } }
    /// # async fn example() -> oad::Result<()> {
    /// use oad::Remote as _;
    ///
    /// let proxy: oad::Proxy = CounterProxy::new(1).await?.as_proxy().clone();
    /// let counter: CounterProxy = proxy.typed()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the object is of another type, or does not implement
    /// the interface.
    pub fn typed<P: TypedProxy>(&self) -> Result<P> {
        let wrong =
            |why: String| Err(Error::new(ErrorKind::WrongType, why).on(self.daemon().to_string()));
        match (P::object_type(), P::interface()) {
            (Some(wanted), _) if wanted != self.type_name() => {
                wrong(format!("the object is a `{}`, and not a `{wanted}`", self.type_name()))
            }
            (_, Some(wanted))
                if !self.handle().interfaces().any(|implemented| implemented == wanted) =>
            {
                wrong(format!(
                    "the object is a `{}`, which does not implement `{wanted}`",
                    self.type_name()
                ))
            }
            _ => Ok(P::from_proxy(self.clone())),
        }
    }

    fn new(daemon: Daemon, handle: Handle, origin: Origin) -> Self {
        Proxy(Arc::new(ObjectLease { daemon, handle, origin }))
    }

    /// The proxy of an object that a call of this one returned.
    fn beside(&self, handle: Handle) -> Self {
        let origin = match &self.0.origin {
            Origin::Rust => Origin::Rust,
            Origin::Python { interpreter, .. } => {
                Origin::Python { called: None, interpreter: Arc::clone(interpreter) }
            }
        };
        Proxy::new(self.daemon().clone(), handle, origin)
    }

    /// What messages call it: the name that its caller made it by, its own name if it is a
    /// class, a function or a module, or else its type's name without the path.
    fn called(&self) -> &str {
        match &self.0.origin {
            Origin::Python { called: Some(called), .. } => called,
            _ if !self.handle().name().is_empty() => self.handle().name(),
            _ => short_name(self.type_name()),
        }
    }
}

/// The last step of making an object: its proxy.
impl<P: TypedProxy> IntoFuture for Spawn<P> {
    type Output = Result<P>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<P>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Spawned { daemon, handle, .. } = self.spawn().await?;
            Ok(P::from_proxy(Proxy::new(daemon, handle, Origin::Rust)))
        })
    }
}

impl Drop for ObjectLease {
    fn drop(&mut self) {
        // In a fork's copy the locks may be held by threads that it does not have.
        if !self.daemon.is_copy() {
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
