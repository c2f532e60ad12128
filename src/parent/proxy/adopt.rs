//! Converts what a call returned, and makes the proxies in it.
//!
//! While a result is read, each of its handles gets a lease of its object ([`leasing`]),
//! and a proxy is made of a handle with a lease. Handles that the requested type has no
//! place for are released.

use std::cell::RefCell;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::scoped::{Slot, with_slot};
use crate::common::stream::{Context, IncomingItems, finding};
use crate::common::value::{
    Handle, HandleLease, Held, Value, from_value, hold, leasing, reading_nan_as_none,
};
use crate::parent::proxy::Proxy;
use crate::parent::proxy::call_context::CallContext;

/// What a method has returned: a value, and the stream that it stands for if it is one.
pub(super) type ReturnedValue = (Value, Option<IncomingItems>);

thread_local! {
    /// The stream that the call has returned.
    static RETURNED_STREAM: Slot<IncomingItems> = const { RefCell::new(None) };
}

/// Reads what a method has returned. Its handles become the proxies in `T`. Handles and
/// streams that `T` has no place for are released and stopped.
pub(super) fn read<T: DeserializeOwned>(
    context: &CallContext,
    (value, stream): ReturnedValue,
) -> Result<T> {
    let read = reading_nan_as_none(context.nan_is_none, || match stream {
        None => with_leases(&context.proxy, value.handles(), || from_value(value)),
        Some(stream) => {
            let stream = stream.in_context(Arc::new(context.clone()));
            // A stream that `T` has no place for stays in the slot and is dropped, which
            // stops it.
            with_slot(&RETURNED_STREAM, stream, || {
                finding(take_returned_stream, || from_value(value))
            })
            .0
        }
    });
    read.map_err(|error| context.explain_result(error))
}

/// Runs `read` while the handles have leases of their objects. Handles of other daemons
/// have none: they are only names, which this daemon has not counted.
fn with_leases<T>(proxy: &Proxy, handles: Vec<Handle>, read: impl FnOnce() -> T) -> T {
    if handles.is_empty() {
        return read();
    }
    let own = handles.into_iter().filter(|handle| handle.daemon() == proxy.daemon().id());
    leasing(own.map(|handle| (handle.clone(), proxy.sibling(handle).0 as HandleLease)), read)
}

fn take_returned_stream(_: u64) -> Result<IncomingItems> {
    let returned = RETURNED_STREAM.take();
    returned.ok_or_else(|| Error::new(ErrorKind::Protocol, "a call can return only one stream"))
}

/// The items of a stream are read like results of the call that returned the stream. It
/// keeps the object and the daemon alive while items arrive.
impl Context for CallContext {
    fn within(&self, value: &Value, read: &mut dyn FnMut()) {
        reading_nan_as_none(self.nan_is_none, || {
            with_leases(&self.proxy, value.handles(), read);
        });
    }

    fn hold(&self, value: &Value) -> Held {
        let daemon = self.proxy.daemon().id();
        let own = value.handles().into_iter().filter(|handle| handle.daemon() == daemon);
        own.map(|handle| self.proxy.sibling(handle).0 as _).collect()
    }

    fn explain(&self, error: Error) -> Error {
        self.explain_result(error)
    }
}

impl Handle {
    /// Returns a proxy of the object, if the handle came in what a call has returned, or
    /// in an exception that was kept. `None` for a handle that is only a name.
    #[must_use]
    pub fn to_proxy(&self) -> Option<Proxy> {
        self.clone().into_lease()?.downcast().ok().map(Proxy)
    }
}

/// Serializes to a handle, as an argument of a call. The object is kept until the call
/// has returned.
impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        hold(self.0.clone());
        self.handle().serialize(serializer)
    }
}

/// Deserializes from a handle in the result of a call, and from nothing else.
impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let lease =
            Handle::deserialize(deserializer)?.into_lease().and_then(|lease| lease.downcast().ok());
        lease.map(Proxy).ok_or_else(|| {
            de::Error::custom(
                "a proxy can only be read from the result of a call, for an object in the daemon \
                 that was called",
            )
        })
    }
}
