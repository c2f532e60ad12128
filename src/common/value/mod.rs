#![doc = include_str!("values.md")]

mod access;
mod array;
mod bytes;
mod complex;
mod convert;
mod de;
mod debug;
mod decimal;
mod fault;
mod foreign;
mod handle;
mod integer;
mod json;
mod keep_alive;
mod kinds;
mod list;
mod number;
mod private_names;
mod python_details;
mod raw_text;
mod ser;
mod set;
mod slice;
mod special;
mod stream;
mod time;

pub use self::bytes::Bytes;
pub use access::ValueIndex;
pub use array::{Array, ArraySource};
pub use complex::Complex;
pub use decimal::Decimal;
pub use foreign::{AsValue, as_value};
pub use handle::Handle;
pub(crate) use handle::{HandleLease, ObjectKind, leasing};
pub use integer::BigInt;
pub(crate) use keep_alive::{Held, hold, holding};
pub use list::List;
pub(crate) use list::Packing;
pub use number::Number;
pub(crate) use python_details::PythonDetails;
pub use raw_text::RawText;
pub use set::Set;
pub use slice::{Range, Slice};
pub use time::{Date, DateTime, Time, TimeDelta, Zone};

pub use de::from_value;
pub(crate) use de::{Wanted, wanted};
pub use ser::to_value;
pub(crate) use ser::to_value_within;
pub(crate) use stream::StreamNumber;

use std::hash::{Hash, Hasher};

use uuid::Uuid;

use crate::common::error::Result;

/// How many levels deep a value may be nested, and the most that a setting can allow: the
/// protobuf library decodes 100 levels of messages, and a level of a map takes three.
pub(crate) const MAX_DEPTH: usize = 32;

/// What travels between a caller and a daemon.
///
/// [`to_value`] and [`from_value`] convert from and to serde types, `From` from plain
/// ones; [`as_str`](Value::as_str) and its siblings look inside, and so does indexing
/// with a position or a key.
///
/// Equality is exact: floats are equal if all bits are, so `NaN` equals itself and `0.0`
/// is not `-0.0`. `Debug` shows the kind and the contents, up to a bound in length and
/// depth.
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// The absence of a value: Python's `None`.
    Null,
    /// A truth value, never a number.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not fit 64 bits. `Value::from` makes it of a [`BigInt`].
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
    /// `Some` of what would otherwise read as `None`: `Some(None)`, `Some(())`.
    Some(Box<Value>),
    /// The name of an object that stays in its daemon.
    Handle(Handle),
    /// A [`Stream`](crate::Stream), by its number in the call that it belongs to.
    Stream(u64),
    /// A complex number.
    Complex(Complex),
    /// A mutable set: Python's `set`.
    Set(Set),
    /// An immutable set: Python's `frozenset`.
    FrozenSet(Set),
    /// Text with lone surrogates; text without them is [`Value::Text`].
    RawText(RawText),
    /// Python's `slice`: what stands between the brackets of `x[start:stop:step]`.
    Slice(Box<Slice>),
    /// Python's `range`.
    Range(Box<Range>),
    /// A day.
    Date(Date),
    /// A time of day, with or without a zone.
    Time(Time),
    /// A day and a time of it.
    DateTime(DateTime),
    /// A time span.
    TimeDelta(TimeDelta),
    /// A decimal number.
    Decimal(Decimal),
    /// A UUID.
    Uuid(Uuid),
    /// An array of numbers of one type.
    Array(Array),
}

impl Value {
    /// Returns the name of its kind for messages, such as "text" or "a list".
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) | Value::RawText(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Map(_) => "a map",
            Value::Some(_) => "an optional value",
            Value::Handle(_) => "a handle",
            Value::Stream(_) => "a stream",
            Value::Complex(_) => "a complex number",
            Value::Set(_) => "a set",
            Value::FrozenSet(_) => "a frozen set",
            Value::Slice(_) => "a slice",
            Value::Range(_) => "a range",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time",
            Value::DateTime(_) => "a date and time",
            Value::TimeDelta(_) => "a time span",
            Value::Decimal(_) => "a decimal number",
            Value::Uuid(_) => "a UUID",
            Value::Array(_) => "an array",
        }
    }

    /// # Errors
    ///
    /// [`ErrorKind::TooDeep`](crate::ErrorKind::TooDeep) if it is nested deeper than
    /// `limit` levels.
    pub(crate) fn check_depth(&self, limit: usize) -> Result<()> {
        match self.depth() {
            depth if depth <= limit => Ok(()),
            _ => Err(fault::Fault::too_deep(limit).into()),
        }
    }

    /// Returns how many levels deep it is nested: 0 for a number, 1 for a list of
    /// numbers.
    #[must_use]
    pub fn depth(&self) -> usize {
        // A loop and not recursion, because a value may be deeper than the stack.
        let mut deepest = 0;
        let mut ahead = vec![(self, 0)];
        while let Some((value, depth)) = ahead.pop() {
            let inner = depth + 1;
            match value {
                Value::Tuple(items) => ahead.extend(items.iter().map(|item| (item, inner))),
                Value::List(list) => ahead.extend(list.nested().iter().map(|item| (item, inner))),
                Value::Map(entries) => {
                    ahead.extend(
                        entries.iter().flat_map(|(key, value)| [(key, inner), (value, inner)]),
                    );
                }
                Value::Some(value) => ahead.push((value, inner)),
                Value::Set(set) | Value::FrozenSet(set) => {
                    ahead.extend(set.items().iter().map(|item| (item, inner)))
                }
                Value::Slice(slice) => ahead.extend(slice.parts().map(|part| (part, inner))),
                Value::Range(range) => ahead.extend(range.parts().map(|part| (part, inner))),
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
            (Value::Complex(a), Value::Complex(b)) => a == b,
            (Value::Set(a), Value::Set(b)) => a == b,
            (Value::FrozenSet(a), Value::FrozenSet(b)) => a == b,
            (Value::RawText(a), Value::RawText(b)) => a == b,
            (Value::Slice(a), Value::Slice(b)) => a == b,
            (Value::Range(a), Value::Range(b)) => a == b,
            (Value::Date(a), Value::Date(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::DateTime(a), Value::DateTime(b)) => a == b,
            (Value::TimeDelta(a), Value::TimeDelta(b)) => a == b,
            (Value::Decimal(a), Value::Decimal(b)) => a == b,
            (Value::Uuid(a), Value::Uuid(b)) => a == b,
            (Value::Array(a), Value::Array(b)) => a == b,
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
            Value::Complex(complex) => complex.hash(state),
            Value::Set(set) | Value::FrozenSet(set) => set.hash(state),
            Value::RawText(text) => text.hash(state),
            Value::Slice(slice) => slice.hash(state),
            Value::Range(range) => range.hash(state),
            Value::Date(date) => date.hash(state),
            Value::Time(time) => time.hash(state),
            Value::DateTime(moment) => moment.hash(state),
            Value::TimeDelta(delta) => delta.hash(state),
            Value::Decimal(decimal) => decimal.hash(state),
            Value::Uuid(uuid) => uuid.hash(state),
            Value::Array(array) => array.hash(state),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
