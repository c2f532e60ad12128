//! What an exception carries as values.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::error::Exception;
use crate::value::{Value, from_value};

impl Exception {
    /// The error itself, if its type could be serialized in the daemon and is a `T` here.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        from_value(self.said()?.clone()).ok()
    }

    /// The names of a Python exception's type and of all that it derives from, in the order of method resolution.
    #[must_use]
    pub fn mro(&self) -> Vec<String> {
        self.read("mro")
    }

    /// The arguments of a Python exception; what is no value is text that shows it.
    #[must_use]
    pub fn args(&self) -> Vec<Value> {
        self.read("args")
    }

    /// An attribute of a Python exception's own; what is no value is text that shows it.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        entry(entry(self.said()?, "attributes")?, name).cloned()
    }

    /// The notes of a Python exception.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.read("notes")
    }

    /// What a Python exception was raised from.
    #[must_use]
    pub fn cause(&self) -> Option<Exception> {
        exception(entry(self.said()?, "cause")?)
    }

    /// What was being handled when a Python exception was raised, if that is not its cause.
    #[must_use]
    pub fn context(&self) -> Option<Exception> {
        exception(entry(self.said()?, "context")?)
    }

    /// The exceptions of a Python exception group.
    #[must_use]
    pub fn group(&self) -> Vec<Exception> {
        match self.said().and_then(|said| entry(said, "group")) {
            Some(Value::List(group)) => group.iter().filter_map(|said| exception(&said)).collect(),
            _ => Vec::new(),
        }
    }

    fn said(&self) -> Option<&Value> {
        self.value.as_ref()?.downcast_ref()
    }

    fn read<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        self.said()
            .and_then(|said| entry(said, name))
            .and_then(|said| from_value(said.clone()).ok())
            .unwrap_or_default()
    }
}

fn entry<'a>(said: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Map(entries) = said else { return None };
    entries.iter().find(|(key, _)| matches!(key, Value::Text(key) if key == name)).map(|(_, value)| value)
}

fn exception(said: &Value) -> Option<Exception> {
    let text = |name| match entry(said, name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    Some(Exception {
        type_name: text("type")?,
        message: text("message").unwrap_or_default(),
        location: text("location"),
        traceback: text("traceback"),
        causes: Vec::new(),
        value: Some(Arc::new(said.clone())),
    })
}
