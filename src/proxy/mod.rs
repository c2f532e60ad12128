//! What the caller holds.
//!
//! [`Proxy`] is the one that typed proxies stand on; [`Call`] is a call that has been prepared and is sent when it is first polled;
//! [`Remote`] holds a proxy's own verbs. The top of the left stair: below is the daemon, which carries the call.

mod call;
mod remote;

pub use call::{Call, Outcome, call, call_fallible};
pub use remote::Remote;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use crate::daemon::{Daemon, Spawn, Spawned};
use crate::error::Result;
use crate::value::Handle;

/// A proxy of an object in a daemon. Cheap to clone. When the last proxy of the object is dropped the object is released, and when the last
/// of all proxies and handles of the daemon is, the daemon ends.
#[derive(Clone)]
pub struct Proxy(Arc<Lease>);

/// The object's life in the daemon, as long as anybody here holds it.
struct Lease {
    daemon: Daemon,
    handle: Handle,
    type_name: String,
}

impl Proxy {
    /// The daemon that the object lives in.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.0.daemon
    }

    /// The object's name in that daemon.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.0.handle
    }

    /// The name of its type without the path.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }
}

impl From<Spawned> for Proxy {
    fn from((daemon, handle, type_name): Spawned) -> Self {
        Proxy(Arc::new(Lease { daemon, handle, type_name }))
    }
}

/// The last step of making an object: its proxy.
impl<P: Remote> IntoFuture for Spawn<P> {
    type Output = Result<P>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<P>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.spawn().await.map(|spawned| P::from_proxy(Proxy::from(spawned))) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // In a fork's copy the locks may be held by threads that it does not have.
        if !self.daemon.is_copy() {
            self.daemon.client().release(self.handle);
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lease { daemon, handle, type_name } = &*self.0;
        f.debug_struct("Proxy")
            .field("type", type_name)
            .field("pid", &daemon.pid())
            .field("handle", &handle.id())
            .finish_non_exhaustive()
    }
}
