//! Makes a Python object, in a running interpreter or in a new one.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::child::object::{CallScope, ObjectRef};
use crate::child::python::answer;
use crate::child::python::object::send;
use crate::child::python::pending_request::wait_for_object;
use crate::child::python::running_interpreters::pick;
use crate::common::agent::AgentRequest;
use crate::common::definition::PythonDefinition;
use crate::common::error::Result;
use crate::common::value::Value;

/// Makes a Python object.
pub(super) fn make(
    definition: PythonDefinition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: Arc<dyn CallScope>,
) -> BoxFuture<'static, Result<ObjectRef>> {
    Box::pin(async move {
        let interpreter = pick(&definition, &*scope).await?;
        let request = AgentRequest::make(definition.source, (arguments, keywords))?;
        let sent = send(&interpreter, &request, &*scope)?;
        // So that nothing but the request keeps it.
        drop(interpreter);
        wait_for_object(sent, answer::object).await
    })
}
