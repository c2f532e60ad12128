//! Waiting for the answers of an interpreter. A request that nobody waits for any more is
//! interrupted, and its answer is awaited in the background.

use std::sync::Arc;
use std::time::Duration;

use crate::child::object::CallHold;
use crate::child::python::interpreter::{RunningInterpreter, SentRequest};
use crate::common::agent::{AgentRequest, Frame, Interruptible as _, watch_stuck};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::threads::aside_or_here;

/// How long an interpreter may take to stop making its only object, once nobody waits for
/// that object, before the interpreter is killed.
const GIVE_UP_AFTER: Duration = Duration::from_millis(500);

/// A larger answer is read on a thread of its own, so that others go on meanwhile.
const MAX_READ_HERE: usize = 1024 * 1024;

/// Waits for the answer to a request and converts it by `read`. If the future is dropped,
/// the request is interrupted. `hold` is dropped once the interpreter has really
/// finished.
pub(super) async fn wait<T, R>(sent: SentRequest, mut hold: CallHold, read: R) -> Result<T>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    match sent.interpreter.has_threads {
        // It keeps the order itself, and says when the call begins.
        true => hold.give_up_turn(),
        false => hold.note_begun(),
    }
    PendingRequest { waiting: Some((sent, hold, read)), makes: false }.answer().await
}

/// The same for a request that makes an object. If it is given up, an interpreter that
/// has no other object is of no use.
pub(super) async fn wait_for_object<T, R>(sent: SentRequest, read: R) -> Result<T>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    let hold: CallHold = Box::new(sent.interpreter.making());
    PendingRequest { waiting: Some((sent, hold, read)), makes: true }.answer().await
}

/// Gives handles back. An object whose release takes too long is treated as stuck.
pub(super) fn release(interpreter: &Arc<RunningInterpreter>, number: u64, count: u64) {
    let request = AgentRequest::release(number, count);
    let Some(grace) = interpreter.kill_when_stuck else { return interpreter.post(&request) };
    // If the interpreter is dead, there is nothing to give back.
    if let Ok(sent) = interpreter.send(&request, &mut |handle| Ok(handle.id())) {
        let runtime = interpreter.runtime.clone();
        runtime.spawn(async move { drop(finish(sent, Some(grace), false).await) });
    }
}

/// A request whose caller waits.
struct PendingRequest<T, R>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    /// The request and the conversion of its answer, until the call or the drop takes
    /// them.
    waiting: Option<(SentRequest, CallHold, R)>,
    makes: bool,
}

impl<T, R> PendingRequest<T, R>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    async fn answer(mut self) -> Result<T> {
        let (sent, hold, _) = self.waiting.as_mut().expect("only what follows takes it");
        if sent.begun().await {
            hold.note_begun();
            hold.give_up_turn();
        }
        let answer = sent.answer().await;
        let (sent, hold, read) = self.waiting.take().expect("only the drop takes it too");
        convert(sent.interpreter, answer, hold, read).await
    }
}

impl<T, R> Drop for PendingRequest<T, R>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    fn drop(&mut self) {
        let Some((sent, hold, read)) = self.waiting.take() else { return };
        let interpreter = Arc::clone(&sent.interpreter);
        interpreter.interrupt(sent.id);
        let mut kill = interpreter.kill_when_stuck;
        if self.makes && interpreter.give_up_if_empty() {
            kill = Some(kill.map_or(GIVE_UP_AFTER, |grace| grace.min(GIVE_UP_AFTER)));
        }
        interpreter.runtime.clone().spawn(async move {
            let answer = finish(sent, kill, true).await;
            // Nobody takes the result, but it may contain objects to release.
            drop(convert(interpreter, answer, hold, read).await);
        });
    }
}

/// Waits for the answer to a request whose caller does not wait; see [`watch_stuck`].
async fn finish(
    mut sent: SentRequest,
    kill: Option<Duration>,
    is_interrupted: bool,
) -> Result<Frame> {
    let (interpreter, id) = (Arc::clone(&sent.interpreter), sent.id);
    tokio::select! {
        biased;
        answer = sent.answer() => answer,
        never = watch_stuck(&*interpreter, id, kill, is_interrupted) => match never {},
    }
}

/// Reads an answer; a large one where it blocks nobody.
async fn convert<T, R>(
    interpreter: Arc<RunningInterpreter>,
    answer: Result<Frame>,
    hold: CallHold,
    read: R,
) -> Result<T>
where
    T: Send + 'static,
    R: FnOnce(&Arc<RunningInterpreter>, &Frame) -> Result<T> + Send + 'static,
{
    let is_small = answer.as_ref().map_or(0, Frame::len) < MAX_READ_HERE;
    let reading = move || {
        let read = answer.and_then(|frame| read(&interpreter, &frame));
        drop(hold);
        read
    };
    let ended =
        || Err(Error::new(ErrorKind::Closed, "the daemon shut down before the call completed"));
    match is_small {
        true => reading(),
        false => aside_or_here(reading).await.unwrap_or_else(ended),
    }
}
