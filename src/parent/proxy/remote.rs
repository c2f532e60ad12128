//! The methods that every proxy has.

use std::future::Future;

use crate::common::error::Result;
use crate::parent::daemon::{Daemon, Health, ShutdownReport};
use crate::parent::proxy::Proxy;

/// The methods that every proxy has: for its daemon, and for its object's life.
///
/// They belong to a trait so that a method of the object with the same name takes
/// precedence. In that case write `oad::Remote::shutdown(&proxy)` for the method here.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
/// # #[oad::object]
/// # impl Counter { fn new(start: i64) -> Self { Counter { total: start } } }
/// # async fn example() -> oad::Result<()> {
/// use oad::Remote as _;
///
/// let counter = CounterProxy::new(1).await?;
/// println!("process {}", counter.pid());
/// println!("{}", counter.shutdown().await?);
/// # Ok(()) }
/// ```
pub trait Remote: Clone + Send + Sync + 'static {
    /// Returns the proxy without the type of its object.
    fn as_proxy(&self) -> &Proxy;

    /// Returns the daemon that the object lives in.
    fn daemon(&self) -> &Daemon {
        self.as_proxy().daemon()
    }

    /// Returns the process id of the daemon.
    fn pid(&self) -> u32 {
        self.daemon().pid()
    }

    /// Waits until the daemon has ended, and returns how; see [`Daemon::closed`] for this
    /// and its errors. For a Python object, it also fails with
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) when the interpreter has died that the
    /// object lived in, although the daemon lives on.
    ///
    /// The future does not keep the daemon alive, and dropping it has no effect.
    fn closed(&self) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<Self> {
        self.daemon().closed_to(self.as_proxy().handle())
    }

    /// Asks the daemon for the health of the object. Takes 2 s at most.
    ///
    /// The object itself is not asked, so a busy object reports [`Health::Serving`]. A
    /// Rust object has the health of its daemon. A Python object is also
    /// [`Health::NotServing`] if its interpreter has died.
    ///
    /// # Errors
    ///
    /// Those of [`Daemon::health`];
    /// [`ErrorKind::NoSuchObject`](crate::ErrorKind::NoSuchObject) if a method that
    /// consumes the object was called, or if somebody released it by hand.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    fn health(&self) -> impl Future<Output = Result<Health>> + Send + 'static + use<Self> {
        let (daemon, object) = (self.daemon().clone(), self.as_proxy().handle().id());
        async move { daemon.health_of(Some(object)).await }
    }

    /// Ends the daemon and everything in it, and returns a report; see
    /// [`Daemon::shutdown`] for this, its errors, and its cancel safety.
    fn shutdown(
        &self,
    ) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<Self> {
        // A clone, so that the future can outlive the proxy.
        let daemon = self.daemon().clone();
        async move { daemon.shutdown().await }
    }
}

impl Remote for Proxy {
    fn as_proxy(&self) -> &Proxy {
        self
    }
}
