//! Makes a Python object, in an interpreter that is there or in a new one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

use crate::child::object::{CallScope, ObjectRef};
use crate::child::python::answer;
use crate::child::python::interpreter::{Payload, RunningInterpreter};
use crate::child::python::object::{in_order, named, number};
use crate::child::python::pending_request::wait_for_object;
use crate::child::python::start::{AgentLimits, START, start};
use crate::common::definition::{PythonDefinition, PythonSource};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// The interpreters of each daemon, by how they were asked for, so that objects which are
/// asked for alike live together.
static INTERPRETERS: std::sync::Mutex<Option<HashMap<Key, InterpreterSlot>>> =
    std::sync::Mutex::new(None);

type Key = (Uuid, String, Vec<String>, Option<Duration>);
/// Locked while one is started.
type InterpreterSlot = Arc<Mutex<Weak<RunningInterpreter>>>;

/// Makes a Python object.
pub(crate) fn make(
    definition: PythonDefinition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: Arc<dyn CallScope>,
) -> BoxFuture<'static, Result<ObjectRef>> {
    Box::pin(async move {
        let interpreter = running(&definition, &*scope).await?;
        let payload = payload(definition.source, arguments, keywords)?;
        let request = interpreter
            .send("make", payload, &mut |handle| number(&interpreter, &*scope, handle))?;
        let there = Arc::clone(&interpreter);
        wait_for_object(interpreter, request, move |frame| answer::object(&there, frame)).await
    })
}

async fn running(
    definition: &PythonDefinition,
    scope: &dyn CallScope,
) -> Result<Arc<RunningInterpreter>> {
    let PythonDefinition { interpreter, path, kill_when_stuck, .. } = definition;
    let key = (scope.daemon(), interpreter.clone(), path.clone(), *kill_when_stuck);
    let place = {
        let mut interpreters = INTERPRETERS.lock().unwrap_or_else(PoisonError::into_inner);
        let interpreters = interpreters.get_or_insert_with(HashMap::new);
        // Those of daemons within this process that have ended.
        interpreters.retain(|known, place| {
            *known == key || Arc::strong_count(place) > 1 || is_alive(place)
        });
        Arc::clone(interpreters.entry(key).or_default())
    };
    let limit = definition.start_timeout.unwrap_or(START);
    let late = |_| {
        let message = format!(
            "another object, asked for alike, has not got its interpreter within {limit:?}"
        );
        Error::new(ErrorKind::Spawn, message)
    };
    let mut place = timeout(limit, place.lock()).await.map_err(late)?;
    if let Some(interpreter) = place.upgrade().filter(|interpreter| interpreter.is_wanted()) {
        return Ok(interpreter);
    }
    let limits = AgentLimits { depth: scope.depth_limit(), message: scope.message_limit() };
    let started = Arc::new(start(definition.clone(), limits).await?);
    *place = Arc::downgrade(&started);
    Ok(started)
}

fn is_alive(place: &InterpreterSlot) -> bool {
    place.try_lock().is_ok_and(|place| place.strong_count() > 0)
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
    }
}
