//! Calls from sync code.
//!
//! The sync methods of a trait that a proxy implements use them. Deliberately absent:
//! proxies for programs without async.

use serde::de::DeserializeOwned;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::common::definition::{Action, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::park::wait;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::Proxy;
use crate::parent::proxy::call::call;
use crate::parent::proxy::call_context::CallContext;

/// Calls a method and blocks the current thread until it returns. On a worker of a
/// multi-thread runtime, another thread takes over the worker's tasks meanwhile.
///
/// # Errors
///
/// Those of a [`Call`](crate::Call), and [`ErrorKind::WouldDeadlock`] on the thread that
/// carries the connection.
pub fn call_blocking<T: DeserializeOwned>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Result<T> {
    if proxy.daemon().client().is_carried_by_current_thread() {
        let message = "this sync method would block the thread that carries the daemon's \
                       connection, the only thread of the async runtime in which the daemon was \
                       started";
        let advice = "call it inside `tokio::task::spawn_blocking`, call the proxy's own async \
                      method, or start the daemon in a multi-thread runtime (`#[tokio::main]`, \
                      with `oad::init();` as its first line)";
        let context = CallContext {
            proxy: proxy.clone(),
            action: Action::Call,
            name: method.into(),
            returns: Returns::Fitting,
            nan_is_none: false,
            keeps_exception: false,
        };
        return Err(context.explain(Error::new(ErrorKind::WouldDeadlock, message).advise(advice)));
    }
    let call = call(proxy, method, arguments);
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(|| wait(call)),
        _ => wait(call),
    }
}
