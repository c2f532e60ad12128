//! Turns a definition into an object.

use std::sync::{Arc, OnceLock};

use crate::child::object::{
    Arguments, CallScope, Construction, ObjectRef, call_scope, interface, registry,
};
use crate::common::definition::{Definition, PythonDefinition};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;
use futures_util::future::BoxFuture;

/// What makes Python objects. The composition root says it: the room that does stands
/// above this one.
static PYTHON: OnceLock<MakePython> = OnceLock::new();

/// Makes a Python object.
type MakePython = fn(
    PythonDefinition,
    Vec<Value>,
    Vec<(String, Value)>,
    Arc<dyn CallScope>,
) -> BoxFuture<'static, Result<ObjectRef>>;

/// Says what makes Python objects.
#[cfg(feature = "python")]
pub(crate) fn set_python(make: MakePython) {
    // It is always the same.
    let _ = PYTHON.set(make);
}

/// Makes the object that `definition` describes; a sync constructor runs here and now.
///
/// # Errors
///
/// [`ErrorKind::NoSuchMethod`] for an unknown type or constructor and for a type without
/// the interface that is asked for, [`ErrorKind::BadArguments`] for arguments it does not
/// take; what the constructor itself raises is in the [`Construction`].
pub(crate) fn make(
    definition: &Definition,
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
    scope: &Arc<dyn CallScope>,
) -> Result<Construction> {
    if let Some(python) = definition.as_python() {
        let missing =
            || Error::new(ErrorKind::NoSuchMethod, "this daemon's program makes no Python objects");
        let make = PYTHON.get().ok_or_else(missing)?;
        return Ok(Construction::Elsewhere(make(
            python.clone(),
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
            let message =
                format!("an object comes as one value, but {} were given", arguments.len());
            Error::new(ErrorKind::BadArguments, message)
                .advise("name a constructor to make it from arguments")
        })?;
        return Ok(Construction::Now(call_scope::within(scope, || (registration.revive)(value))));
    };
    let description = registration.description;
    let Some((index, method)) = description.constructor(constructor) else {
        let known: Vec<&str> = description.constructors.iter().map(|known| known.name).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!(
            "`{}` has no constructor `{}`; it has: {known}",
            description.name,
            constructor.escape_debug()
        );
        return Err(Error::new(ErrorKind::NoSuchMethod, message));
    };
    let arguments = Arguments::bind(method, arguments, keywords, Arc::clone(scope))?;
    Ok((registration.construct)(index, arguments))
}
