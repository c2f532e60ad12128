//! Makes a Python object, in an interpreter that is there or in a new one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use uuid::Uuid;

use crate::definition::{PythonDefinition, PythonSource};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Boxed, Living, Reach};
use crate::python::answer;
use crate::python::interpreter::{Interpreter, Payload};
use crate::python::object::{in_order, named, number};
use crate::python::start::{Limits, START, start};
use crate::python::waiting::wait_for_object;
use crate::value::Value;

/// The interpreters of each daemon, by how they were asked for, so that objects which are asked for alike live together.
static INTERPRETERS: std::sync::Mutex<Option<HashMap<Key, Place>>> = std::sync::Mutex::new(None);

type Key = (Uuid, String, Vec<String>, Option<Duration>);
/// Locked while one is started.
type Place = Arc<Mutex<Weak<Interpreter>>>;

/// Makes a Python object.
pub(crate) fn make(
    definition: PythonDefinition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    reach: Arc<dyn Reach>,
) -> Boxed<Result<Living>> {
    Box::pin(async move {
        let interpreter = running(&definition, &*reach).await?;
        let payload = payload(definition.source, arguments, keywords)?;
        let request = interpreter.send("make", payload, &mut |handle| number(&interpreter, &*reach, handle))?;
        let there = Arc::clone(&interpreter);
        wait_for_object(interpreter, request, move |frame| answer::object(&there, frame)).await
    })
}

async fn running(definition: &PythonDefinition, reach: &dyn Reach) -> Result<Arc<Interpreter>> {
    let PythonDefinition { interpreter, path, kill_when_stuck, .. } = definition;
    let key = (reach.daemon(), interpreter.clone(), path.clone(), *kill_when_stuck);
    let place = {
        let mut interpreters = INTERPRETERS.lock().unwrap_or_else(PoisonError::into_inner);
        let interpreters = interpreters.get_or_insert_with(HashMap::new);
        // Those of daemons within this process that have ended.
        interpreters.retain(|known, place| *known == key || Arc::strong_count(place) > 1 || is_alive(place));
        Arc::clone(interpreters.entry(key).or_default())
    };
    let limit = definition.start_timeout.unwrap_or(START);
    let late = |_| {
        let message = format!("another object, asked for alike, has not got its interpreter within {limit:?}");
        Error::new(ErrorKind::Spawn, message)
    };
    let mut place = timeout(limit, place.lock()).await.map_err(late)?;
    if let Some(interpreter) = place.upgrade().filter(|interpreter| interpreter.is_wanted()) {
        return Ok(interpreter);
    }
    let limits = Limits { depth: reach.depth_limit(), message: reach.message_limit() };
    let started = Arc::new(start(definition.clone(), limits).await?);
    *place = Arc::downgrade(&started);
    Ok(started)
}

fn is_alive(place: &Place) -> bool {
    place.try_lock().is_ok_and(|place| place.strong_count() > 0)
}

fn payload(source: PythonSource, arguments: Vec<Value>, keywords: Vec<(String, Value)>) -> Result<Payload> {
    let module = |name: String| if name.is_empty() { Value::Null.into() } else { name.into() };
    let kind = |kind: &'static str| ("kind", kind.into());
    let takes_none = |payload| match arguments.is_empty() && keywords.is_empty() {
        true => Ok(payload),
        false => Err(Error::new(ErrorKind::BadArguments, "only an instance is made with arguments")),
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
