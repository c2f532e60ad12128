//! Values: what travels between a caller and a daemon, exactly, and how Rust's types become values.
//!
//! Every `serde` type converts on its own, by this table. The way back is exact or an error, never a lossy change: an integer that does not fit is
//! refused, and a float never becomes an integer.
//!
//! | in Rust | as a value | back from |
//! |---|---|---|
//! | `()`, a unit struct, `None` | [`Value::Null`] | the same |
//! | `Some(x)` | the value of `x`; [`Value::Some`] where that would read as `None` | any value but null |
//! | `bool` | [`Value::Bool`] | the same |
//! | an integer of any width | [`Value::Int`], beyond 64 bits [`Value::BigInt`] | the same, if it fits |
//! | `f32`, `f64` | [`Value::Float`], every bit of it | the same, or an integer, if that is exact |
//! | `char`, a string | [`Value::Text`] | the same |
//! | bytes in serde's sense, such as [`Bytes`] | [`Value::Bytes`] | the same, or a list of small integers |
//! | a sequence (`Vec`, `HashSet` …) | [`Value::List`], packed where all are numbers | a list, a tuple, bytes |
//! | a tuple, a tuple struct | [`Value::Tuple`] | a tuple or a list of that length |
//! | a newtype struct | the value of what is in it | the same |
//! | a map | [`Value::Map`], in its order, with keys of any kind | the same |
//! | a struct | [`Value::Map`] with its fields' names | the same |
//! | an enum: a unit variant | [`Value::Text`], its name | the same |
//! | an enum: any other variant | [`Value::Map`] of one entry, its name and what is in it | the same |
//! | [`Value`], [`BigInt`], [`Handle`] | itself | itself |
//!
//! Values may be nested 32 levels deep; deeper ones are refused before anything is sent.

mod bytes;
mod convert;
mod de;
mod exception;
mod fault;
mod handle;
mod integer;
mod list;
mod ser;
mod stream;

pub use self::bytes::Bytes;
pub use handle::Handle;
pub(crate) use handle::Kind;
pub use integer::BigInt;
pub use list::List;
pub(crate) use list::Packing;

pub(crate) use de::{from_value, reads_handle};
pub(crate) use ser::to_value;
pub(crate) use stream::StreamNumber;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::error::Result;

/// How many levels deep a value may be nested. It is also the most that a setting can allow: the protobuf library decodes 100 levels of
/// messages, and a level of a map takes three.
pub(crate) const MAX_DEPTH: usize = 32;

/// What travels between a caller and a daemon.
///
/// Equality is exact: a float equals another if all bits are equal, so `NaN` equals itself and `0.0` is not `-0.0`. `Debug` tells the kind
/// and the size but never the contents, so that no log holds them.
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value, never a number.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not.
    BigInt(BigInt),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// A list.
    List(List),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A map, in its order.
    Map(Vec<(Value, Value)>),
    /// `Some` of what would otherwise read as nothing: `Some(None)`, `Some(())`.
    Some(Box<Value>),
    /// The name of an object that stays in its daemon.
    Handle(Handle),
    /// A [`Stream`](crate::Stream), by its number in the call that it belongs to.
    Stream(u64),
}

impl Value {
    /// What kind of value it is, as messages say it: "text", "a list".
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Map(_) => "a map",
            Value::Some(_) => "an optional value",
            Value::Handle(_) => "a handle",
            Value::Stream(_) => "a stream",
        }
    }

    /// # Errors
    ///
    /// [`ErrorKind::TooDeep`](crate::ErrorKind::TooDeep) if it is nested deeper than `limit`.
    pub(crate) fn check_depth(&self, limit: usize) -> Result<()> {
        match self.depth() {
            depth if depth <= limit => Ok(()),
            _ => Err(fault::Fault::too_deep(limit).into()),
        }
    }

    /// How many levels deep it is nested: 0 for a number, 1 for a list of numbers.
    #[must_use]
    pub fn depth(&self) -> usize {
        // Not by recursion: a value may be deeper than the stack.
        let mut deepest = 0;
        let mut ahead = vec![(self, 0)];
        while let Some((value, depth)) = ahead.pop() {
            let inner = depth + 1;
            match value {
                Value::Tuple(items) => ahead.extend(items.iter().map(|item| (item, inner))),
                Value::List(list) => ahead.extend(list.nested().iter().map(|item| (item, inner))),
                Value::Map(entries) => {
                    ahead.extend(entries.iter().flat_map(|(key, value)| [(key, inner), (value, inner)]));
                }
                Value::Some(value) => ahead.push((value, inner)),
                _ => {
                    deepest = deepest.max(depth);
                    continue;
                }
            }
            deepest = deepest.max(inner);
        }
        deepest
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::BigInt(a), Value::BigInt(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Tuple(a), Value::Tuple(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            (Value::Some(a), Value::Some(b)) => a == b,
            (Value::Handle(a), Value::Handle(b)) => a == b,
            (Value::Stream(a), Value::Stream(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Value::Null => {}
            Value::Bool(bool) => bool.hash(state),
            Value::Int(int) => int.hash(state),
            Value::BigInt(int) => int.hash(state),
            Value::Float(float) => float.to_bits().hash(state),
            Value::Text(text) => text.hash(state),
            Value::Bytes(bytes) => bytes.hash(state),
            Value::List(list) => list.hash(state),
            Value::Tuple(items) => items.hash(state),
            Value::Map(entries) => entries.hash(state),
            Value::Some(value) => value.hash(state),
            Value::Handle(handle) => handle.hash(state),
            Value::Stream(number) => number.hash(state),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(_) => f.write_str("Bool"),
            Value::Int(_) => f.write_str("Int"),
            Value::BigInt(_) => f.write_str("BigInt"),
            Value::Float(_) => f.write_str("Float"),
            Value::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Value::Bytes(bytes) => bytes.fmt(f),
            Value::List(list) => list.fmt(f),
            Value::Tuple(items) => write!(f, "Tuple({} items)", items.len()),
            Value::Map(entries) => write!(f, "Map({} entries)", entries.len()),
            Value::Some(value) => f.debug_tuple("Some").field(value).finish(),
            Value::Handle(handle) => handle.fmt(f),
            Value::Stream(number) => write!(f, "Stream({number})"),
        }
    }
}

#[cfg(test)]
mod tests;
