//! A Python exception, from what the agent says of it.

use std::sync::Arc;

use crate::error::{Exception, Result};
use crate::python::marshal::Item;
use crate::value::Value;

/// How many exceptions of a chain are kept, one in the other.
const CHAIN: usize = 10;

/// How deep an argument or an attribute of an exception may be. With the chain around it, and with what carries the exception, it must fit what a value may be.
const DEPTH: usize = 14;

pub(super) fn read(said: Item) -> Result<Exception> {
    let said = value(said, CHAIN)?;
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
    Ok(Exception {
        type_name: text("type").unwrap_or_else(|| "Exception".to_owned()),
        message: text("message").unwrap_or_default(),
        location: text("location"),
        traceback: text("traceback"),
        causes,
        value: Some(Arc::new(said)),
    })
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

/// All that is said of an exception, and of those behind it as far as they may be nested.
fn value(said: Item, levels: usize) -> Result<Value> {
    let entries = said.into_entries()?.into_iter().map(|(name, item)| {
        let name = name.into_text()?;
        let value = match name.as_str() {
            "cause" | "context" if item.is_none() || levels == 0 => Value::Null,
            "cause" | "context" => value(item, levels - 1)?,
            "group" if item.is_none() || levels == 0 => Value::Null,
            "group" => {
                let group = item.into_items()?.into_iter().map(|inner| value(inner, levels - 1));
                Value::List(group.collect::<Result<Vec<_>>>()?.into())
            }
            // One by one, so that what cannot be told hides nothing else.
            "args" => Value::List(item.into_items()?.into_iter().map(plain).collect::<Vec<_>>().into()),
            "attributes" => {
                let attribute = |(name, item): (Item, Item)| Ok((Value::Text(name.into_text()?), plain(item)));
                Value::Map(item.into_entries()?.into_iter().map(attribute).collect::<Result<_>>()?)
            }
            _ => plain(item),
        };
        // A text that no Rust text can be, because of a surrogate, is shown.
        let value = match value {
            Value::RawText(text) => Value::Text(text.to_string_escaped()),
            value => value,
        };
        Ok((Value::Text(name), value))
    });
    Ok(Value::Map(entries.collect::<Result<_>>()?))
}

/// A part of it; null if it is too deep, or is none. An exception keeps nothing alive, so there are no handles in it.
fn plain(item: Item) -> Value {
    match item.into_value(&mut |_, _| Err(super::nothing())) {
        Ok(value) if value.depth() <= DEPTH => value,
        _ => Value::Null,
    }
}
