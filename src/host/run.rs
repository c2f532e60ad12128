//! One call of a method: its turn, its run, its answer.

use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use tokio::task::coop::unconstrained;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::{Error, ErrorKind, Result};
use crate::host::panic;
use crate::host::table::{Cell, Living, no_such_object};
use crate::object::{Answer, Arguments, Hosted, Method, Receiver};
use crate::value::Value;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A place in an object's queue, taken when it is made.
pub(super) struct Turn {
    index: usize,
    guard: Boxed<Guard>,
}

/// The object, for as long as the call lasts.
enum Guard {
    Shared(OwnedRwLockReadGuard<Cell>),
    Exclusive(OwnedRwLockWriteGuard<Cell>),
}

/// Runs a method when its turn has come. Dropping the future gives the turn up, or cancels an async method at its next await; a
/// sync one runs on and keeps its object meanwhile.
pub(super) async fn method(
    turn: Turn,
    method: &'static Method,
    arguments: Arguments,
    token: TaskTrackerToken,
) -> Result<Value> {
    let Turn { index, guard } = turn;
    let guard = guard.await;
    if !method.is_async {
        return blocking(token, move || guard.run_sync(index, method.receiver, arguments)).await;
    }
    let running = async move {
        let _token = token;
        guard.run_async(index, method.receiver, arguments).await
    };
    if method.finishes {
        // On a task of its own, so that it goes on when this future is dropped. Its panics are caught inside.
        return tokio::spawn(running).await.unwrap_or_else(|_| Err(runtime_ended()));
    }
    running.await
}

/// Runs an object's sync code on a thread where it may take as long as it likes.
pub(super) async fn blocking<T: Send + 'static>(
    token: TaskTrackerToken,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let running = tokio::task::spawn_blocking(move || {
        let _token = token;
        panic::catch(run).flatten()
    });
    running.await.unwrap_or_else(|_| Err(runtime_ended()))
}

/// Polls an object's async code; its panic is an exception.
pub(super) async fn unwinding<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    // The object is used again after a panic, as a local one behind a lock would be.
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|payload| Err(panic::exception(payload.as_ref())))
}

fn runtime_ended() -> Error {
    Error::new(ErrorKind::Closed, "the daemon ended before the call did")
}

// === impl Turn ===

impl Turn {
    /// Takes a place in the queue of `object` for the method `index`.
    pub(super) fn enqueue(object: &Living, index: usize, method: &Method) -> Self {
        let cell = object.cell.clone();
        let guard = match method.receiver {
            Receiver::Shared => enqueue(async { Guard::Shared(cell.read_owned().await) }),
            Receiver::Exclusive | Receiver::Consuming | Receiver::None => {
                enqueue(async { Guard::Exclusive(cell.write_owned().await) })
            }
        };
        Turn { index, guard }
    }
}

/// Polls the lock once, because that is when it puts its future in its queue. Its budget is lifted for this: a task that has used its own up
/// would be told to come again without having been queued.
fn enqueue(lock: impl Future<Output = Guard> + Send + 'static) -> Boxed<Guard> {
    let mut waiting: Boxed<Guard> = Box::pin(unconstrained(lock));
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(guard) => Box::pin(ready(guard)),
        Poll::Pending => waiting,
    }
}

// === impl Guard ===

impl Guard {
    fn run_sync(self, index: usize, receiver: Receiver, arguments: Arguments) -> Result<Value> {
        let now = |answer: Answer<'_>| match answer {
            Answer::Now(result) => result,
            Answer::Later(_) => Err(Error::new(ErrorKind::Protocol, "a method described as sync is async")),
        };
        match self {
            Guard::Shared(cell) => now(cell.object()?.call_shared(index, arguments)),
            Guard::Exclusive(mut cell) if receiver == Receiver::Consuming => {
                now(cell.take()?.call_consuming(index, arguments))
            }
            Guard::Exclusive(mut cell) => now(cell.object_mut()?.call_exclusive(index, arguments)),
        }
    }

    async fn run_async(self, index: usize, receiver: Receiver, arguments: Arguments) -> Result<Value> {
        match self {
            Guard::Shared(cell) => later(cell.object()?.call_shared(index, arguments)).await,
            Guard::Exclusive(mut cell) if receiver == Receiver::Consuming => {
                later(cell.take()?.call_consuming(index, arguments)).await
            }
            Guard::Exclusive(mut cell) => later(cell.object_mut()?.call_exclusive(index, arguments)).await,
        }
    }
}

async fn later(answer: Answer<'_>) -> Result<Value> {
    match answer {
        Answer::Now(result) => result,
        Answer::Later(future) => unwinding(future).await,
    }
}

// === impl Cell ===

impl Cell {
    fn object(&self) -> Result<&dyn Hosted> {
        match self {
            Cell::Present(object) => Ok(object.as_ref()),
            Cell::Taken => Err(no_such_object()),
        }
    }

    fn object_mut(&mut self) -> Result<&mut dyn Hosted> {
        match self {
            Cell::Present(object) => Ok(object.as_mut()),
            Cell::Taken => Err(no_such_object()),
        }
    }

    fn take(&mut self) -> Result<Box<dyn Hosted>> {
        match std::mem::replace(self, Cell::Taken) {
            Cell::Present(object) => Ok(object),
            Cell::Taken => Err(no_such_object()),
        }
    }
}
