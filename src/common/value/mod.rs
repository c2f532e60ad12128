#![doc = include_str!("values.md")]

mod access;
mod array;
mod bytes;
mod complex;
mod convert;
mod de;
mod debug;
mod decimal;
mod deep;
mod equality;
mod fault;
mod foreign;
mod handle;
mod integer;
mod json;
mod keep_alive;
mod kinds;
mod list;
mod named_tuple;
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
pub(crate) use deep::{before_writing, drop_written};
pub use foreign::{AsValue, as_value};
pub use handle::Handle;
pub(crate) use handle::{HandleLease, ObjectKind, leasing};
pub use integer::BigInt;
pub(crate) use keep_alive::{Held, hold, holding};
pub use list::List;
pub(crate) use list::Packing;
pub use named_tuple::NamedTuple;
pub use number::Number;
pub(crate) use python_details::PythonDetails;
pub use raw_text::RawText;
pub use set::Set;
pub use slice::{Range, Slice};
pub use time::{Date, DateTime, Time, TimeDelta, Zone};

pub use de::from_value;
pub(crate) use de::{Wanted, reading_nan_as_none, wanted};
pub use ser::to_value;
pub(crate) use ser::to_value_within;
pub(crate) use stream::StreamNumber;

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
///
/// A value may be nested deeper than the stack: nothing goes down to the bottom of it by
/// recursion, except its own drop outside a [`List`] and a [`Set`]. Rust drops a chain
/// of tuples, maps and options by recursion, so put one of 10,000 levels or more into a
/// list.
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
    /// A tuple whose items have names, as a copy of Python's named tuple.
    NamedTuple(Box<NamedTuple>),
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
            Value::Tuple(_) | Value::NamedTuple(_) => "a tuple",
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
        match self.is_deeper_than(limit) {
            false => Ok(()),
            true => Err(fault::Fault::too_deep(limit).into()),
        }
    }

    /// Returns how many levels deep it is nested: 0 for a number, 1 for a list of
    /// numbers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth_up_to(usize::MAX)
    }

    pub(crate) fn is_deeper_than(&self, limit: usize) -> bool {
        self.depth_up_to(limit) > limit
    }

    /// Returns the same, or some depth beyond the limit as soon as that is certain.
    fn depth_up_to(&self, limit: usize) -> usize {
        // A loop and not recursion, because a value may be deeper than the stack. What
        // adds no level of its own is not looked at again.
        let mut deepest = 0;
        let mut ahead = vec![(self, 0)];
        while let Some((value, depth)) = ahead.pop() {
            let inner = depth + 1;
            let levels = |value: &&Value| {
                matches!(value, Value::List(_) | Value::Range(_)) || value.is_container()
            };
            let parts = |value| (value, inner);
            match value {
                Value::Tuple(items) => ahead.extend(items.iter().filter(levels).map(parts)),
                Value::List(list) => {
                    ahead.extend(list.nested().iter().filter(levels).map(parts));
                }
                Value::Map(entries) => {
                    let both = entries.iter().flat_map(|(key, value)| [key, value]);
                    ahead.extend(both.filter(levels).map(parts));
                }
                Value::Some(value) => ahead.push((value, inner)),
                Value::Set(set) | Value::FrozenSet(set) => {
                    ahead.extend(set.items().iter().filter(levels).map(parts));
                }
                Value::Slice(slice) => {
                    ahead.extend(slice.parts().into_iter().filter(levels).map(parts));
                }
                Value::NamedTuple(tuple) => {
                    ahead.extend(tuple.items().iter().filter(levels).map(parts));
                }
                Value::Range(_) => {}
                _ => continue,
            }
            deepest = deepest.max(inner);
            if deepest > limit {
                break;
            }
        }
        deepest
    }
}

impl Value {
    /// Copies it, which is `level` levels deep in what is copied.
    fn copy_at(&self, level: usize) -> Self {
        if level == MAX_DEPTH && self.is_container() {
            return deep::copy(self);
        }
        let all = |items: &[Value]| items.iter().map(|item| item.copy_at(level + 1)).collect();
        match self {
            Value::Null => Value::Null,
            Value::Bool(bool) => Value::Bool(*bool),
            Value::Int(int) => Value::Int(*int),
            Value::BigInt(int) => Value::BigInt(int.clone()),
            Value::Float(float) => Value::Float(*float),
            Value::Text(text) => Value::Text(text.clone()),
            Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Value::List(list) => Value::List(list.clone()),
            Value::Tuple(items) => Value::Tuple(all(items)),
            Value::Map(entries) => {
                let entry = |(key, value): &(Value, Value)| {
                    (key.copy_at(level + 1), value.copy_at(level + 1))
                };
                Value::Map(entries.iter().map(entry).collect())
            }
            Value::Some(value) => Value::Some(Box::new(value.copy_at(level + 1))),
            Value::Handle(handle) => Value::Handle(handle.clone()),
            Value::Stream(number) => Value::Stream(*number),
            Value::Complex(complex) => Value::Complex(*complex),
            Value::Set(set) => Value::Set(Set::from(all(set.items()))),
            Value::FrozenSet(set) => Value::FrozenSet(Set::from(all(set.items()))),
            Value::RawText(text) => Value::RawText(text.clone()),
            Value::Slice(slice) => {
                Value::Slice(Box::new(slice.parts().map(|part| part.copy_at(level + 1)).into()))
            }
            Value::Range(range) => Value::Range(range.clone()),
            Value::Date(date) => Value::Date(*date),
            Value::Time(time) => Value::Time(time.clone()),
            Value::DateTime(moment) => Value::DateTime(moment.clone()),
            Value::TimeDelta(delta) => Value::TimeDelta(*delta),
            Value::Decimal(decimal) => Value::Decimal(decimal.clone()),
            Value::Uuid(uuid) => Value::Uuid(*uuid),
            Value::Array(array) => Value::Array(array.clone()),
            Value::NamedTuple(tuple) => {
                Value::NamedTuple(Box::new(tuple.with_items(all(tuple.items()))))
            }
        }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.copy_at(0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
