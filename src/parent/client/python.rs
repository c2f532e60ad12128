//! Definitions of Python objects and their operations, as protobuf messages.

use std::time::Duration;

use crate::common::definition::{Action, PythonDefinition, PythonSource, Returns};
use crate::common::wire::pb::python::Object;
use crate::common::wire::{handle_to_pb, pb};

pub(super) fn python_to_pb(definition: &PythonDefinition) -> pb::Python {
    let PythonDefinition {
        interpreter,
        path,
        start_timeout,
        kill_when_stuck,
        threads,
        beside,
        source,
    } = definition.clone();
    let object = match source {
        PythonSource::Instance { module, name } => {
            Object::Instance(pb::PythonName { module, name })
        }
        PythonSource::Name { module, name } => Object::Name(pb::PythonName { module, name }),
        PythonSource::Module(name) => Object::Module(name),
        PythonSource::File(path) => Object::File(path),
        PythonSource::Script { source, name } => Object::Script(pb::PythonScript { source, name }),
        PythonSource::Value => Object::Value(pb::PythonValue {}),
        PythonSource::Interpreter => Object::NewInterpreter(pb::PythonInterpreter {}),
    };
    let duration = |duration: Duration| duration.try_into().ok();
    pb::Python {
        interpreter: interpreter.unwrap_or_default(),
        path,
        start_timeout: start_timeout.and_then(duration),
        kill_when_stuck: kill_when_stuck.and_then(duration),
        object: Some(object),
        beside: beside.as_ref().map(handle_to_pb),
        threads,
    }
}

pub(super) fn action_to_pb(action: Action) -> pb::Action {
    match action {
        Action::Call => pb::Action::Unspecified,
        Action::GetAttribute => pb::Action::GetAttribute,
        Action::SetAttribute => pb::Action::SetAttribute,
        Action::DeleteAttribute => pb::Action::DeleteAttribute,
        Action::Operate => pb::Action::Operate,
        Action::Iterate => pb::Action::Iterate,
    }
}

pub(super) fn returns_to_pb(returns: Returns) -> pb::Returns {
    match returns {
        Returns::Fitting => pb::Returns::Unspecified,
        Returns::Value => pb::Returns::Value,
        Returns::Handle => pb::Returns::Handle,
        Returns::HandleOrNull => pb::Returns::HandleOrNull,
        Returns::Nothing => pb::Returns::Nothing,
        Returns::Plain => pb::Returns::Plain,
    }
}
