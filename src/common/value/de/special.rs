//! How the kinds of value that serde does not know are read.
//!
//! A [`Value`] asks for a newtype struct of a name that only this deserializer knows. It
//! then receives ordinary kinds as from any format, and special ones as the variant of an
//! enum: the name of the kind, and its plain form.

use std::fmt;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, Error as _, Expected, MapAccess, SeqAccess, Visitor,
};

use crate::common::value::de::compound::Variant;
use crate::common::value::de::{FromValue, wrong_kind};
use crate::common::value::fault::Fault;
use crate::common::value::handle::PlainHandle;
use crate::common::value::kinds::{Ordinary, from_name_and_plain, name_and_plain};
use crate::common::value::private_names::from_private_entries;
use crate::common::value::special::{BIG_INT, FROZEN_SET, HANDLE, SET, VALUE};
use crate::common::value::{Bytes, Handle, List, MAX_DEPTH, Value};

pub(super) fn visit_value<'de, V: Visitor<'de>>(
    value: Value,
    visitor: V,
) -> Result<V::Value, Fault> {
    match name_and_plain(value) {
        Ok((name, payload)) => visitor.visit_enum(Variant { name: name.to_owned(), payload }),
        // The visitor is that of a `Value`.
        Err(Ordinary(Value::Bytes(bytes))) => bytes.lend(|slice| visitor.visit_bytes(slice)),
        Err(Ordinary(value)) => FromValue(value).deserialize_any(visitor),
    }
}

/// Reads a type that is a special kind itself, of the name of that kind.
pub(super) fn visit_special<'de, V: Visitor<'de>>(
    name: &str,
    value: Value,
    visitor: V,
) -> Result<V::Value, Fault> {
    if name == BIG_INT {
        let FromValue(value) = FromValue(value).number()?;
        return match &value {
            Value::Int(int) => visitor.visit_i64(*int),
            Value::BigInt(int) => visitor.visit_bytes(int.to_le_bytes()),
            _ => Err(wrong_kind(&visitor as &dyn Expected, &value)),
        };
    }
    let refusal = wrong_kind(&visitor as &dyn Expected, &value);
    match name_and_plain(value) {
        Ok((kind, plain)) if kind == name || (kind, name) == (FROZEN_SET, SET) => {
            visitor.visit_newtype_struct(FromValue(plain))
        }
        _ => Err(refusal),
    }
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
        Ok(Value::Bytes(Bytes::of_slice(bytes)))
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
        // `serde_json` with `arbitrary_precision` passes a number as a map.
        match from_private_entries(entries, MAX_DEPTH) {
            Ok(value) => value.map_err(A::Error::custom),
            Err(entries) => Ok(Value::Map(entries)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (name, payload) = data.variant::<String>()?;
        from_name_and_plain(&name, payload)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, ValueVisitor)
    }
}

struct HandleVisitor;

impl<'de> Visitor<'de> for HandleVisitor {
    type Value = Handle;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handle")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Handle, D::Error> {
        PlainHandle::deserialize(deserializer).map(Handle::from)
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(HANDLE, HandleVisitor)
    }
}
