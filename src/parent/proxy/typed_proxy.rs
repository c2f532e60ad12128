//! The proxies that the macro generates.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::{Deserialize as _, Deserializer, de};

use crate::common::error::{Error, ErrorKind, Result};
use crate::parent::daemon::{Spawn, Spawned};
use crate::parent::proxy::remote::Remote;
use crate::parent::proxy::{Origin, Proxy};

/// What the macro implements for the proxies that it generates.
#[doc(hidden)]
pub trait TypedProxy: Remote {
    /// Wraps a proxy without checking the type of its object.
    fn from_proxy(proxy: Proxy) -> Self;

    /// The registered name of the object's type; `None` if the proxy takes any type.
    fn object_type() -> Option<&'static str> {
        None
    }

    /// The registered name of the interface that the object must implement, if any.
    fn interface() -> Option<&'static str> {
        None
    }

    /// Whether the object must be a Python object.
    fn is_python() -> bool {
        false
    }
}

impl TypedProxy for Proxy {
    fn from_proxy(proxy: Proxy) -> Self {
        proxy
    }
}

impl Proxy {
    /// Converts to a typed proxy of the same object.
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
    /// the interface. Of a Python object, only that it is one is checked.
    pub fn typed<P: TypedProxy>(&self) -> Result<P> {
        let found = self.type_name();
        if P::is_python() && matches!(self.0.origin, Origin::Rust) {
            let message = format!("the object is a `{found}`, not a Python object");
            return Err(Error::new(ErrorKind::WrongType, message).on(self.daemon().to_string()));
        }
        let message = match (P::object_type(), P::interface()) {
            (Some(expected), _) if expected != found => {
                format!("the object is a `{found}`, not a `{expected}`")
            }
            (_, Some(expected))
                if !self.handle().interfaces().any(|interface| interface == expected) =>
            {
                format!("the object is a `{found}`, which does not implement `{expected}`")
            }
            _ => return Ok(P::from_proxy(self.clone())),
        };
        Err(Error::new(ErrorKind::WrongType, message).on(self.daemon().to_string()))
    }
}

/// Deserializes a typed proxy; for generated code.
pub fn read_typed<'de, P: TypedProxy, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<P, D::Error> {
    Proxy::deserialize(deserializer)?.typed().map_err(|error| de::Error::custom(error.detail()))
}

/// The last step of making an object is its proxy.
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
