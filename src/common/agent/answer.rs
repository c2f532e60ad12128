//! The answers of an interpreter: results, failures and exceptions.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::agent::frame::Frame;
use crate::common::agent::marshal::{AgentFrame, AgentHandle, Item};
use crate::common::definition::{DynamicDescription, DynamicMethod, InterpreterFacts};
use crate::common::error::{Error, ErrorKind, Exception, Result};
use crate::common::value::{Handle, PythonDetails, Value};

/// How deep an argument or an attribute of an exception may be, so that it fits into the
/// message of an exception behind another. The agent shows by their repr values that are
/// deeper than 30 levels; one that holds a range there is one level deeper.
const MAX_EXCEPTION_DEPTH: usize = 31;

/// Reads the value that an answer stands for. `handle` turns the agent's handles into the
/// daemon's.
pub(crate) fn item_value(
    item: Item,
    handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
    depth_limit: usize,
) -> Result<Value> {
    let value = item.into_value(handle)?;
    value.check_depth(depth_limit)?;
    Ok(value)
}

/// Takes the items of an iterator out of an answer, and whether it has ended.
pub(crate) fn items(answer: Item) -> Result<(Vec<Item>, bool)> {
    let [items, is_exhausted] = answer.into_array()?;
    Ok((items.into_items()?, is_exhausted.bool()?))
}

/// Reads the description of an object.
pub(crate) fn description(answer: Item) -> Result<DynamicDescription> {
    let mut fields = AnswerFields::of(answer)?;
    Ok(DynamicDescription {
        type_name: fields.text("type")?.unwrap_or_default(),
        documentation: fields.text("doc")?.unwrap_or_default(),
        methods: fields.items("methods", method)?,
        attributes: fields.items("attributes", Item::into_text)?,
    })
}

fn method(item: Item) -> Result<DynamicMethod> {
    let mut fields = AnswerFields::of(item)?;
    let name = fields.text("name")?.unwrap_or_default();
    let parameter = |item: Item| {
        let [name, annotation] = item.into_array()?;
        let annotation =
            if annotation.is_none() { String::new() } else { annotation.into_text()? };
        Ok((name.into_text()?, annotation))
    };
    let signature = fields.text("signature")?.unwrap_or_else(|| "(...)".to_owned());
    Ok(DynamicMethod {
        signature: format!("def {name}{signature}"),
        name,
        documentation: fields.text("doc")?.unwrap_or_default(),
        parameters: fields.items("parameters", parameter)?,
        returns: fields.text("returns")?.unwrap_or_default(),
    })
}

/// Reads an answer: what was returned, or the failure or the exception.
pub(crate) fn outcome(frame: &Frame, facts: &InterpreterFacts) -> Result<Item> {
    let AgentFrame { word, payload, .. } = AgentFrame::decode(frame)?;
    match word.as_str() {
        "value" => Ok(payload),
        "raised" => Err(raised(facts, payload)?),
        "failed" => {
            let [code, message] = payload.into_array()?;
            Err(match kind(&code.into_text()?) {
                ErrorKind::NoSuchObject => Error::no_such_object(),
                kind => Error::new(kind, message.into_text()?),
            })
        }
        _ => Err(malformed()),
    }
}

/// What is wrong with an answer whose number is not that of a request that waits. Each
/// request is answered once.
pub(crate) const NOT_ASKED: &str = "it answered a request that was not made";

/// Whether the frame says that the request has begun; its answer is still to come. An
/// interpreter says so only where requests do not begin and end in their order.
pub(crate) fn is_begun(frame: &Frame) -> bool {
    frame.after_id().is_some_and(|rest| rest.starts_with(b"u\x05\0\0\0begun"))
}

/// Whether the answer says that the request was interrupted.
pub(crate) fn is_interruption(frame: &Frame) -> bool {
    // Few answers are looked at any closer: those with such a beginning.
    const FAILED: &[u8] = b"u\x06\0\0\0failed";
    let begins = frame.after_id().is_some_and(|rest| rest.starts_with(FAILED));
    let failure = || {
        let AgentFrame { payload, .. } = AgentFrame::decode(frame)?;
        let [code, _] = payload.into_array()?;
        code.into_text()
    };
    begins && failure().is_ok_and(|code| code == "interrupted")
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
        "limit" => ErrorKind::Limit,
        "closed" => ErrorKind::Closed,
        _ => ErrorKind::Protocol,
    }
}

pub(crate) fn malformed() -> Error {
    Error::new(ErrorKind::Protocol, "malformed response from the interpreter")
}

// === exceptions ===

fn raised(facts: &InterpreterFacts, report: Item) -> Result<Error> {
    reported(facts, report).map(Error::from_exception)
}

