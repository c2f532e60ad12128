//! The proxies in an answer: the way from a handle that the daemon has given to who holds
//! it here.
//!
//! Each handle is given what keeps its object ([`leasing`]), and a proxy is made of what
//! its handle has. What has no place in the answer's type is released.

use std::cell::RefCell;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::common::definition::Action;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::scoped::{Slot, with_slot};
use crate::common::stream::{Context, IncomingItems, finding};
use crate::common::value::{Handle, HandleLease, Held, Value, from_value, hold, leasing};
use crate::parent::proxy::call::{CallContext, ReturnedValue};
use crate::parent::proxy::{Proxy, TypedProxy};

thread_local! {
    /// The one stream that the call has returned.
    static OPENED: Slot<IncomingItems> = const { RefCell::new(None) };
}

/// Reads what a method has returned. Its handles become the proxies that `T` has; any
/// other is released, and a stream that it has no place for ends.
pub(super) fn read<T: DeserializeOwned>(
    asked: &CallContext<'_>,
    (value, stream): ReturnedValue,
) -> Result<T> {
    let read = match stream {
        None => claiming(asked.proxy, value.handles(), || from_value(value)),
        Some(stream) => {
            let items = AdoptedItems {
                proxy: asked.proxy.clone(),
                action: asked.action,
                name: asked.name.to_owned(),
            };
            let stream = stream.in_context(Arc::new(items));
            // A stream that the type has no place for is what is left, and ends.
            with_slot(&OPENED, stream, || finding(find_opened, || from_value(value))).0
        }
    };
    read.map_err(|error| asked.explain(error))
}

/// Reads a value with these handles. Those of other daemons are only names: this daemon
/// has counted nothing for them.
fn claiming<T>(proxy: &Proxy, handles: Vec<Handle>, read: impl FnOnce() -> T) -> T {
    if handles.is_empty() {
        return read();
    }
    let own = handles.into_iter().filter(|handle| handle.daemon() == proxy.daemon().id());
    leasing(
        own.map(|handle| (handle.clone(), proxy.beside(handle).0 as HandleLease)).collect(),
        read,
    )
}

fn find_opened(_: u64) -> Result<IncomingItems> {
    OPENED.take().ok_or_else(|| Error::new(ErrorKind::Protocol, "a call returns one stream"))
}

/// What the items of a stream are read in. It keeps the object, and the daemon, while
/// they come.
#[derive(Debug)]
struct AdoptedItems {
    proxy: Proxy,
    action: Action,
    name: String,
}

impl Context for AdoptedItems {
    fn within(&self, value: &Value, read: &mut dyn FnMut()) {
        claiming(&self.proxy, value.handles(), read);
    }

    fn hold(&self, value: &Value) -> Held {
        let daemon = self.proxy.daemon().id();
        let own = value.handles().into_iter().filter(|handle| handle.daemon() == daemon);
        own.map(|handle| self.proxy.beside(handle).0 as _).collect()
    }

    fn explain(&self, error: Error) -> Error {
        CallContext { proxy: &self.proxy, action: self.action, name: &self.name }.explain(error)
    }
}

/// As a handle, among the arguments of a call. The object is kept until the call is
/// answered.
impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        hold(self.0.clone());
        self.handle().serialize(serializer)
    }
}

/// From a handle, in the answer of a call; nowhere else.
impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let lease =
            Handle::deserialize(deserializer)?.into_lease().and_then(|lease| lease.downcast().ok());
        lease.map(Proxy).ok_or_else(|| {
            de::Error::custom(
                "a proxy can only be read from the answer of a call, of an object in the daemon that answers",
            )
        })
    }
}

/// Reads a typed proxy; for generated code.
pub fn read_typed<'de, P: TypedProxy, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<P, D::Error> {
    Proxy::deserialize(deserializer)?.typed().map_err(|error| de::Error::custom(error.detail()))
}
