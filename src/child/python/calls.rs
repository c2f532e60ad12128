//! What a caller can ask of a Python object: each operation is a request to the agent,
//! whose answer is converted.

use std::future::ready;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::child::object::{Dynamic, DynamicCall};
use crate::child::python::answer;
use crate::child::python::iteration::iterate;
use crate::child::python::object::{PythonObject, send};
use crate::child::python::pending_request::wait;
use crate::common::agent::{AgentRequest, no_handles};
use crate::common::definition::{Action, DynamicDescription, InterpreterFacts};
use crate::common::error::Result;
use crate::common::value::Value;

impl Dynamic for PythonObject {
    fn call(self: Arc<Self>, call: DynamicCall) -> BoxFuture<'static, Result<Value>> {
        if call.operation.action == Action::Iterate {
            return Box::pin(iterate(self, call));
        }
        let DynamicCall { operation, arguments, keywords, scope, hold } = call;
        let sent = AgentRequest::of(self.number, operation, (arguments, keywords))
            .and_then(|request| send(&self.interpreter, &request, &*scope));
        match sent {
            Ok(sent) => Box::pin(wait(sent, hold, move |interpreter, frame| {
                answer::value(interpreter, frame, &scope)
            })),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn describe(self: Arc<Self>) -> BoxFuture<'static, Result<DynamicDescription>> {
        match self.interpreter.send(&AgentRequest::describe(self.number), &mut no_handles) {
            Ok(sent) => Box::pin(wait(sent, Box::new(()), answer::description)),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn id(&self) -> u64 {
        self.object_id().to_number()
    }

    fn interpreter(&self) -> Option<InterpreterFacts> {
        Some(self.interpreter.facts().clone())
    }

    fn died(&self) -> Option<BoxFuture<'static, ()>> {
        let died = self.interpreter.died();
        (!died.is_cancelled()).then(|| Box::pin(died.cancelled_owned()) as BoxFuture<'static, ()>)
    }
}
