//! A proxy's own verbs.

use std::future::Future;

use crate::common::error::Result;
use crate::parent::daemon::{Daemon, Health, ShutdownReport};
use crate::parent::proxy::Proxy;

/// A proxy's own verbs. They are a trait's methods so that a method of the object with
/// the same name wins; `oad::Remote::shutdown(&proxy)` is then how to say which is meant.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
/// # #[oad::object] impl Counter { fn new(start: i64) -> Self { Counter { total: start } } }
/// # async fn example() -> oad::Result<()> {
/// use oad::Remote as _;
///
/// let counter = CounterProxy::new(1).await?;
/// println!("process {}", counter.pid());
/// println!("{}", counter.shutdown().await?);
/// # Ok(()) }
/// ```
pub trait Remote: Clone + Send + Sync + 'static {
    /// The proxy without the object's type.
    fn as_proxy(&self) -> &Proxy;

    /// The daemon that the object lives in.
    fn daemon(&self) -> &Daemon {
        self.as_proxy().daemon()
    }

    /// The process id of the daemon.
    fn pid(&self) -> u32 {
        self.daemon().pid()
    }

    /// Waits until the daemon is gone, and tells why; see [`Daemon::closed`] for this and
    /// for its errors. It keeps nothing alive, and dropping it changes nothing.
    fn closed(&self) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<Self> {
        self.daemon().closed()
    }

    /// Asks the daemon how the object is, which does not take part in the answer: a Rust
    /// object is as well as its daemon; a Python object is [`Health::NotServing`] also
    /// when its interpreter has died. It takes two seconds at most, and dropping it
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Daemon::health`];
    /// [`ErrorKind::NoSuchObject`](crate::ErrorKind::NoSuchObject) if a method that ends
    /// the object has taken it, or somebody has released it by hand.
    fn health(&self) -> impl Future<Output = Result<Health>> + Send + 'static + use<Self> {
        let (daemon, object) = (self.daemon().clone(), self.as_proxy().handle().id());
        async move { daemon.health_of(Some(object)).await }
    }

    /// Ends the daemon, with all that lives in it, and tells how it went; see
    /// [`Daemon::shutdown`] for this and for its errors. Dropped after its first poll,
    /// only the report is lost.
    fn shutdown(
        &self,
    ) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<Self> {
        // Not borrowed from the proxy, so that the future can outlive it.
        let daemon = self.daemon().clone();
        async move { daemon.shutdown().await }
    }
}

/// What the macro implements for the proxies it generates.
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
}

impl Remote for Proxy {
    fn as_proxy(&self) -> &Proxy {
        self
    }
}

impl TypedProxy for Proxy {
    fn from_proxy(proxy: Proxy) -> Self {
        proxy
    }
}
