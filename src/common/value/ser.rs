//! From serde types to values.

use serde::{Serialize, Serializer};

use crate::common::error::Result;
use crate::common::value::de::FromValue;
use crate::common::value::deep::write_container;
use crate::common::value::fault::Fault;
use crate::common::value::kinds::from_name_and_plain;
use crate::common::value::list::ListBuilder;
use crate::common::value::private_names::is_private_name;
use crate::common::value::ser::compound::{
    MapSerializer, SeqSerializer, StructName, list, tuple, variant,
};
use crate::common::value::special::{
    BIG_INT, FROZEN_SET, NAMED_TUPLE, OURS, RANGE, SET, SLICE, SOME, STREAM, TUPLE, UUID,
};
use crate::common::value::{Bytes, MAX_DEPTH, NamedTuple, Value};

mod compound;

/// Converts a value of a serde type, by the table of [this module](crate::value).
///
/// Outside a call, a proxy becomes the handle of its object, which keeps nothing alive,
/// and a [`Stream`](crate::Stream) is an error.
///
/// ```
/// use oad::value::{from_value, to_value};
///
/// let value = to_value(&(1, Some("x")))?;
/// assert_eq!(value, (1, "x").into());
/// assert_eq!(from_value::<(u8, String)>(value)?, (1, "x".to_owned()));
/// # Ok::<(), oad::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::TooDeep`](crate::ErrorKind::TooDeep) if it is nested deeper than 32
/// levels, and [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if its own
/// `Serialize` fails.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    to_value_within(value, MAX_DEPTH)
}

/// Does the same with another limit on the depth.
///
/// # Errors
///
/// The same. Depth is checked on the way, so that no depth can exhaust the stack.
pub(crate) fn to_value_within<T: Serialize + ?Sized>(
    value: &T,
    depth_limit: usize,
) -> Result<Value> {
    Ok(value.serialize(ToValue::new(depth_limit))?)
}

/// How many options and newtype structs may enclose each other. They add no level to the
/// value, but they use the stack.
const MAX_WRAPS: usize = 128;

#[derive(Clone, Copy)]
struct ToValue {
    limit: usize,
    /// How many levels may still be opened.
    left: usize,
    /// How many wraps may still be opened.
    wraps: usize,
    /// Whether types that have a text form and a binary one write the text.
    is_human_readable: bool,
}

impl ToValue {
    fn new(limit: usize) -> Self {
        ToValue { limit, left: limit, wraps: MAX_WRAPS, is_human_readable: true }
    }

