//! Decodes operations and definitions from their messages.

use std::time::Duration;

use uuid::Uuid;

use crate::common::definition::{
    Action, DAY, Definition, Operation, PythonDefinition, PythonOptions, PythonSource, Returns,
};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::pb::python::Object;
use crate::common::wire::{handle_from_pb, pb};

/// Decodes the operation of a call.
pub(super) fn operation(call: &pb::CallRequest) -> Operation {
    let action = match call.action() {
        pb::Action::Unspecified => Action::Call,
        pb::Action::GetAttribute => Action::GetAttribute,
        pb::Action::SetAttribute => Action::SetAttribute,
        pb::Action::DeleteAttribute => Action::DeleteAttribute,
        pb::Action::Operate => Action::Operate,
        pb::Action::Iterate => Action::Iterate,
    };
    let python = PythonOptions { is_on_main_thread: call.on_main_thread, is_awaited: call.awaited };
    Operation { action, name: call.method.clone(), returns: returns(call.returns()), python }
}

pub(super) fn returns(returns: pb::Returns) -> Returns {
    match returns {
        pb::Returns::Unspecified => Returns::Fitting,
        pb::Returns::Value => Returns::Value,
        pb::Returns::Handle => Returns::Handle,
        pb::Returns::HandleOrNull => Returns::HandleOrNull,
        pb::Returns::Nothing => Returns::Nothing,
        pb::Returns::Plain => Returns::Plain,
    }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] if the definition is missing or incomplete.
pub(super) fn definition(message: Option<pb::Definition>, daemon: Uuid) -> Result<Definition> {
    let missing =
        || Error::new(ErrorKind::BadArguments, "the request has no `definition` of the object");
    let pb::Definition { r#type, constructor, interface, python } = message.ok_or_else(missing)?;
    if let Some(python) = python {
        return self::python(python, daemon).map(Definition::python);
    }
    let definition = match constructor.is_empty() {
        true => Definition::by_value(r#type),
        false => Definition::constructed(r#type, constructor),
    };
    Ok(if interface.is_empty() { definition } else { definition.implementing(interface) })
}

fn python(message: pb::Python, daemon: Uuid) -> Result<PythonDefinition> {
    let pb::Python { interpreter, path, start_timeout, kill_when_stuck, object, beside, threads } =
        message;
    let missing = || {
        let message = "the definition does not specify a Python object";
        Error::new(ErrorKind::BadArguments, message)
            .advise("set one of `instance`, `name`, `module`, `file`, `script` and `value`")
    };
    let source = match object.ok_or_else(missing)? {
        Object::Instance(pb::PythonName { module, name }) => {
            PythonSource::Instance { module, name }
        }
        Object::Name(pb::PythonName { module, name }) => PythonSource::Name { module, name },
        Object::Module(name) => PythonSource::Module(name),
        Object::File(path) => PythonSource::File(path),
        Object::Script(pb::PythonScript { source, name }) => PythonSource::Script {
            source,
            name: if name.is_empty() { "script".to_owned() } else { name },
        },
        Object::Value(pb::PythonValue {}) => PythonSource::Value,
        Object::NewInterpreter(pb::PythonInterpreter {}) => PythonSource::Interpreter,
    };
    // A negative timeout has already passed.
    let time = |time: Option<prost_types::Duration>| {
        Some(Duration::try_from(time?).unwrap_or_default().min(DAY))
    };
    Ok(PythonDefinition {
        interpreter: Some(interpreter).filter(|interpreter| !interpreter.is_empty()),
        path,
        start_timeout: time(start_timeout),
        kill_when_stuck: time(kill_when_stuck),
        threads,
        beside: beside.map(|handle| handle_from_pb(handle, daemon)).transpose()?,
        source,
    })
}
