//! A call from sync code: the thread waits.
//!
//! It stands behind the sync methods of a trait that a proxy implements. Deliberately
//! absent: proxies for programs without async.

use serde::de::DeserializeOwned;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::common::definition::Action;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::park::wait;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::Proxy;
use crate::parent::proxy::call::{CallContext, call};

/// Calls a method and waits for its answer on this thread. On a worker of a multi-thread
/// runtime another thread takes over its other work.
///
/// # Errors
///
/// As a [`Call`](crate::Call); and [`ErrorKind::WouldDeadlock`] on the thread that
/// carries the connection.
pub fn call_blocking<T: DeserializeOwned>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Result<T> {
    if proxy.daemon().client().is_carried_by_this_thread() {
        let message = "a sync method waits for its answer, but this is the very thread that would have to fetch it: \
                       the one thread of the async runtime in which the daemon was made";
        let advice = "call it inside `tokio::task::spawn_blocking`, or make the daemon in a multi-thread runtime \
                      (`#[tokio::main]`, with `oad::init();` as its first line); the proxy's own method is async";
        return Err(CallContext { proxy, action: Action::Call, name: method }
            .explain(Error::new(ErrorKind::WouldDeadlock, message).advise(advice)));
    }
    let call = call(proxy, method, arguments);
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(|| wait(call)),
        _ => wait(call),
    }
}
