//! Runs one method call: its turn, the method itself, and its result.

use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use tokio::task::coop::unconstrained;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::child::host::progress::{Progress, RunMode};
use crate::child::object::{
    Arguments, MethodOutput, ObjectCell, ObjectRef, OwnedItems, other_thread_permit, panic,
    try_in_place,
};
use crate::common::definition::{Method, Receiver};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::threads::run_aside;
use crate::common::value::Value;

/// A place in an object's queue, taken on construction.
pub(super) struct QueueTurn {
    index: usize,
    guard: BoxFuture<'static, ObjectGuard>,
}

/// The locked object, for the duration of the call.
pub(super) enum ObjectGuard {
    Shared(OwnedRwLockReadGuard<ObjectCell>),
    Exclusive(OwnedRwLockWriteGuard<ObjectCell>),
    /// For a method that takes `self`.
    Consuming(Consuming),
}

/// The object, and what to do once the method has taken it.
pub(super) struct Consuming {
    object: OwnedRwLockWriteGuard<ObjectCell>,
    when_taken: Option<Box<dyn FnOnce() + Send>>,
}

/// Runs a method when its turn has come. Dropping the future gives up the turn, or
/// cancels an async method at its next await. A sync method runs on and keeps its object
/// busy.
pub(super) async fn method(
    turn: QueueTurn,
    method: &'static Method,
    arguments: Arguments,
    token: TaskTrackerToken,
    progress: Option<Progress>,
) -> Result<Value> {
    let QueueTurn { index, guard } = turn;
    let guard = guard.await;
    let is_sync = !method.is_async && !method.streams;
    progress
        .inspect(|progress| progress.note(if is_sync { RunMode::Sync } else { RunMode::Async }));
    if is_sync {
        return blocking(token, move || guard.run_sync(index, arguments)).await;
    }
    let running = async move {
        let _token = token;
        guard.run_async(index, arguments).await
    };
    if method.finishes {
        // Its own task keeps running when this future is dropped. Panics are caught
        // inside.
        return tokio::spawn(running).await.unwrap_or_else(|_| Err(runtime_ended()));
    }
    running.await
}

/// Runs an object's sync code where it may block without delaying others. If the future
/// is dropped before the code has started, it never runs.
pub(super) async fn blocking<T: Send + 'static>(
    token: TaskTrackerToken,
    run: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let run = move || {
        let _token = token;
        panic::catch(run).flatten()
    };
    let run = match try_in_place(run) {
        Ok(result) => return result,
        Err(run) => run,
    };
    let permit = other_thread_permit().await;
    let running = run_aside(move || {
        let _permit = permit;
        run()
    });
    match running {
        Ok(running) => running.await.unwrap_or_else(|| Err(runtime_ended())),
        Err(_) => Err(no_thread()),
    }
}

/// Polls an object's async code and turns a panic into an exception.
pub(super) async fn catching_panics<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    // The object stays usable after a panic, like a local one behind a lock.
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .unwrap_or_else(|payload| Err(panic::exception(payload.as_ref())))
}

fn no_thread() -> Error {
    Error::new(ErrorKind::Limit, "failed to start a thread for the call in the daemon's process")
        .advise("raise the limit on threads (`ulimit -u`, `pids.max`), or make fewer calls at once")
}

fn runtime_ended() -> Error {
    Error::new(ErrorKind::Closed, "the daemon shut down before the call completed")
}

// === impl QueueTurn ===

impl QueueTurn {
    /// Queues a call of the method `index` of `object`. `when_taken` runs if the method
    /// takes the object.
    pub(super) fn enqueue(
        object: &ObjectRef,
        index: usize,
        method: &Method,
        when_taken: impl FnOnce() + Send + 'static,
    ) -> Self {
        let cell = object.cell.clone();
        let guard = match method.receiver {
            Receiver::Shared => enqueue(async { ObjectGuard::Shared(cell.read_owned().await) }),
            Receiver::Exclusive | Receiver::None => {
                enqueue(async { ObjectGuard::Exclusive(cell.write_owned().await) })
            }
            Receiver::Consuming => enqueue(async {
                let object = cell.write_owned().await;
                ObjectGuard::Consuming(Consuming { object, when_taken: Some(Box::new(when_taken)) })
            }),
        };
        QueueTurn { index, guard }
    }
}

