//! The objects in the frames between a Python interpreter and whoever calls it: version 2
//! of CPython's `marshal`, which every interpreter reads and writes in C. Later versions
//! only add references, and code objects are refused in any. Nothing here trusts what it
//! reads: no length is trusted before as many bytes are there, and no depth exhausts the
//! stack.
//!
//! A value that marshal cannot carry is a tuple that starts with `Ellipsis` and a name;
//! those are in `marshal/value.rs`. Another such tuple refers to a part of the frame.
//! Deliberately absent: the lengths in a frame, and the meaning of the words in it.

use crate::common::agent::frame::Frame;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Bytes, Handle, MAX_DEPTH, Value};

mod reader;
mod value;
mod writer;

use reader::MarshalReader;
pub(super) use writer::MarshalWriter;

/// A request to the interpreter, or its answer.
#[derive(Debug)]
pub(crate) struct AgentFrame {
    /// The number of the call.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) id: u64,
    /// The operation, or the outcome.
    pub(crate) word: String,
    pub(crate) payload: Item,
}

/// The content of a frame: a tree of plain containers, with values in it.
///
/// In a frame that was read, a [`Value`](Item::Value) is only a scalar or a list of
/// numbers; [`into_value`](Item::into_value) converts any part to a value.
#[derive(Debug)]
pub(crate) enum Item {
    /// In a frame to be written, any value; handles in it become numbers.
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
pub(crate) fn no_handles(_: &Handle) -> Result<u64> {
    Err(malformed("a handle where no object can be"))
}

/// The bytes of a value. `number` returns the interpreter's number of an object.
///
/// # Errors
///
/// [`ErrorKind::WrongType`] for a value that Python cannot hold exactly: a stream, an
/// unhashable key, two equal keys; [`ErrorKind::TooDeep`], [`ErrorKind::TooLarge`]; and
/// what `number` fails with.
pub(crate) fn encode(
    value: &Value,
    number: &mut impl FnMut(&Handle) -> Result<u64>,
) -> Result<Vec<u8>> {
    value.check_depth(MAX_DEPTH)?;
    let mut writer = MarshalWriter::new(number);
    writer.value(value)?;
    Ok(writer.finish().0)
}

/// The value that the bytes stand for. `handle` turns the agent's handles into the
/// daemon's.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if they are not a value, [`ErrorKind::TooDeep`], and what
/// `handle` fails with.
#[cfg(test)]
pub(crate) fn decode(
    bytes: &[u8],
    handle: &mut impl FnMut(AgentHandle) -> Result<Handle>,
) -> Result<Value> {
    Item::read(bytes, &[])?.into_value(handle)
}

// === impl AgentFrame ===

impl AgentFrame {
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if the bytes are not a frame.
    pub(crate) fn decode(frame: &Frame) -> Result<Self> {
        let [id, word, payload] = Item::read(&frame.object, &frame.parts)?.into_array()?;
        Ok(AgentFrame { id: id.number()?, word: word.into_text()?, payload })
    }
}

// === impl Item ===

impl Item {
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] unless the bytes are exactly one marshalled object, which
    /// refers to each of the parts once.
    fn read(bytes: &[u8], parts: &[bytes::Bytes]) -> Result<Self> {
        let mut reader = MarshalReader::new(bytes, parts);
        let item = reader.item()?;
        reader.finish().map(|()| item)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Item::Value(Value::Null))
    }

    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is something else, as for the methods below.
    pub(crate) fn into_text(self) -> Result<String> {
        match self {
            Item::Value(Value::Text(text)) => Ok(text),
            // Text for people may quote text that Rust cannot hold.
            Item::Value(Value::RawText(text)) => Ok(text.to_string_escaped()),
            other => Err(other.expected("text")),
        }
    }

    pub(crate) fn into_bytes(self) -> Result<Bytes> {
        match self {
            Item::Value(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(other.expected("bytes")),
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
            Item::Value(Value::List(items)) => Ok(items.into_iter().map(Item::Value).collect()),
            Item::Value(Value::Tuple(items)) => Ok(items.into_iter().map(Item::Value).collect()),
            other => Err(other.expected("a list")),
        }
    }

    /// The items of a list or a tuple of that many.
    pub(crate) fn into_array<const N: usize>(self) -> Result<[Item; N]> {
        self.into_items()?
            .try_into()
            .map_err(|_| malformed(format!("a tuple does not have {N} items")))
    }

    /// The entries of a dict.
    pub(crate) fn into_entries(self) -> Result<Vec<(Item, Item)>> {
        match self {
            Item::Dict(entries) => Ok(entries),
            Item::Value(Value::Map(entries)) => {
                Ok(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
            }
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
