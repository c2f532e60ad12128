//! How the kinds of value that serde does not know pass through serde: as newtype structs
//! of names that only oad knows. Other formats, such as JSON, see the plain form inside.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::common::value::handle::PlainHandle;
use crate::common::value::ser::plain_value;
use crate::common::value::{
    Array, Bytes, Complex, Date, DateTime, Decimal, Range, RawText, Set, Slice, Time, TimeDelta,
    Value, fault::Fault,
};

/// The beginning of every name below.
pub(super) const OURS: &str = "$oad::";
/// What a [`Value`] asks a deserializer for; not a kind of value.
pub(super) const VALUE: &str = "$oad::Value";

pub(super) const HANDLE: &str = "$oad::Handle";
pub(super) const BIG_INT: &str = "$oad::BigInt";
pub(super) const STREAM: &str = "$oad::Stream";
pub(super) const TUPLE: &str = "$oad::Tuple";
pub(super) const SOME: &str = "$oad::Some";
pub(super) const COMPLEX: &str = "$oad::Complex";
pub(super) const SET: &str = "$oad::Set";
pub(super) const FROZEN_SET: &str = "$oad::FrozenSet";
pub(super) const RAW_TEXT: &str = "$oad::RawText";
pub(super) const SLICE: &str = "$oad::Slice";
pub(super) const RANGE: &str = "$oad::Range";
pub(super) const DATE: &str = "$oad::Date";
pub(super) const TIME: &str = "$oad::Time";
pub(super) const DATE_TIME: &str = "$oad::DateTime";
pub(super) const TIME_DELTA: &str = "$oad::TimeDelta";
pub(super) const DECIMAL: &str = "$oad::Decimal";
pub(super) const UUID: &str = "$oad::Uuid";
pub(super) const ARRAY: &str = "$oad::Array";

/// A type that is a kind of value of its own.
pub(super) trait Special: Sized {
    const NAME: &'static str;
    /// What messages call it.
    const WHAT: &'static str;

    fn write_plain<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads the plain form and checks it.
    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// The plain form of a special type.
pub(super) struct Plain<T>(pub(super) T);

impl<T: Special> Serialize for Plain<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write_plain(serializer)
    }
}

impl<'de, T: Special> Deserialize<'de> for Plain<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read_plain(deserializer).map(Plain)
    }
}

pub(super) struct SpecialVisitor<T>(pub(super) PhantomData<T>);

impl<'de, T: Special> Visitor<'de> for SpecialVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read_plain(deserializer)
    }
}

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
                    deserializer.deserialize_newtype_struct(<$type as Special>::NAME, SpecialVisitor(PhantomData))
                }
            }
        )*
    };
}

special!(Array, Complex, Date, DateTime, Decimal, Range, RawText, Set, Slice, Time, TimeDelta);

/// A value of a kind that serde knows.
pub(super) struct Ordinary(pub(super) Value);

/// The name of a value's kind and its plain form, if the kind is special.
pub(super) fn name_and_plain(
    value: Value,
) -> Result<Result<(&'static str, Value), Ordinary>, Fault> {
    Ok(Ok(match value {
        Value::Tuple(items) => (TUPLE, items.into()),
        Value::Some(value) => (SOME, *value),
        Value::Handle(handle) => (HANDLE, plain_value(&PlainHandle::from(&handle))?),
        Value::Stream(number) => (STREAM, number.into()),
        Value::BigInt(int) => (BIG_INT, Value::Bytes(int.to_le_bytes().into())),
        Value::Complex(complex) => (COMPLEX, plain_value(&Plain(&complex))?),
        Value::Set(set) => (SET, set.into_items().into()),
        Value::FrozenSet(set) => (FROZEN_SET, set.into_items().into()),
        Value::RawText(text) => (RAW_TEXT, Value::Bytes(text.into_wtf8().into())),
        Value::Slice(slice) => (SLICE, Value::Tuple(slice.into_parts().into())),
        Value::Range(range) => (RANGE, Value::Tuple(range.into_parts().into())),
        Value::Date(date) => (DATE, plain_value(&Plain(&date))?),
        Value::Time(time) => (TIME, plain_value(&Plain(&time))?),
        Value::DateTime(moment) => (DATE_TIME, plain_value(&Plain(&moment))?),
        Value::TimeDelta(delta) => (TIME_DELTA, plain_value(&Plain(&delta))?),
        Value::Decimal(decimal) => (DECIMAL, decimal.as_str().into()),
        Value::Uuid(uuid) => (UUID, plain_value(&uuid)?),
        Value::Array(array) => (ARRAY, plain_value(&Plain(&array))?),
        ordinary => return Ok(Err(Ordinary(ordinary))),
    }))
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
        BIG_INT => plain.newtype_variant().map(|bytes: Bytes| Value::integer_from_le_bytes(&bytes)),
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
        ARRAY => plain.newtype_variant().map(|Plain(array)| Value::Array(array)),
        _ => Err(A::Error::custom("unknown kind of value")),
    }
}
