//! Turns a definition into an object.

use std::sync::Arc;

use crate::child::object::{
    Arguments, CallScope, Construction, call_scope, interface, python, registry, unknown_method,
};
use crate::common::definition::Definition;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// Makes the object that `definition` describes. A sync constructor runs immediately.
///
/// # Errors
///
/// [`ErrorKind::NoSuchMethod`] for an unknown type or constructor, or a type that lacks
/// the requested interface; [`ErrorKind::BadArguments`] for arguments that do not fit.
/// The constructor's own error is in the [`Construction`].
pub(crate) fn make(
    definition: &Definition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: &Arc<dyn CallScope>,
) -> Result<Construction> {
    if let Some(definition) = definition.as_python() {
        let missing = || {
            Error::new(
                ErrorKind::NoSuchMethod,
                "the daemon's program does not support Python objects",
            )
        };
        let python = python().ok_or_else(missing)?;
        return Ok(Construction::External(python.make(
            definition.clone(),
            arguments,
            keywords,
            Arc::clone(scope),
        )));
    }
    let registration = registry::find(definition.type_name())?;
    if let Some(name) = definition.interface() {
        interface::require(registration, name)?;
    }
    let Some(constructor) = definition.constructor() else {
        let [value] = <[Value; 1]>::try_from(arguments).map_err(|arguments| {
            let message = format!(
                "expected 1 argument, the object itself, but {} were given",
                arguments.len()
            );
            Error::new(ErrorKind::BadArguments, message)
                .advise("set `constructor` to create the object from arguments")
        })?;
        return Ok(Construction::Now(call_scope::within(scope, || {
            (registration.from_value)(value)
        })));
    };
    let description = registration.description;
    let Some((index, method)) = description.constructor(constructor) else {
        return Err(unknown_method(
            "constructor",
            description,
            constructor,
            description.constructors,
        ));
    };
    let arguments = Arguments::bind(method, arguments, keywords, Arc::clone(scope))?;
    Ok((registration.construct)(index, arguments))
}
