//! The kinds of value that serde does not know, with the names and plain forms by which
//! they pass through it.

use std::marker::PhantomData;

use serde::de::{Error as _, VariantAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::common::value::handle::PlainHandle;
use crate::common::value::special::{
    ARRAY, BIG_INT, COMPLEX, DATE, DATE_TIME, DECIMAL, FROZEN_SET, HANDLE, NAMED_TUPLE, Plain,
    RANGE, RAW_TEXT, SET, SLICE, SOME, STREAM, Special, SpecialVisitor, TIME, TIME_DELTA, TUPLE,
    UUID,
};
use crate::common::value::{
    Array, BigInt, Bytes, Complex, Date, DateTime, Decimal, NamedTuple, Range, RawText, Set, Slice,
    Time, TimeDelta, Value,
};

/// Implements serde's traits for special types.
macro_rules! special {
    ($($type:ident),*) => {
        $(
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_newtype_struct(<$type as Special>::NAME, &Plain(self))
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let name = <$type as Special>::NAME;
                    deserializer.deserialize_newtype_struct(name, SpecialVisitor(PhantomData))
                }
            }
        )*
    };
}

special!(Array, Complex, Date, DateTime, Decimal, Range, RawText, Set, Slice, Time, TimeDelta);

/// A value of a kind that serde knows.
pub(super) struct Ordinary(pub(super) Value);

/// Returns the name of a value's kind and its plain form if the kind is special,
/// otherwise the value.
pub(super) fn name_and_plain(value: Value) -> Result<(&'static str, Value), Ordinary> {
    Ok(match value {
        Value::Tuple(items) => (TUPLE, items.into()),
        Value::Some(value) => (SOME, *value),
        Value::Handle(handle) => (HANDLE, handle.plain()),
        Value::Stream(number) => (STREAM, number.into()),
        Value::BigInt(int) => (BIG_INT, Value::Bytes(int.to_le_bytes().into())),
        Value::Complex(complex) => (COMPLEX, complex.plain_value()),
        Value::Set(set) => (SET, set.into_items().into()),
        Value::FrozenSet(set) => (FROZEN_SET, set.into_items().into()),
        Value::RawText(text) => (RAW_TEXT, Value::Bytes(text.into_wtf8().into())),
        Value::Slice(slice) => (SLICE, Value::Tuple(slice.into_parts().into())),
        Value::Range(range) => (RANGE, Value::Tuple(range.into_parts().into())),
        Value::Date(date) => (DATE, date.plain_value()),
        Value::Time(time) => (TIME, time.plain_value()),
        Value::DateTime(moment) => (DATE_TIME, moment.plain_value()),
        Value::TimeDelta(delta) => (TIME_DELTA, delta.plain_value()),
        Value::Decimal(decimal) => (DECIMAL, decimal.plain_value()),
        Value::Uuid(uuid) => (UUID, uuid.to_string().into()),
        Value::Array(array) => (ARRAY, array.plain_value()),
        Value::NamedTuple(tuple) => (NAMED_TUPLE, Value::Map(tuple.into_entries())),
        ordinary => return Err(Ordinary(ordinary)),
    })
}

/// The value of a kind's name and its plain form.
pub(super) fn from_name_and_plain<'de, A: VariantAccess<'de>>(
    name: &str,
    plain: A,
) -> Result<Value, A::Error> {
    match name {
        TUPLE => plain.newtype_variant().map(Value::Tuple),
        SOME => plain.newtype_variant().map(Value::Some),
        HANDLE => plain.newtype_variant().map(|plain: PlainHandle| Value::Handle(plain.into())),
        STREAM => plain.newtype_variant().map(Value::Stream),
        BIG_INT => plain.newtype_variant().map(|bytes: Bytes| BigInt::from_le_bytes(&bytes).into()),
        COMPLEX => plain.newtype_variant().map(|Plain(complex)| Value::Complex(complex)),
        SET => plain.newtype_variant().map(|Plain(set)| Value::Set(set)),
        FROZEN_SET => plain.newtype_variant().map(|Plain(set)| Value::FrozenSet(set)),
        RAW_TEXT => plain.newtype_variant().map(|Plain(text)| Value::RawText(text)),
        SLICE => plain.newtype_variant().map(|Plain(slice)| Value::Slice(Box::new(slice))),
        RANGE => plain.newtype_variant().map(|Plain(range)| Value::Range(Box::new(range))),
        DATE => plain.newtype_variant().map(|Plain(date)| Value::Date(date)),
        TIME => plain.newtype_variant().map(|Plain(time)| Value::Time(time)),
        DATE_TIME => plain.newtype_variant().map(|Plain(moment)| Value::DateTime(moment)),
        TIME_DELTA => plain.newtype_variant().map(|Plain(delta)| Value::TimeDelta(delta)),
        DECIMAL => plain.newtype_variant().map(|Plain(decimal)| Value::Decimal(decimal)),
        UUID => plain.newtype_variant().map(|uuid: Uuid| Value::Uuid(uuid)),
        NAMED_TUPLE => match plain.newtype_variant()? {
            Value::Map(entries) => NamedTuple::from_entries(entries)
                .map(|tuple| Value::NamedTuple(Box::new(tuple)))
                .map_err(A::Error::custom),
            _ => Err(A::Error::custom("a named tuple is not a map")),
        },
        ARRAY => plain.newtype_variant().map(|Plain(array)| Value::Array(array)),
        _ => Err(A::Error::custom("unknown kind of value")),
    }
}
