//! A Python exception, from what the agent says of it.

use std::sync::Arc;

use crate::error::Exception;
use crate::value::{MAX_DEPTH, Value};

/// How deep an exception's own values may be, with those of its causes around them: what carries it takes some levels itself.
const DEPTH: usize = MAX_DEPTH - 4;

pub(super) fn read(said: Value) -> Exception {
    let text = |name: &str| match field(&said, name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let mut causes = Vec::new();
    let mut next = origin(&said);
    while let Some(cause) = next {
        let part = |name| match field(cause, name) {
            Some(Value::Text(text)) => text.as_str(),
            _ => "",
        };
        causes.push(format!("{}: {}", part("type"), part("message")));
        next = origin(cause);
    }
    Exception {
        type_name: text("type").unwrap_or_else(|| "Exception".to_owned()),
        message: text("message").unwrap_or_default(),
        location: text("location"),
        traceback: text("traceback"),
        causes,
        value: Some(Arc::new(bounded(said))),
    }
}

/// What an exception was raised from, or else what was being handled when it was.
fn origin(said: &Value) -> Option<&Value> {
    let present = |name| field(said, name).filter(|value| matches!(value, Value::Map(_)));
    let is_shown = field(said, "suppress_context") != Some(&Value::Bool(true));
    present("cause").or_else(|| present("context").filter(|_| is_shown))
}

fn field<'a>(said: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Map(entries) = said else { return None };
    entries.iter().find(|(key, _)| matches!(key, Value::Text(key) if key == name)).map(|(_, value)| value)
}

/// As much of it as may travel: a long chain of causes is cut, then what is deep in it.
fn bounded(said: Value) -> Value {
    let fits = |said: &Value| said.depth() <= DEPTH;
    if fits(&said) {
        return said;
    }
    for levels in [8, 4, 2, 1] {
        let cut = cut(said.clone(), levels, false);
        if fits(&cut) {
            return cut;
        }
    }
    cut(said, 1, true)
}

fn cut(said: Value, levels: usize, also_values: bool) -> Value {
    let Value::Map(entries) = said else { return said };
    let cut_entry = |(key, value): (Value, Value)| {
        let name = match &key {
            Value::Text(name) => name.as_str(),
            _ => "",
        };
        let value = match (name, value) {
            ("cause" | "context", _) if levels == 0 => Value::Null,
            ("cause" | "context", value) => cut(value, levels - 1, also_values),
            ("group", Value::List(_)) if levels == 0 => Value::Null,
            ("group", Value::List(group)) => {
                Value::List(group.into_iter().map(|inner| cut(inner, levels - 1, also_values)).collect())
            }
            ("args" | "attributes", _) if also_values => Value::Null,
            (_, value) => value,
        };
        (key, value)
    };
    Value::Map(entries.into_iter().map(cut_entry).collect())
}
