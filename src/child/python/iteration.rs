//! The items of a Python object, as the caller allows.

use std::sync::Arc;
use std::time::Instant;

use crate::child::object::{
    CallHold, CallScope, DynamicCall, STALL, stream_closed, unless_stalled,
};
use crate::child::python::answer;
use crate::child::python::object::{PythonObject, of, send};
use crate::child::python::pending_request::wait;
use crate::common::agent::{AgentRequest, BATCH, makes_items, malformed};
use crate::common::definition::{Operation, PythonOptions, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// Iterates over what a call returns, or over the object itself, and sends the items as
/// the caller allows. Other calls have their turns in between.
pub(super) async fn iterate(object: Arc<PythonObject>, call: DynamicCall) -> Result<Value> {
    let DynamicCall { operation, arguments, keywords, scope, hold } = call;
    // Checked first, so that nothing is called in vain.
    let channel = scope.channel().ok_or_else(|| {
        Error::new(ErrorKind::BadArguments, "a call has one response")
            .advise("iterate with `Objects.Iterate`")
    })?;
    let (returns, python) = (operation.returns, operation.python);
    let iterated = match operation.name.is_empty() {
        true => (object, hold),
        false => {
            // Nobody asks for a coroutine as a proxy here.
            let python = PythonOptions { is_awaited: true, ..python };
            let operation = Operation { returns: Returns::Handle, python, ..operation };
            let request = AgentRequest::of(object.number, operation, (arguments, keywords))?;
            (made(&object, &request, &scope, hold).await?, Box::new(()) as CallHold)
        }
    };
    let (iterated, hold) = iterated;
    let iter = AgentRequest::operator(iterated.number, "iter", Returns::Handle)
        .on_main_thread(python.is_on_main_thread);
    // Dropped before its end, it is closed if nothing else refers to it, as after a
    // `break`.
    let object = made(&iterated, &iter, &scope, hold).await?;
    drop(iterated);
    channel.open(makes_items(object.type_name()));
    loop {
        let room = unless_stalled(&*scope, channel.room()).await?;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller stopped the stream"));
        }
        let request = AgentRequest::items(object.number, room.min(BATCH), returns)
            .on_main_thread(python.is_on_main_thread);
        let sent = send(&object.interpreter, &request, &*scope)?;
        let begun = Instant::now();
        let items_scope = Arc::clone(&scope);
        let (items, is_exhausted) = wait(sent, Box::new(()), move |interpreter, frame| {
            answer::items(interpreter, frame, &items_scope)
        })
        .await?;
        let is_stalled = begun.elapsed() > STALL && scope.is_ending();
        if !items.is_empty() {
            channel.send(items, &scope).await?;
        }
        if is_exhausted {
            return Ok(Value::Null);
        }
        if is_stalled {
            return Err(stream_closed());
        }
    }
}

/// The Python object that a request returns.
async fn made(
    object: &PythonObject,
    request: &AgentRequest,
    scope: &Arc<dyn CallScope>,
    hold: CallHold,
) -> Result<Arc<PythonObject>> {
    let sent = send(&object.interpreter, request, &**scope)?;
    let made = wait(sent, hold, answer::object).await?;
    of(&made).ok_or_else(malformed)
}
