//! One call of a method: its turn, its run, its answer.

use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use tokio::task::coop::unconstrained;
use tokio_util::task::AbortOnDropHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::{Error, ErrorKind, Result};
use crate::host::progress::{Progress, Runs};
use crate::object::{
    Answer, Apart, Arguments, Kept, Living, Method, Receiver, panic, place_on_other_threads, try_in_place,
};
use crate::value::Value;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A place in an object's queue, taken when it is made.
pub(super) struct Turn {
    index: usize,
    guard: Boxed<Guard>,
}

/// The object, for as long as the call lasts.
enum Guard {
    Shared(OwnedRwLockReadGuard<Kept>),
    Exclusive(OwnedRwLockWriteGuard<Kept>),
    /// For a method that takes `self`.
    Consuming(Consuming),
}

/// The object and what is to be done once it is known to have been taken.
struct Consuming {
    object: OwnedRwLockWriteGuard<Kept>,
    when_taken: Option<Box<dyn FnOnce() + Send>>,
}

/// Runs a method when its turn has come. Dropping the future gives the turn up, or cancels an async method at its next await; a
/// sync one runs on and keeps its object meanwhile.
pub(super) async fn method(
    turn: Turn,
    method: &'static Method,
    arguments: Arguments,
    token: TaskTrackerToken,
    progress: Option<Progress>,
) -> Result<Value> {
    let Turn { index, guard } = turn;
    let guard = guard.await;
    let is_sync = !method.is_async && !method.streams;
    progress.inspect(|progress| progress.note(if is_sync { Runs::Sync } else { Runs::Async }));
    if is_sync {
        return blocking(token, move || guard.run_sync(index, arguments)).await;
    }
    let running = async move {
        let _token = token;
        guard.run_async(index, arguments).await
    };
    if method.finishes {
        // On a task of its own, so that it goes on when this future is dropped. Its panics are caught inside.
        return tokio::spawn(running).await.unwrap_or_else(|_| Err(runtime_ended()));
    }
    running.await
}

/// Runs an object's sync code where it may take as long as it likes, and holds up nobody. Dropped before it has begun, it never does.
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
    let place = place_on_other_threads().await;
    let running = AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
        let _place = place;
        run()
    }));
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
    /// Takes a place in the queue of `object` for the method `index`. A method that takes the object calls `when_taken`.
    pub(super) fn enqueue(
        object: &Living,
        index: usize,
        method: &Method,
        when_taken: impl FnOnce() + Send + 'static,
    ) -> Self {
        let cell = object.cell.clone();
        let guard = match method.receiver {
            Receiver::Shared => enqueue(async { Guard::Shared(cell.read_owned().await) }),
            Receiver::Exclusive | Receiver::None => enqueue(async { Guard::Exclusive(cell.write_owned().await) }),
            Receiver::Consuming => enqueue(async {
                let object = cell.write_owned().await;
                Guard::Consuming(Consuming { object, when_taken: Some(Box::new(when_taken)) })
            }),
        };
        Turn { index, guard }
    }
}

impl Turn {
    /// Takes a place in the queue of `object`, to have it alone.
    pub(super) fn alone(object: &Living) -> Self {
        let cell = object.cell.clone();
        Turn { index: 0, guard: enqueue(async { Guard::Exclusive(cell.write_owned().await) }) }
    }

    /// Waits for the turn, and holds the object until what comes of this is dropped.
    pub(super) async fn taken(self) -> impl Send + 'static {
        self.guard.await
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
    fn run_sync(self, index: usize, arguments: Arguments) -> Result<Value> {
        let now = |answer: Answer<'_>| match answer {
            Answer::Now(result) => result,
            Answer::Later(_) | Answer::Apart(_) => {
                Err(Error::new(ErrorKind::Protocol, "a method described as sync is async"))
            }
        };
        match self {
            Guard::Shared(object) => now(object.call_shared(index, arguments)),
            Guard::Exclusive(mut object) => now(object.call_exclusive(index, arguments)),
            Guard::Consuming(mut guard) => now(guard.object.call_consuming(index, arguments)),
        }
    }

    async fn run_async(self, index: usize, arguments: Arguments) -> Result<Value> {
        let apart = match self {
            Guard::Shared(object) => later(object.call_shared(index, arguments)).await?,
            Guard::Exclusive(mut object) => later(object.call_exclusive(index, arguments)).await?,
            Guard::Consuming(mut guard) => later(guard.object.call_consuming(index, arguments)).await?,
        };
        match apart {
            Ended::With(value) => Ok(value),
            // The guard is gone: others have their turns while the items are sent.
            Ended::Apart(stream) => unwinding(stream.send()).await,
        }
    }
}

/// How a method has ended.
enum Ended {
    With(Value),
    /// With a stream that does not need the object.
    Apart(Apart),
}

async fn later(answer: Answer<'_>) -> Result<Ended> {
    match answer {
        Answer::Now(result) => result.map(Ended::With),
        Answer::Later(future) => unwinding(future).await.map(Ended::With),
        Answer::Apart(future) => unwinding(future).await.map(Ended::Apart),
    }
}

/// However the call has ended: also by its cancel, after it had taken the object.
impl Drop for Consuming {
    fn drop(&mut self) {
        if self.object.is_taken()
            && let Some(when_taken) = self.when_taken.take()
        {
            when_taken();
        }
    }
}
