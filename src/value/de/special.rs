//! The kinds of value that serde has no word for, as [`Value`], [`Handle`] and [`BigInt`] themselves read them.
//!
//! A [`Value`] asks for a newtype struct of a name that only this deserializer knows. It is then given plain kinds as any format would
//! give them, and special ones as the variant of an enum: the kind's name, and its plain form.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};

use crate::value::de::{FromValue, Variant};
use crate::value::fault::Fault;
use crate::value::handle::PlainHandle;
use crate::value::ser::{HANDLE as HANDLE_NAME, plain_value};
use crate::value::{BigInt, Bytes, Handle, List, Value};

pub(in crate::value) const VALUE: &str = "$oad::Value";

/// The special kinds, by the names that both functions below use.
const TUPLE: &str = "Tuple";
const SOME: &str = "Some";
const HANDLE: &str = "Handle";
const BIG_INT: &str = "BigInt";
const STREAM: &str = "Stream";

pub(super) fn visit_value<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Fault> {
    let (name, payload) = match value {
        Value::Tuple(items) => (TUPLE, Value::List(List::from(items))),
        Value::Some(value) => (SOME, *value),
        Value::Handle(handle) => (HANDLE, plain(&handle)?),
        Value::Stream(number) => (STREAM, number.into()),
        Value::BigInt(int) => (BIG_INT, Value::Bytes(int.to_le_bytes().into())),
        plain => return FromValue(plain).deserialize_any(visitor),
    };
    visitor.visit_enum(Variant { name: name.to_owned(), payload })
}

pub(super) fn visit_handle<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Fault> {
    match value {
        Value::Handle(handle) => visitor.visit_newtype_struct(FromValue(plain(&handle)?)),
        other => Err(FromValue(other).expected("a handle")),
    }
}

pub(super) fn visit_stream<'de, V: Visitor<'de>>(value: Value, visitor: V) -> Result<V::Value, Fault> {
    match value {
        Value::Stream(number) => visitor.visit_newtype_struct(FromValue(number.into())),
        other => Err(FromValue(other).expected("a stream")),
    }
}

fn plain(handle: &Handle) -> Result<Value, Fault> {
    plain_value(&PlainHandle::from(handle))
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, bool: bool) -> Result<Value, E> {
        Ok(bool.into())
    }

    fn visit_i64<E>(self, int: i64) -> Result<Value, E> {
        Ok(int.into())
    }

    fn visit_u64<E>(self, int: u64) -> Result<Value, E> {
        Ok(int.into())
    }

    fn visit_i128<E>(self, int: i128) -> Result<Value, E> {
        Ok(int.into())
    }

    fn visit_u128<E>(self, int: u128) -> Result<Value, E> {
        Ok(int.into())
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(float.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.into()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(List::from(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (name, payload) = data.variant::<String>()?;
        match name.as_str() {
            TUPLE => payload.newtype_variant().map(Value::Tuple),
            SOME => payload.newtype_variant().map(Value::Some),
            HANDLE => payload.newtype_variant().map(|plain: PlainHandle| Value::Handle(plain.into())),
            STREAM => payload.newtype_variant().map(Value::Stream),
            BIG_INT => payload.newtype_variant().map(|bytes: Bytes| Value::integer_from_le_bytes(&bytes)),
            _ => Err(A::Error::custom("a value of a kind that is not known here")),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for BigInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::BigInt(int) => Ok(int),
            other => Err(D::Error::custom(format_args!(
                "expected an integer beyond 64 bits, found {}",
                match other {
                    Value::Int(_) => "a smaller one",
                    other => other.kind_name(),
                }
            ))),
        }
    }
}

struct HandleVisitor;

impl<'de> Visitor<'de> for HandleVisitor {
    type Value = Handle;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Handle, D::Error> {
        PlainHandle::deserialize(deserializer).map(Handle::from)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(HANDLE_NAME, HandleVisitor)
    }
}
