//! The items of a Python object, in batches.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::child::object::{CallHold, CallScope};
use crate::child::python::answer;
use crate::child::python::marshal::Item;
use crate::child::python::object::{PythonObject, of, own, returns};
use crate::child::python::pending_request::wait;
use crate::common::definition::{Operation, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// The most items that are asked for at once.
const BATCH: usize = 256;

/// Iterates over what a call returns, or over the object itself, and sends the items as
/// far as the caller allows. Others have their turns in between.
pub(super) async fn iterate(
    object: Arc<PythonObject>,
    operation: Operation,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: Arc<dyn CallScope>,
    hold: CallHold,
) -> Result<Value> {
    // Before anything is called for nobody.
    let channel = scope.channel().ok_or_else(|| {
        Error::new(ErrorKind::BadArguments, "a call has one answer")
            .advise("iterate by `Objects.Iterate`")
    })?;
    let wanted = operation.returns;
    let is_call = !operation.name.is_empty();
    let interpreter = Arc::clone(&object.interpreter);
    let request = object.first_request(operation, arguments, keywords, &*scope)?;
    let there = Arc::clone(&interpreter);
    let mut object =
        wait(Arc::clone(&interpreter), request, hold, move |frame| answer::object(&there, frame))
            .await?;
    if is_call {
        let iterated = of(&object).ok_or_else(senseless)?;
        let iter =
            Operation { name: String::new(), returns: Returns::Handle, ..Operation::call("") };
        let request = iterated.first_request(iter, Vec::new(), Vec::new(), &*scope)?;
        let there = Arc::clone(&interpreter);
        object = wait(Arc::clone(&interpreter), request, Box::new(()), move |frame| {
            answer::object(&there, frame)
        })
        .await?;
    }
    let mut iterator = Iterator { object: of(&object).ok_or_else(senseless)?, is_done: false };
    channel.open();
    loop {
        let room = channel.room().await;
        if room == 0 {
            return Err(Error::new(ErrorKind::Cancelled, "the caller stopped the stream"));
        }
        let count = room.min(BATCH);
        let payload = vec![
            ("target", iterator.object.number.into()),
            ("count", (count as i64).into()),
            ("returns", returns(wanted)),
        ];
        let request = iterator.object.send("iterate", payload, &*scope)?;
        let (there, given) = (Arc::clone(&interpreter), Arc::clone(&scope));
        let read = move |frame: &[u8]| answer::items(&there, frame, &given);
        let (items, is_done) = wait(Arc::clone(&interpreter), request, Box::new(()), read).await?;
        if !items.is_empty() {
            channel.send(items, &scope).await?;
        }
        if is_done {
            iterator.is_done = true;
            return Ok(Value::Null);
        }
    }
}

/// An iterator there. Dropped before its end, it is closed, as a generator is.
struct Iterator {
    object: Arc<PythonObject>,
    is_done: bool,
}

impl Drop for Iterator {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let operands = Item::List(vec![Value::Handle(own(self.object.number)).into()]);
        let payload = vec![
            ("operator", "close".into()),
            ("operands", operands),
            ("returns", returns(Returns::Fitting)),
        ];
        let closing =
            self.object.interpreter.send("operate", payload, &mut |handle| Ok(handle.id()));
        // If the interpreter is dead, so is the iterator; if this runtime ends, so does
        // the interpreter.
        if let (Ok(mut closing), Ok(runtime)) = (closing, Handle::try_current()) {
            let interpreter = Arc::clone(&self.object.interpreter);
            // What it answers is let go of.
            runtime.spawn(async move {
                drop(closing.answer().await.and_then(|frame| answer::object(&interpreter, &frame)))
            });
        }
    }
}

fn senseless() -> Error {
    Error::new(ErrorKind::Protocol, "the interpreter's answer is none")
}
