//! How the kinds of value that serde does not know pass through serde: as newtype structs
//! of names that only oad knows. Other formats, such as JSON, see the plain form inside.

use std::fmt;
use std::marker::PhantomData;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::value::Value;

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
pub(super) const NAMED_TUPLE: &str = "$oad::NamedTuple";

/// A type that is a kind of value of its own.
pub(super) trait Special: Sized {
    const NAME: &'static str;
    /// What messages call it.
    const WHAT: &'static str;

    /// Borrows the plain form of a kind that holds other values, which may be deep, or
    /// makes that of any other.
    fn plain(&self) -> PlainForm<'_>;

    /// Reads the plain form and checks it.
    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// The plain form of a special kind, made of kinds that every format knows.
pub(super) enum PlainForm<'a> {
    /// It holds no other values.
    Flat(Value),
    List(&'a [Value]),
    Tuple([&'a Value; 3]),
}

/// The plain form of a special type.
pub(super) struct Plain<T>(pub(super) T);

impl<T: Special> Serialize for Plain<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.plain() {
            PlainForm::Flat(value) => value.serialize(serializer),
            PlainForm::List(items) => serializer.collect_seq(items),
            PlainForm::Tuple(parts) => parts.serialize(serializer),
        }
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

/// The plain form of a struct.
pub(super) fn plain_struct<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
}
