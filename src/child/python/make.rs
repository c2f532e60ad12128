//! Makes a Python object, in a running interpreter or in a new one.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::child::object::{CallScope, ObjectRef};
use crate::child::python::answer;
use crate::child::python::object::send;
use crate::child::python::pending_request::wait_for_object;
use crate::child::python::request::AgentRequest;
use crate::child::python::running_interpreters::pick;
use crate::common::definition::{PythonDefinition, PythonSource};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// Makes a Python object.
pub(crate) fn make(
    definition: PythonDefinition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: Arc<dyn CallScope>,
) -> BoxFuture<'static, Result<ObjectRef>> {
    Box::pin(async move {
        let interpreter = pick(&definition, &*scope).await?;
        let request = request(definition.source, arguments, keywords)?;
        let sent = send(&interpreter, &request, &*scope)?;
        // So that nothing but the request keeps it.
        drop(interpreter);
        wait_for_object(sent, answer::object).await
    })
}

fn request(
    source: PythonSource,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
) -> Result<AgentRequest> {
    let make = |kind: &str| AgentRequest::new("make").with("kind", kind);
    let module = |name: String| if name.is_empty() { Value::Null } else { name.into() };
    let takes_arguments = matches!(source, PythonSource::Instance { .. } | PythonSource::Value);
    let has_arguments = !arguments.is_empty() || !keywords.is_empty();
    if has_arguments && !takes_arguments {
        return Err(Error::new(ErrorKind::BadArguments, "only an instance takes arguments"));
    }
    Ok(match source {
        PythonSource::Instance { module: from, name } => {
            let request = make("instance").with("module", module(from)).with("name", name);
            request.with_arguments(arguments, keywords)
        }
        PythonSource::Name { module: from, name } => {
            make("object").with("module", module(from)).with("name", name)
        }
        PythonSource::Module(name) => make("module").with("module", name),
        PythonSource::File(path) => make("file").with("path", path),
        PythonSource::Script { source, name } => {
            make("script").with("source", source).with("name", name)
        }
        PythonSource::Value => match <[Value; 1]>::try_from(arguments) {
            Ok([value]) => make("value").with("value", value),
            Err(values) => {
                let message = format!("a Python value is made of one value, not {}", values.len());
                return Err(Error::new(ErrorKind::BadArguments, message));
            }
        },
        PythonSource::Interpreter => make("interpreter"),
    })
}
