//! The items of a Python object, in batches.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::child::object::{CallHold, CallScope, DynamicCall};
use crate::child::python::answer;
use crate::child::python::object::{PythonObject, of, send};
use crate::child::python::pending_request::wait;
use crate::common::agent::{AgentRequest, BATCH, malformed};
use crate::common::definition::{Operation, Returns};
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
    let returns = operation.returns;
    let iterated = match operation.name.is_empty() {
        true => (object, hold),
        false => {
            let operation = Operation { returns: Returns::Handle, ..operation };
            let request = AgentRequest::of(object.number, operation, (arguments, keywords))?;
            (made(&object, &request, &scope, hold).await?, Box::new(()) as CallHold)
        }
    };
    let (iterated, hold) = iterated;
    let iter = AgentRequest::operator(iterated.number, "iter", Returns::Handle);
    let object = made(&iterated, &iter, &scope, hold).await?;
    drop(iterated);
    let mut iterator = Iterator { object, is_exhausted: false };
    channel.open();
    loop {
        let room = channel.room().await;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller stopped the stream"));
        }
        let object = &iterator.object;
        let request = AgentRequest::items(object.number, room.min(BATCH), returns);
        let sent = send(&object.interpreter, &request, &*scope)?;
        let items_scope = Arc::clone(&scope);
        let (items, is_exhausted) = wait(sent, Box::new(()), move |interpreter, frame| {
            answer::items(interpreter, frame, &items_scope)
        })
        .await?;
        if !items.is_empty() {
            channel.send(items, &scope).await?;
        }
        if is_exhausted {
            iterator.is_exhausted = true;
            return Ok(Value::Null);
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

/// An iterator in the interpreter. Dropped before its end, it is closed, as a generator
/// is.
struct Iterator {
    object: Arc<PythonObject>,
    is_exhausted: bool,
}

impl Drop for Iterator {
    fn drop(&mut self) {
        if self.is_exhausted {
            return;
        }
        let PythonObject { interpreter, number, .. } = &*self.object;
        let close = AgentRequest::operator(*number, "close", Returns::Nothing);
        let closing = interpreter.send(&close, &mut |handle| Ok(handle.id()));
        // If the interpreter is dead, so is the iterator; if this runtime ends, so does
        // the interpreter.
        if let (Ok(mut closing), Ok(runtime)) = (closing, Handle::try_current()) {
            runtime.spawn(async move { drop(closing.answer().await) });
        }
    }
}
