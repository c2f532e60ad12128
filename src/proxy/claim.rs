//! The proxies in an answer: the way from a handle that the daemon has given to who holds it here.
//!
//! A proxy is a serde type like any other, and serde hands no context down. So who reads an answer puts its handles where a proxy finds its own: beside the
//! thread, for as long as the reading takes. What no proxy has claimed by then is released.

use std::cell::RefCell;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::daemon::Daemon;
use crate::error::Result;
use crate::object::hold;
use crate::proxy::{Proxy, Remote};
use crate::value::{Handle, Value, from_value};

/// The handles of an answer that is being read.
struct Claims {
    daemon: Daemon,
    unclaimed: Vec<Handle>,
}

thread_local! {
    static CLAIMS: RefCell<Option<Claims>> = const { RefCell::new(None) };
}

/// Reads what a daemon has answered. Its handles become the proxies that `T` has; any other is released.
pub(super) fn read<T: DeserializeOwned>(daemon: &Daemon, value: Value) -> Result<T> {
    let unclaimed = value.handles();
    if unclaimed.is_empty() {
        return from_value(value);
    }
    let _outer = Outer(CLAIMS.replace(Some(Claims { daemon: daemon.clone(), unclaimed })));
    from_value(value)
}

/// Also when the reading panics: it is the caller's own code too.
struct Outer(Option<Claims>);

impl Drop for Outer {
    fn drop(&mut self) {
        let read = CLAIMS.replace(self.0.take());
        if let Some(Claims { daemon, unclaimed }) = read {
            unclaimed.iter().for_each(|handle| daemon.client().release(handle));
        }
    }
}

impl Claims {
    fn claim(&mut self, handle: &Handle) -> Option<Proxy> {
        let index = self.unclaimed.iter().position(|unclaimed| unclaimed == handle)?;
        Some(Proxy::from((self.daemon.clone(), self.unclaimed.swap_remove(index))))
    }
}

/// As a handle, among the arguments of a call. The object is kept until the call is answered.
impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        hold(self.0.clone());
        self.handle().serialize(serializer)
    }
}

/// From a handle, in the answer of a call; nowhere else.
impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let handle = Handle::deserialize(deserializer)?;
        let claimed = CLAIMS.with_borrow_mut(|claims| claims.as_mut().and_then(|claims| claims.claim(&handle)));
        claimed.ok_or_else(|| de::Error::custom("a proxy can only be read from the answer of a call"))
    }
}

/// Reads a typed proxy; for generated code.
pub fn read_typed<'de, P: Remote, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<P, D::Error> {
    Proxy::deserialize(deserializer)?.typed().map_err(|error| de::Error::custom(error.detail()))
}
