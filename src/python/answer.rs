//! The answers of an interpreter.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Living, MethodDescription, Reach, SelfDescription};
use crate::python::exception;
use crate::python::fields::Fields;
use crate::python::interpreter::Interpreter;
use crate::python::marshal::{Frame, Item};
use crate::python::object::{arrive, own};
use crate::value::Value;

/// Reads an answer; what it hands out is the caller's.
pub(super) fn read(interpreter: &Arc<Interpreter>, frame: &[u8], reach: &Arc<dyn Reach>) -> Result<Value> {
    value(interpreter, outcome(frame)?, reach)
}

/// Reads some items of an iterator, and whether it has no more.
pub(super) fn items(
    interpreter: &Arc<Interpreter>,
    frame: &[u8],
    reach: &Arc<dyn Reach>,
) -> Result<(Vec<Value>, bool)> {
    let [items, is_done] = outcome(frame)?.into_array()?;
    let items = items.into_items()?.into_iter().map(|item| value(interpreter, item, reach));
    Ok((items.collect::<Result<_>>()?, is_done.bool()?))
}

fn value(interpreter: &Arc<Interpreter>, item: Item, reach: &Arc<dyn Reach>) -> Result<Value> {
    let hand_out = &mut |number, type_name: &str| Ok(reach.hand_out(&arrive(interpreter, number, type_name)));
    let value = item.into_value(hand_out).and_then(|value| {
        value.check_depth(reach.depth_limit())?;
        reach.hand_over(&value);
        Ok(value)
    });
    reach.made();
    value
}

/// Reads the one object that an answer is.
pub(super) fn object(interpreter: &Arc<Interpreter>, frame: &[u8]) -> Result<Living> {
    let mut arrived = None;
    outcome(frame)?.into_value(&mut |number, type_name: &str| {
        arrived = Some(arrive(interpreter, number, type_name));
        Ok(own(number))
    })?;
    arrived.ok_or_else(senseless)
}

/// Reads what an object says of itself.
pub(super) fn description(frame: &[u8]) -> Result<SelfDescription> {
    let mut said = Fields::of(outcome(frame)?)?;
    Ok(SelfDescription {
        type_name: said.text("type")?.unwrap_or_default(),
        documentation: said.text("doc")?.unwrap_or_default(),
        methods: said.items("methods", method)?,
        attributes: said.items("attributes", Item::into_text)?,
    })
}

fn method(said: Item) -> Result<MethodDescription> {
    let mut said = Fields::of(said)?;
    let name = said.text("name")?.unwrap_or_default();
    let parameter = |item: Item| {
        let [name, written] = item.into_array()?;
        Ok((name.into_text()?, if written.is_none() { String::new() } else { written.into_text()? }))
    };
    Ok(MethodDescription {
        signature: format!("def {name}{}", said.text("signature")?.unwrap_or_else(|| "(...)".to_owned())),
        name,
        documentation: said.text("doc")?.unwrap_or_default(),
        parameters: said.items("parameters", parameter)?,
        returns: said.text("returns")?.unwrap_or_default(),
    })
}

fn outcome(frame: &[u8]) -> Result<Item> {
    let Frame { word, payload, .. } = Frame::decode(frame)?;
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
