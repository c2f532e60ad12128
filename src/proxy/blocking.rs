//! A call from sync code: the thread waits.
//!
//! It stands behind the sync methods of a trait that a proxy implements. Deliberately absent: proxies for programs without async.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use serde::de::DeserializeOwned;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, coop::unconstrained};

use crate::error::{Error, ErrorKind, Result};
use crate::object::Packed;
use crate::proxy::Proxy;
use crate::proxy::call::{Asked, call};

/// Calls a method and waits for its answer on this thread. On a worker of a multi-thread runtime another thread takes over its other work.
///
/// # Errors
///
/// As a [`Call`](crate::Call); and [`ErrorKind::WouldDeadlock`] on the thread that carries the connection.
pub fn call_blocking<T: DeserializeOwned>(proxy: &Proxy, method: &'static str, arguments: Packed) -> Result<T> {
    if proxy.daemon().client().is_carried_by_this_thread() {
        let message = "a sync method waits for its answer, but this is the very thread that would have to fetch it: \
                       the one thread of the async runtime in which the daemon was made";
        let advice = "call it inside `tokio::task::spawn_blocking`, or make the daemon in a multi-thread runtime \
                      (`#[tokio::main]`, with `oad::init();` as its first line); the proxy's own method is async";
        return Err(Asked { proxy, method }.explain(Error::new(ErrorKind::WouldDeadlock, message).advise(advice)));
    }
    let call = call(proxy, method, arguments);
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(|| wait(call)),
        _ => wait(call),
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks this thread until the future is ready. A runtime's own `block_on` would refuse to where another runtime runs on this thread. The budget is
/// lifted because who has used it up is woken by its runtime, which is this thread's to run.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
