//! The answers of an interpreter.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Living, MethodDescription, Reach, SelfDescription};
use crate::python::exception;
use crate::python::interpreter::Interpreter;
use crate::python::marshal::decode;
use crate::python::object::{arrive, own};
use crate::value::{Handle, Value, from_value};

/// Reads an answer; what it hands out is the caller's.
pub(super) fn read(interpreter: &Arc<Interpreter>, frame: &[u8], reach: &Arc<dyn Reach>) -> Result<Value> {
    let value = outcome(frame, &mut |number, type_name| Ok(reach.hand_out(&arrive(interpreter, number, type_name))))?;
    value.check_depth(reach.depth_limit())?;
    Ok(value)
}

/// Reads the one object that an answer is.
pub(super) fn object(interpreter: &Arc<Interpreter>, frame: &[u8]) -> Result<Living> {
    let mut arrived = None;
    outcome(frame, &mut |number, type_name| {
        arrived = Some(arrive(interpreter, number, type_name));
        Ok(own(number))
    })?;
    arrived.ok_or_else(senseless)
}

/// Reads what an object says of itself.
pub(super) fn description(frame: &[u8]) -> Result<SelfDescription> {
    #[derive(serde::Deserialize)]
    struct Method {
        name: String,
        doc: Option<String>,
        signature: Option<String>,
        parameters: Vec<(String, Option<String>)>,
        returns: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Description {
        #[serde(rename = "type")]
        type_name: String,
        doc: Option<String>,
        methods: Vec<Method>,
        attributes: Vec<String>,
    }
    let said: Description = from_value(outcome(frame, &mut |number, _| Ok(own(number)))?)?;
    let method = |method: Method| MethodDescription {
        signature: format!("def {}{}", method.name, method.signature.unwrap_or_else(|| "(...)".to_owned())),
        name: method.name,
        documentation: method.doc.unwrap_or_default(),
        parameters: method.parameters.into_iter().map(|(name, written)| (name, written.unwrap_or_default())).collect(),
        returns: method.returns.unwrap_or_default(),
    };
    Ok(SelfDescription {
        type_name: said.type_name,
        documentation: said.doc.unwrap_or_default(),
        methods: said.methods.into_iter().map(method).collect(),
        attributes: said.attributes,
    })
}

fn outcome(frame: &[u8], take: &mut dyn FnMut(u64, &str) -> Result<Handle>) -> Result<Value> {
    let Value::Tuple(parts) = decode(frame, take)? else { return Err(senseless()) };
    let Ok([_, Value::Text(status), payload]) = <[Value; 3]>::try_from(parts) else { return Err(senseless()) };
    match (status.as_str(), payload) {
        ("value", value) => Ok(value),
        ("raised", said) => Err(Error::from_exception(exception::read(said))),
        ("failed", Value::Tuple(parts)) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::Text(code), Value::Text(message)]) => Err(Error::new(kind(&code), message)),
            _ => Err(senseless()),
        },
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