impl QueueTurn {
    /// Queues exclusive access to `object`.
    pub(super) fn exclusive(object: &ObjectRef) -> Self {
        let cell = object.cell.clone();
        QueueTurn {
            index: 0,
            guard: enqueue(async { ObjectGuard::Exclusive(cell.write_owned().await) }),
        }
    }

    /// Waits for the turn. The object stays locked until the returned guard is dropped.
    pub(super) async fn acquire(self) -> impl Send + 'static {
        self.guard.await
    }
}

/// Polls the lock once, because the first poll puts the future in the lock's queue. The
/// task's budget is lifted for this poll: with an exhausted budget the lock would return
/// `Pending` without queueing.
fn enqueue(
    lock: impl Future<Output = ObjectGuard> + Send + 'static,
) -> BoxFuture<'static, ObjectGuard> {
    let mut waiting: BoxFuture<'static, ObjectGuard> = Box::pin(unconstrained(lock));
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(guard) => Box::pin(ready(guard)),
        Poll::Pending => waiting,
    }
}

// === impl ObjectGuard ===

impl ObjectGuard {
    /// Locks the object if nobody is in its queue.
    pub(super) fn try_lock(object: &ObjectRef, receiver: Receiver) -> Option<Self> {
        let cell = object.cell.clone();
        match receiver {
            Receiver::Shared => cell.try_read_owned().ok().map(ObjectGuard::Shared),
            Receiver::Exclusive => cell.try_write_owned().ok().map(ObjectGuard::Exclusive),
            // What they need besides the lock is the queue's to know.
            Receiver::None | Receiver::Consuming => None,
        }
    }

    pub(super) fn run_sync(self, index: usize, arguments: Arguments) -> Result<Value> {
        let now = |output: MethodOutput<'_>| match output {
            MethodOutput::Now(result) => result,
            MethodOutput::Later(_) | MethodOutput::Items(_) => Err(Error::new(
                ErrorKind::Protocol,
                "a method that is described as sync turned out to be async",
            )),
        };
        match self {
            ObjectGuard::Shared(object) => now(object.call_shared(index, arguments)),
            ObjectGuard::Exclusive(mut object) => now(object.call_exclusive(index, arguments)),
            ObjectGuard::Consuming(mut guard) => now(guard.object.call_consuming(index, arguments)),
        }
    }

    async fn run_async(self, index: usize, arguments: Arguments) -> Result<Value> {
        let end = match self {
            ObjectGuard::Shared(object) => finish(object.call_shared(index, arguments)).await?,
            ObjectGuard::Exclusive(mut object) => {
                finish(object.call_exclusive(index, arguments)).await?
            }
            ObjectGuard::Consuming(mut guard) => {
                finish(guard.object.call_consuming(index, arguments)).await?
            }
        };
        match end {
            MethodEnd::Value(value) => Ok(value),
            // The guard is dropped, so other calls proceed while the items are sent.
            MethodEnd::Items(stream) => catching_panics(stream.send()).await,
        }
    }
}

/// The outcome of a method.
enum MethodEnd {
    Value(Value),
    /// A stream that does not borrow the object.
    Items(OwnedItems),
}

async fn finish(output: MethodOutput<'_>) -> Result<MethodEnd> {
    match output {
        MethodOutput::Now(result) => result.map(MethodEnd::Value),
        MethodOutput::Later(future) => catching_panics(future).await.map(MethodEnd::Value),
        MethodOutput::Items(future) => catching_panics(future).await.map(MethodEnd::Items),
    }
}

/// Runs however the call ends, including by cancellation after the method took the
/// object.
impl Drop for Consuming {
    fn drop(&mut self) {
        if self.object.is_taken()
            && let Some(when_taken) = self.when_taken.take()
        {
            when_taken();
        }
    }
}
