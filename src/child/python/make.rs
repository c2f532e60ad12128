//! Makes a Python object, in a running interpreter or in a new one.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::child::object::{CallScope, ObjectRef};
use crate::child::python::answer;
use crate::child::python::interpreter::Payload;
use crate::child::python::object::{in_order, named, number};
use crate::child::python::pending_request::wait_for_object;
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
        let payload = payload(definition.source, arguments, keywords)?;
        let request = interpreter
            .send("make", payload, &mut |handle| number(&interpreter, &*scope, handle))?;
        let there = Arc::clone(&interpreter);
        wait_for_object(interpreter, request, move |frame| answer::object(&there, frame)).await
    })
}

fn payload(
    source: PythonSource,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
) -> Result<Payload> {
    let module = |name: String| if name.is_empty() { Value::Null.into() } else { name.into() };
    let kind = |kind: &'static str| ("kind", kind.into());
    let takes_none = |payload| match arguments.is_empty() && keywords.is_empty() {
        true => Ok(payload),
        false => {
            Err(Error::new(ErrorKind::BadArguments, "only an instance is made with arguments"))
        }
    };
    match source {
        PythonSource::Instance { module: from, name } => Ok(vec![
            kind("instance"),
            ("module", module(from)),
            ("name", name.into()),
            ("args", in_order(arguments)),
            ("kwargs", named(keywords)),
        ]),
        PythonSource::Name { module: from, name } => {
            takes_none(vec![kind("object"), ("module", module(from)), ("name", name.into())])
        }
        PythonSource::Module(name) => takes_none(vec![kind("module"), ("module", name.into())]),
        PythonSource::File(path) => takes_none(vec![kind("file"), ("path", path.into())]),
        PythonSource::Script { source, name } => {
            takes_none(vec![kind("script"), ("source", source.into()), ("name", name.into())])
        }
        PythonSource::Value => match <[Value; 1]>::try_from(arguments) {
            Ok([value]) => Ok(vec![kind("value"), ("value", value.into())]),
            Err(_) => Err(Error::new(ErrorKind::BadArguments, "an object is made of one value")),
        },
        PythonSource::Interpreter => takes_none(vec![kind("interpreter")]),
    }
}
