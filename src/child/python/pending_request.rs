//! Waiting for the answers of an interpreter, and what becomes of a request that nobody
//! waits for any more: it is interrupted, and seen out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use crate::child::object::CallHold;
use crate::child::python::interpreter::{Request, RunningInterpreter};
use crate::common::error::{Error, ErrorKind, Result};

/// How long after an interruption it is said again, because code may swallow it; each
/// time twice as long. Not soon, for it would hit what the first had begun to tidy up.
const AGAIN: Duration = Duration::from_secs(5);

/// How long an interpreter may take to give up making its only object, when nobody waits
/// for that any more, before it is killed.
const GIVEN_UP: Duration = Duration::from_millis(500);

/// A larger answer is read on a thread of its own, so that others go on meanwhile.
const READ_ASIDE: usize = 1024 * 1024;

/// Waits for the answer to a request; `read` makes of it what it is. Dropped before, it
/// interrupts the interpreter, and `hold` goes when that has really done.
pub(super) async fn wait<T: Send + 'static>(
    interpreter: Arc<RunningInterpreter>,
    request: Request,
    hold: CallHold,
    read: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T> {
    PendingRequest { interpreter, operation: Some((request, hold, read)), makes: false }
        .answer()
        .await
}

/// As [`wait`], for the request that makes an object. An interpreter in which nothing
/// else lives is for nothing when that is given up.
pub(super) async fn wait_for_object<T: Send + 'static>(
    interpreter: Arc<RunningInterpreter>,
    request: Request,
    read: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let hold: CallHold = Box::new(interpreter.making());
    PendingRequest { interpreter, operation: Some((request, hold, read)), makes: true }
        .answer()
        .await
}

/// A request that is waited for.
struct PendingRequest<T: Send + 'static, R: FnOnce(&[u8]) -> Result<T> + Send + 'static> {
    interpreter: Arc<RunningInterpreter>,
    /// The request, and what is done with its answer by whoever comes first: the call, or
    /// the drop.
    operation: Option<(Request, CallHold, R)>,
    makes: bool,
}

impl<T: Send + 'static, R: FnOnce(&[u8]) -> Result<T> + Send + 'static> PendingRequest<T, R> {
    async fn answer(mut self) -> Result<T> {
        let (request, ..) = self.operation.as_mut().expect("it is taken below");
        let answer = request.answer().await;
        let (_, hold, read) = self.operation.take().expect("only the drop takes it too");
        read_aside(answer, hold, read).await
    }
}

impl<T: Send + 'static, R: FnOnce(&[u8]) -> Result<T> + Send + 'static> Drop
    for PendingRequest<T, R>
{
    fn drop(&mut self) {
        let Some((request, hold, read)) = self.operation.take() else { return };
        let interpreter = Arc::clone(&self.interpreter);
        interpreter.interrupt(request.id);
        let mut kill = interpreter.kill_when_stuck;
        if self.makes && interpreter.give_up_if_empty() {
            kill = Some(kill.map_or(GIVEN_UP, |grace| grace.min(GIVEN_UP)));
        }
        self.interpreter.runtime.spawn(async move {
            let answer = see_out(&interpreter, request, kill, true).await;
            // Nobody takes what it says, but it may say that there are objects to let go
            // of.
            drop(read_aside(answer, hold, read).await);
        });
    }
}

/// Sees to it that objects which have been given back are let go of, where that may take
/// no longer than `grace`.
pub(super) fn see_gone(interpreter: Arc<RunningInterpreter>, request: Request, grace: Duration) {
    let runtime = interpreter.runtime.clone();
    runtime.spawn(async move { drop(see_out(&interpreter, request, Some(grace), false).await) });
}

/// Waits for the answer to a request that nobody waits for. One that is stuck for `kill`
/// is interrupted, if it has not been, and stuck for as long again it is killed, with its
/// interpreter. What waits behind another is not stuck.
async fn see_out(
    interpreter: &RunningInterpreter,
    mut request: Request,
    kill: Option<Duration>,
    mut is_interrupted: bool,
) -> Result<Bytes> {
    let mut again = AGAIN;
    let mut was_running = interpreter.is_running(request.id);
    let mut stuck_at = kill.map(|grace| Instant::now() + grace);
    loop {
        let next = Instant::now() + again;
        if let Ok(answer) =
            timeout_at(stuck_at.map_or(next, |at| at.min(next)), request.answer()).await
        {
            return answer;
        }
        let is_running = interpreter.is_running(request.id);
        match kill.filter(|_| stuck_at.is_some_and(|at| at <= Instant::now())) {
            Some(_) if is_running && was_running && is_interrupted => {
                interpreter.kill();
                stuck_at = None;
            }
            Some(grace) => {
                if is_running && was_running {
                    interpreter.interrupt(request.id);
                    is_interrupted = true;
                }
                was_running = is_running;
                stuck_at = Some(Instant::now() + grace);
            }
            None => {
                interpreter.interrupt(request.id);
                again *= 2;
            }
        }
    }
}

/// Reads an answer; what is large where it holds up nobody.
async fn read_aside<T: Send + 'static>(
    answer: Result<Bytes>,
    hold: CallHold,
    read: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let is_small = answer.as_ref().map_or(0, Bytes::len) < READ_ASIDE;
    let reading = move || {
        let read = answer.and_then(|frame| read(&frame));
        drop(hold);
        read
    };
    let ended =
        |_| Err(Error::new(ErrorKind::Closed, "the daemon shut down before the call completed"));
    match is_small {
        true => reading(),
        false => tokio::task::spawn_blocking(reading).await.unwrap_or_else(ended),
    }
}
