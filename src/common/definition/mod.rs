//! How to create an object, and how to operate on one.

mod dynamic_description;
mod type_description;

pub(crate) use dynamic_description::{DynamicDescription, DynamicMethod};
pub use type_description::{Method, Parameter, Receiver, TypeDescription};

use std::time::Duration;

use crate::common::value::{Handle, Value};

/// The arguments of a call: the positional ones, and those given by keyword, in their
/// order.
pub(crate) type CallArgs = (Vec<Value>, Vec<(String, Value)>);

/// The longest timeout, because adding to a point in time can overflow.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How to create an object: the name of its Rust type, its constructor or the fact that
/// it is sent by value, and the interface it must implement; or, for a Python object,
/// where to find it.
///
/// The arguments travel beside it, because they may be large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    type_name: String,
    constructor: Option<String>,
    interface: Option<String>,
    python: Option<Box<PythonDefinition>>,
}

/// How to create a Python object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PythonDefinition {
    /// The path of an interpreter or of a virtual environment, or a name on `PATH`. The
    /// default depends on the interpreters that the daemon already runs.
    pub(crate) interpreter: Option<String>,
    /// The directories to put first in `sys.path`.
    pub(crate) path: Vec<String>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) kill_when_stuck: Option<Duration>,
    /// How many threads it has for calls; a new one has none by default.
    pub(crate) threads: Option<u32>,
    /// An object whose interpreter is used; then there are no settings of a new one.
    pub(crate) beside: Option<Handle>,
    pub(crate) source: PythonSource,
}

/// What the daemon reports of an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterpreterFacts {
    pub(crate) pid: u32,
    /// Such as `3.11.7`.
    pub(crate) version: String,
    /// The path that it was started by.
    pub(crate) executable: String,
}

/// Where a Python object comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PythonSource {
    /// The result of calling a name in a module with the arguments. An empty module means
    /// the builtins and the scripts.
    Instance { module: String, name: String },
    /// The value of a name in a module.
    Name { module: String, name: String },
    /// A module by its name.
    Module(String),
    /// A module by its file.
    File(String),
    /// A script.
    Script { source: String, name: String },
    /// The one argument.
    Value,
    /// The interpreter itself; always a new one.
    Interpreter,
}

/// The interpreter that is started where none is named and none runs.
pub(crate) const DEFAULT_INTERPRETER: &str = "python3";

impl Definition {
    /// An object created in the daemon.
    pub(crate) fn constructed(
        type_name: impl Into<String>,
        constructor: impl Into<String>,
    ) -> Self {
        Definition { constructor: Some(constructor.into()), ..Definition::by_value(type_name) }
    }

    /// An object created by the caller and sent; the only argument is its value.
    pub(crate) fn by_value(type_name: impl Into<String>) -> Self {
        Definition { type_name: type_name.into(), constructor: None, interface: None, python: None }
    }

    /// A Python object.
    pub(crate) fn python(python: PythonDefinition) -> Self {
        Definition {
            python: Some(Box::new(python.clone())),
            ..Definition::by_value(python.source.to_string())
        }
    }

    /// The same for an object that must implement an interface.
    pub(crate) fn implementing(self, interface: impl Into<String>) -> Self {
        Definition { interface: Some(interface.into()), ..self }
    }

    pub(crate) fn type_name(&self) -> &str {
        &self.type_name
    }

    pub(crate) fn constructor(&self) -> Option<&str> {
        self.constructor.as_deref()
    }

    pub(crate) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    pub(crate) fn as_python(&self) -> Option<&PythonDefinition> {
        self.python.as_deref()
    }

    /// The type's name without its path, for messages.
    pub(crate) fn short_name(&self) -> &str {
        match self.python {
            Some(_) => &self.type_name,
            None => short_name(&self.type_name),
        }
    }
}

/// Its name in messages.
impl std::fmt::Display for PythonSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PythonSource::Instance { module, name } | PythonSource::Name { module, name }
                if module.is_empty() =>
            {
                f.write_str(name)
            }
            PythonSource::Instance { module, name } | PythonSource::Name { module, name } => {
                write!(f, "{module}.{name}")
            }
            PythonSource::Module(name) => write!(f, "module {name}"),
            PythonSource::File(path) => write!(f, "module {path}"),
            PythonSource::Script { name, .. } => write!(f, "script {name}"),
            PythonSource::Value => f.write_str("a Python value"),
            PythonSource::Interpreter => f.write_str("a Python interpreter"),
        }
    }
}

/// Leaves out a script's text, which may be confidential.
impl std::fmt::Debug for PythonSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PythonSource({self})")
    }
}

/// An operation on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    /// The name of a method, an attribute or an operator; empty for the object itself.
    pub(crate) name: String,
    pub(crate) returns: Returns,
    pub(crate) python: PythonOptions,
}

/// How a Python object carries out an operation. For other objects it means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PythonOptions {
    pub(crate) is_on_main_thread: bool,
    /// Whether a result that can be awaited is awaited, whatever is requested.
    pub(crate) is_awaited: bool,
}

/// What to do with a name of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Action {
    #[default]
    Call,
    GetAttribute,
    SetAttribute,
    DeleteAttribute,
    Operate,
    Iterate,
}

/// How the result is returned to the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Returns {
    /// By value if it is exactly of one of the types that travel, else by handle.
    #[default]
    Fitting,
    /// By value, also if it is of a subclass of such a type; anything else is an error.
    Value,
    /// By handle, whatever it is.
    Handle,
    /// By handle, except `None`, which is null.
    HandleOrNull,
    /// Not at all: the response is null.
    Nothing,
    /// Like [`Returns::Value`], but parts without a value come by handle.
    Plain,
}

impl Operation {
    /// A call of a method by its name.
    #[cfg(test)]
    pub(crate) fn call(method: impl Into<String>) -> Self {
        Operation {
            action: Action::Call,
            name: method.into(),
            returns: Returns::Fitting,
            python: PythonOptions::default(),
        }
    }
}

/// A type's name without the path to it.
pub(crate) fn short_name(type_name: &str) -> &str {
    type_name.rsplit("::").next().unwrap_or(type_name)
}