    /// The serializer for what is in a container.
    fn inside(self) -> Result<Self, Fault> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(ToValue { left, ..self }),
            None => Err(Fault::too_deep(self.limit)),
        }
    }

    /// The serializer for what is in a wrap.
    fn wrapped(self) -> Result<Self, Fault> {
        match self.wraps.checked_sub(1) {
            Some(wraps) => Ok(ToValue { wraps, ..self }),
            None => Err(Fault::too_deep(self.limit)),
        }
    }
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = Fault;
    type SerializeSeq = SeqSerializer;
    type SerializeTuple = SeqSerializer;
    type SerializeTupleStruct = SeqSerializer;
    type SerializeTupleVariant = SeqSerializer;
    type SerializeMap = MapSerializer;
    type SerializeStruct = MapSerializer;
    type SerializeStructVariant = MapSerializer;

    fn is_human_readable(&self) -> bool {
        self.is_human_readable
    }

    fn serialize_bool(self, value: bool) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_i8(self, value: i8) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_i128(self, value: i128) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_u8(self, value: u8) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_u128(self, value: u128) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_char(self, value: char) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_str(self, value: &str) -> Result<Value, Fault> {
        Ok(value.into())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, Fault> {
        Ok(Value::Bytes(Bytes::of_slice(value)))
    }

    fn serialize_none(self) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Fault> {
        match value.serialize(self.wrapped()?)? {
            hidden @ (Value::Null | Value::Some(_)) => {
                // The wrapping is a level of its own.
                self.inside()?;
                Ok(Value::Some(Box::new(hidden)))
            }
            value => Ok(value),
        }
    }

    fn serialize_unit(self) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Fault> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Fault> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Fault> {
        match name {
            TUPLE => value.serialize(self).map(|value| regrouped(value, Value::Tuple)),
            SET => value
                .serialize(self)
                .map(|value| regrouped(value, |items| Value::Set(items.into()))),
            FROZEN_SET => value
                .serialize(self)
                .map(|value| regrouped(value, |items| Value::FrozenSet(items.into()))),
            SOME => Ok(Value::Some(Box::new(value.serialize(self.inside()?)?))),
            // These hold other values, at the depth at which they are written.
            SLICE | RANGE | NAMED_TUPLE => {
                from_name_and_plain(name, FromValue(value.serialize(self)?))
            }
            BIG_INT => {
                let binary = ToValue { is_human_readable: false, ..self };
                from_name_and_plain(name, FromValue(value.serialize(binary)?))
            }
            // The others hold plain data only, which may be a level deeper than the value
            // that is made of it.
            _ if name.starts_with(OURS) => {
                from_name_and_plain(name, FromValue(value.serialize(self.unlimited())?))
            }
            _ => value.serialize(self.wrapped()?),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Value, Fault> {
        Ok(variant(name, value.serialize(self.inside()?)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<SeqSerializer, Fault> {
        self.items(list, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<SeqSerializer, Fault> {
        self.items(tuple, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<SeqSerializer, Fault> {
        self.items(tuple, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<SeqSerializer, Fault> {
        self.inside()?.items(tuple, Some(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<MapSerializer, Fault> {
        self.entries(StructName::Map)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<MapSerializer, Fault> {
        match is_private_name(name) {
            // It is not a level of the value that is made of it.
            true => Ok(MapSerializer::new(self, StructName::Private)),
            false => self.entries(StructName::Struct(name)),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<MapSerializer, Fault> {
        self.inside()?.entries(StructName::Variant(name))
    }
}

impl ToValue {
    fn items(
        self,
        finish: fn(ListBuilder) -> Value,
        variant: Option<&'static str>,
    ) -> Result<SeqSerializer, Fault> {
        Ok(SeqSerializer::new(self.inside()?, finish, variant))
    }

    fn entries(self, name: StructName) -> Result<MapSerializer, Fault> {
        Ok(MapSerializer::new(self.inside()?, name))
    }

    fn unlimited(self) -> Self {
        ToValue { left: usize::MAX, ..self }
    }
}

fn regrouped(list: Value, group: fn(Vec<Value>) -> Value) -> Value {
    match list {
        Value::List(list) => group(list.into_iter().collect()),
        other => other,
    }
}

// === impl Serialize for Value ===

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.is_container() {
            true => write_container(self, serializer, |serializer| self.write(serializer)),
            false => self.write(serializer),
        }
    }
}

impl Value {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::BigInt(int) => int.serialize(serializer),
            Value::Float(float) => serializer.serialize_f64(*float),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => bytes.serialize(serializer),
            Value::List(list) => serializer.collect_seq(list.cows()),
            Value::Tuple(items) => serializer.serialize_newtype_struct(TUPLE, items),
            Value::Map(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
            Value::Some(value) => serializer.serialize_newtype_struct(SOME, value),
            Value::Handle(handle) => handle.serialize(serializer),
            Value::Stream(number) => serializer.serialize_newtype_struct(STREAM, number),
            Value::Complex(complex) => complex.serialize(serializer),
            Value::Set(set) => set.serialize(serializer),
            Value::FrozenSet(set) => serializer.serialize_newtype_struct(FROZEN_SET, set.items()),
            Value::RawText(text) => text.serialize(serializer),
            Value::Slice(slice) => slice.serialize(serializer),
            Value::Range(range) => range.serialize(serializer),
            Value::Date(date) => date.serialize(serializer),
            Value::Time(time) => time.serialize(serializer),
            Value::DateTime(moment) => moment.serialize(serializer),
            Value::TimeDelta(delta) => delta.serialize(serializer),
            Value::Decimal(decimal) => decimal.serialize(serializer),
            Value::Uuid(uuid) => serializer.serialize_newtype_struct(UUID, uuid),
            Value::Array(array) => array.serialize(serializer),
            Value::NamedTuple(tuple) => {
                serializer.serialize_newtype_struct(NAMED_TUPLE, &NamedItems(tuple))
            }
        }
    }
}

/// The names and the items of a named tuple, as a map.
struct NamedItems<'a>(&'a NamedTuple);

impl Serialize for NamedItems<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.names().iter().zip(self.0.items()))
    }
}
