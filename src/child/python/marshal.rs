//! The frames between a daemon and its Python interpreter: version 2 of CPython's
//! `marshal`, which every interpreter reads and writes in C. Later versions only add
//! references, and code objects are refused in any. Nothing here trusts what it reads: no
//! length is believed before as many bytes are there, and no depth exhausts the stack.
//!
//! What marshal has no word for is a tuple that starts with `Ellipsis` and a name; those
//! are in `marshal/value.rs`. Deliberately absent: the length in front of a frame, and
//! what the words in it mean.

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, MAX_DEPTH, Value};

mod reader;
mod value;
mod writer;

use reader::MarshalReader;
use writer::MarshalWriter;

/// A request to the interpreter, or an answer of its.
#[derive(Debug)]
pub(crate) struct AgentFrame {
    /// Which call it belongs to.
    pub(crate) id: u64,
    /// What is asked, or how it went.
    pub(crate) word: String,
    pub(crate) payload: Item,
}

/// What a frame is made of: a tree of plain things, with values in it.
///
/// When it is read, a [`Value`](Item::Value) is a scalar or a list of numbers only;
/// [`into_value`](Item::into_value) makes a value of any part.
#[derive(Debug)]
pub(crate) enum Item {
    /// When it is written, any value; handles in it become their numbers.
    Value(Value),
    Tuple(Vec<Item>),
    List(Vec<Item>),
    Set(Vec<Item>),
    FrozenSet(Vec<Item>),
    Dict(Vec<(Item, Item)>),
    Ellipsis,
}

/// An object that stays in the interpreter, as the agent refers to it.
#[derive(Debug)]
pub(crate) struct AgentHandle {
    /// The object's number in the interpreter.
    pub(crate) number: u64,
    pub(crate) type_name: String,
    /// The object's own name, if it is a class, a function or a module; else empty.
    pub(crate) name: String,
}

/// For frames that refer to no objects.
///
/// # Errors
///
/// Always [`ErrorKind::Protocol`].
pub(super) fn no_handles(_: &Handle) -> Result<u64> {
    Err(malformed("a handle where no object can be"))
}

/// The bytes of a value. `number` tells the interpreter's number of an object.
///
/// # Errors
///
/// [`ErrorKind::WrongType`] for what Python could not hold as it is: a stream, a key that
/// is no key there, two keys that would be one; [`ErrorKind::TooDeep`],
/// [`ErrorKind::TooLarge`]; and what `number` says.
pub(crate) fn encode(
    value: &Value,
    number: &mut impl FnMut(&Handle) -> Result<u64>,
) -> Result<Vec<u8>> {
    value.check_depth(MAX_DEPTH)?;
    let mut writer = MarshalWriter::new(number);
    writer.value(value)?;
    Ok(writer.finish())
}

/// The value that the bytes stand for. `handle` turns the agent's handles into the
/// daemon's.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] for what is no value, [`ErrorKind::TooDeep`], and what
/// `handle` says.
#[cfg(test)]
pub(crate) fn decode(
    bytes: &[u8],
    handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
) -> Result<Value> {
    Item::read(bytes)?.into_value(handle)
}

// === impl Frame ===

impl AgentFrame {
    pub(crate) fn new(id: u64, word: impl Into<String>, payload: impl Into<Item>) -> Self {
        AgentFrame { id, word: word.into(), payload: payload.into() }
    }

    /// The frame's bytes, without their length.
    ///
    /// # Errors
    ///
    /// As [`encode`].
    pub(crate) fn encode(
        &self,
        number: &mut impl FnMut(&Handle) -> Result<u64>,
    ) -> Result<Vec<u8>> {
        let mut bytes = AgentFrame::head(self.id)?;
        bytes.extend(AgentFrame::tail(&self.word, &self.payload, number)?);
        Ok(bytes)
    }

    /// The bytes before those of [`tail`](Frame::tail).
    pub(crate) fn head(id: u64) -> Result<Vec<u8>> {
        let number = &mut no_handles;
        let mut writer = MarshalWriter::new(number);
        writer.open_tuple(3)?;
        writer.value(&id.into())?;
        Ok(writer.finish())
    }

    /// All but the number, which need not be known yet.
    ///
    /// # Errors
    ///
    /// As [`encode`].
    pub(crate) fn tail(
        word: &str,
        payload: &Item,
        number: &mut impl FnMut(&Handle) -> Result<u64>,
    ) -> Result<Vec<u8>> {
        let mut writer = MarshalWriter::new(number);
        writer.text(word)?;
        writer.item(payload)?;
        Ok(writer.finish())
    }

    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if the bytes are no frame.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let [id, word, payload] = Item::read(bytes)?.into_array()?;
        Ok(AgentFrame { id: id.number()?, word: word.into_text()?, payload })
    }
}

// === impl Item ===

impl Item {
    /// A dict with keys of text.
    pub(crate) fn dict<const N: usize>(entries: [(&str, Item); N]) -> Self {
        Item::Dict(entries.into_iter().map(|(key, item)| (key.into(), item)).collect())
    }

    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] unless the bytes are one object of marshal's and no more.
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = MarshalReader::new(bytes);
        let item = reader.item()?;
        reader.finish().map(|()| item)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Item::Value(Value::Null))
    }

    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is something else; so for all of these.
    pub(crate) fn into_text(self) -> Result<String> {
        match self {
            Item::Value(Value::Text(text)) => Ok(text),
            // What people are to read may be about text that Rust cannot hold.
            Item::Value(Value::RawText(text)) => Ok(text.to_string_escaped()),
            other => Err(other.expected("text")),
        }
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self) -> Result<T> {
        match self {
            Item::Value(Value::Int(int)) => {
                T::try_from(*int).map_err(|_| malformed("a number is out of its bounds"))
            }
            other => Err(other.expected("an integer")),
        }
    }

    pub(crate) fn bool(&self) -> Result<bool> {
        match self {
            Item::Value(Value::Bool(bool)) => Ok(*bool),
            other => Err(other.expected("a bool")),
        }
    }

    /// The items of a list or a tuple.
    pub(crate) fn into_items(self) -> Result<Vec<Item>> {
        match self {
            Item::List(items) | Item::Tuple(items) => Ok(items),
            Item::Value(Value::List(numbers)) => Ok(numbers.into_iter().map(Item::Value).collect()),
            other => Err(other.expected("a list")),
        }
    }

    /// The items of a list or a tuple of that many.
    pub(crate) fn into_array<const N: usize>(self) -> Result<[Item; N]> {
        self.into_items()?.try_into().map_err(|_| malformed(format!("a tuple has not {N} items")))
    }

    /// The entries of a dict.
    pub(crate) fn into_entries(self) -> Result<Vec<(Item, Item)>> {
        match self {
            Item::Dict(entries) => Ok(entries),
            other => Err(other.expected("a dict")),
        }
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self {
            Item::Value(value) => value.kind_name(),
            Item::Tuple(_) => "a tuple",
            Item::List(_) => "a list",
            Item::Set(_) | Item::FrozenSet(_) => "a set",
            Item::Dict(_) => "a dict",
            Item::Ellipsis => "an ellipsis",
        };
        malformed(format!("expected {what}, found {found}"))
    }
}

impl<T: Into<Value>> From<T> for Item {
    fn from(value: T) -> Self {
        Item::Value(value.into())
    }
}

fn malformed(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Protocol, what)
}

#[cfg(test)]
mod tests;