/// Reads the report of an exception, which an answer or a value contains.
pub(crate) fn reported(facts: &InterpreterFacts, report: Item) -> Result<Exception> {
    let mut exception = exceptions(report)?;
    if exception.type_name == "ModuleNotFoundError" {
        let InterpreterFacts { executable, version, .. } = facts;
        exception.advice = Some(format!(
            "the interpreter is `{executable}` (Python {version}): install the module there, \
             or choose another interpreter with `.interpreter(…)`"
        ));
    }
    Ok(exception)
}

/// An exception, with those that it came from.
fn exceptions(report: Item) -> Result<Exception> {
    let mut fields = AnswerFields::of(report)?;
    let mut others = Vec::new();
    for other in fields.items("others", AnswerFields::of)? {
        let other = exception(other, &others)?;
        others.push(Arc::new(other));
    }
    let traceback = fields.text("traceback")?;
    Ok(Exception { traceback, ..exception(fields, &others)? }.summed_up())
}

/// One exception; those that it refers to have been read already.
fn exception(mut fields: AnswerFields, others: &[Arc<Exception>]) -> Result<Exception> {
    let link = |place: usize| place.checked_sub(1).and_then(|index| others.get(index)).cloned();
    let attribute = |(name, item): (Item, Item)| Ok((name.into_text()?, part(item)));
    let attributes =
        fields.take("attributes").map_or_else(|| Ok(Vec::new()), Item::into_entries)?;
    let details = PythonDetails {
        mro: fields.items("mro", Item::into_text)?,
        args: fields.items("args", |item| Ok(part(item)))?,
        attributes: attributes.into_iter().map(attribute).collect::<Result<_>>()?,
        notes: fields.items("notes", Item::into_text)?,
        cause: link(fields.number("cause")?),
        context: link(fields.number("context")?),
        suppress_context: fields.bool("suppress_context")?,
        group: fields.items("group", |item| item.number())?.into_iter().filter_map(link).collect(),
        stack: fields.text("stack")?.unwrap_or_default(),
        omitted: fields.number("omitted")?,
        object: None,
    };
    let type_name = fields.text("type")?.unwrap_or_else(|| "Exception".to_owned());
    Ok(Exception {
        location: fields.text("location")?,
        value: Some(Arc::new(details)),
        ..Exception::new(type_name, fields.text("message")?.unwrap_or_default())
    })
}

/// A part of an exception, or why it cannot be read. An exception keeps nothing alive, so
/// it contains no handles.
fn part(item: Item) -> Value {
    let value = item.into_value(&mut |_| Err(malformed())).and_then(|value| {
        value.check_depth(MAX_EXCEPTION_DEPTH)?;
        Ok(value)
    });
    value.unwrap_or_else(|error| format!("<{}>", error.detail()).into())
}

// === impl AnswerFields ===

/// A dict of the agent's, by its keys. A field that is absent is empty.
struct AnswerFields(HashMap<String, Item>);

impl AnswerFields {
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] unless it is a dict with keys of text; the other methods
    /// fail in the same way for a field of another type.
    fn of(item: Item) -> Result<Self> {
        let entries =
            item.into_entries()?.into_iter().map(|(name, item)| Ok((name.into_text()?, item)));
        entries.collect::<Result<_>>().map(AnswerFields)
    }

    fn take(&mut self, name: &str) -> Option<Item> {
        self.0.remove(name).filter(|item| !item.is_none())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name).map(Item::into_text).transpose()
    }

    fn bool(&mut self, name: &str) -> Result<bool> {
        self.take(name).map_or(Ok(false), |item| item.bool())
    }

    fn number<T: TryFrom<i64> + Default>(&mut self, name: &str) -> Result<T> {
        self.take(name).map_or_else(|| Ok(T::default()), |item| item.number())
    }

    fn items<T>(&mut self, name: &str, read: impl FnMut(Item) -> Result<T>) -> Result<Vec<T>> {
        let items = self.take(name).map_or_else(|| Ok(Vec::new()), Item::into_items)?;
        items.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with this word and no payload.
    fn frame(number: &[u8], word: &str) -> Frame {
        let len = (word.len() as u32).to_le_bytes();
        let bytes = [&b"(\x03\0\0\0"[..], number, b"u", &len, word.as_bytes(), b"N"].concat();
        Frame::from(bytes::Bytes::from(bytes))
    }

    #[test]
    fn word_is_found_after_a_number_of_any_size() {
        let short = [&[b'i'][..], &7_i32.to_le_bytes()].concat();
        // Three digits of 15 bits.
        let long = [&[b'l'][..], &3_i32.to_le_bytes(), &[1, 0, 2, 0, 3, 0]].concat();
        for (number, id) in [(short, 7), (long, 1 + (2 << 15) + (3 << 30))] {
            assert_eq!(frame(&number, "begun").id(), Some(id));
            assert!(is_begun(&frame(&number, "begun")));
            assert!(!is_begun(&frame(&number, "value")));
            assert!(!is_begun(&frame(&number, "")));
        }
        assert!(!is_begun(&Frame::from(bytes::Bytes::from_static(b"(\x03\0\0\0l\xff\xff"))));
    }
}
