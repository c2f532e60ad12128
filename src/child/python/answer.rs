//! The answers of an interpreter.

use std::sync::Arc;

use crate::child::object::{CallScope, DynamicDescription, DynamicMethod, ObjectRef};
use crate::child::python::answer_fields::AnswerFields;
use crate::child::python::exception;
use crate::child::python::interpreter::RunningInterpreter;
use crate::child::python::marshal::{AgentFrame, AgentHandle, Item};
use crate::child::python::object::{arrive, own};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// Reads an answer; what it hands out is the caller's.
pub(super) fn read(
    interpreter: &Arc<RunningInterpreter>,
    frame: &[u8],
    scope: &Arc<dyn CallScope>,
) -> Result<Value> {
    value(interpreter, outcome(frame)?, scope)
}

/// Reads some items of an iterator, and whether it has no more.
pub(super) fn items(
    interpreter: &Arc<RunningInterpreter>,
    frame: &[u8],
    scope: &Arc<dyn CallScope>,
) -> Result<(Vec<Value>, bool)> {
    let [items, is_done] = outcome(frame)?.into_array()?;
    let items = items.into_items()?.into_iter().map(|item| value(interpreter, item, scope));
    Ok((items.collect::<Result<_>>()?, is_done.bool()?))
}

fn value(
    interpreter: &Arc<RunningInterpreter>,
    item: Item,
    scope: &Arc<dyn CallScope>,
) -> Result<Value> {
    let hand_out = &mut |object: AgentHandle| {
        let handle = scope.hand_out(&arrive(interpreter, object.number, &object.type_name));
        Ok(handle.named(object.name))
    };
    let value = item.into_value(hand_out).and_then(|value| {
        value.check_depth(scope.depth_limit())?;
        scope.hand_over(&value);
        Ok(value)
    });
    scope.made();
    value
}

/// Reads the one object that an answer is.
pub(super) fn object(interpreter: &Arc<RunningInterpreter>, frame: &[u8]) -> Result<ObjectRef> {
    let mut arrived = None;
    outcome(frame)?.into_value(&mut |object: AgentHandle| {
        arrived = Some(arrive(interpreter, object.number, &object.type_name));
        Ok(own(object.number))
    })?;
    arrived.ok_or_else(senseless)
}

/// Reads what an object says of itself.
pub(super) fn description(frame: &[u8]) -> Result<DynamicDescription> {
    let mut said = AnswerFields::of(outcome(frame)?)?;
    Ok(DynamicDescription {
        type_name: said.text("type")?.unwrap_or_default(),
        documentation: said.text("doc")?.unwrap_or_default(),
        methods: said.items("methods", method)?,
        attributes: said.items("attributes", Item::into_text)?,
    })
}

fn method(said: Item) -> Result<DynamicMethod> {
    let mut said = AnswerFields::of(said)?;
    let name = said.text("name")?.unwrap_or_default();
    let parameter = |item: Item| {
        let [name, written] = item.into_array()?;
        Ok((
            name.into_text()?,
            if written.is_none() { String::new() } else { written.into_text()? },
        ))
    };
    Ok(DynamicMethod {
        signature: format!(
            "def {name}{}",
            said.text("signature")?.unwrap_or_else(|| "(...)".to_owned())
        ),
        name,
        documentation: said.text("doc")?.unwrap_or_default(),
        parameters: said.items("parameters", parameter)?,
        returns: said.text("returns")?.unwrap_or_default(),
    })
}

fn outcome(frame: &[u8]) -> Result<Item> {
    let AgentFrame { word, payload, .. } = AgentFrame::decode(frame)?;
    match word.as_str() {
        "value" => Ok(payload),
        "raised" => Err(Error::from_exception(exception::read(payload)?)),
        "failed" => {
            let [code, message] = payload.into_array()?;
            Err(Error::new(kind(&code.into_text()?), message.into_text()?))
        }
        _ => Err(senseless()),
    }
}

fn kind(code: &str) -> ErrorKind {
    match code {
        "no_such_object" => ErrorKind::NoSuchObject,
        "no_such_operation" => ErrorKind::NoSuchMethod,
        "bad_arguments" => ErrorKind::BadArguments,
        "not_a_value" => ErrorKind::WrongType,
        "too_deep" => ErrorKind::TooDeep,
        "too_large" => ErrorKind::TooLarge,
        "interrupted" => ErrorKind::Cancelled,
        _ => ErrorKind::Protocol,
    }
}

fn senseless() -> Error {
    Error::new(ErrorKind::Protocol, "the interpreter's answer is none")
}
