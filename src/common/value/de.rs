//! From values to serde types.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

use crate::common::error::Result;
use crate::common::value::access::exact_float;
use crate::common::value::de::compound::{MapReader, SeqReader, Variant};
use crate::common::value::deep::MAX_RECURSION;
use crate::common::value::fault::Fault;
use crate::common::value::list::Packing;
use crate::common::value::number::narrowed_f32;
use crate::common::value::private_names::{
    RAW_VALUE, TOML, into_private_struct, is_of_toml, raw_value_entries,
};
use crate::common::value::special::{OURS, VALUE};
use crate::common::value::time::into_std_struct;
use crate::common::value::{BigInt, Bytes, Value};

mod compound;
mod nan;
mod probe;
mod special;

pub(crate) use nan::reading_nan_as_none;
pub(crate) use probe::{Wanted, wanted};

/// Reads a value as a serde type, by the table of [this module](crate::value).
///
/// Outside a call, no proxy and no [`Stream`](crate::Stream) can be read.
///
/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType), with the path to the place, if
/// the value is not of that type or would have to be changed, and
/// [`ErrorKind::TooDeep`](crate::ErrorKind::TooDeep) if it is nested deeper than 128
/// levels.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    if value.is_deeper_than(MAX_RECURSION) {
        Value::dismantle(vec![value]);
        return Err(Fault::too_deep(MAX_RECURSION).into());
    }
    Ok(T::deserialize(FromValue(value))?)
}

pub(super) struct FromValue(pub(super) Value);

impl FromValue {
    fn expected(&self, what: impl fmt::Display) -> Fault {
        wrong_kind(what, &self.0)
    }

    /// The number, if it is an array without dimensions.
    fn number(self) -> Result<Self, Fault> {
        match &self.0 {
            Value::Array(array) => match array.number() {
                Some(number) => Ok(FromValue(number?)),
                None => Ok(self),
            },
            _ => Ok(self),
        }
    }

    /// The integer, if it is one and fits `T`.
    fn integer<T: TryFrom<i128> + TryFrom<u128> + fmt::Display>(
        self,
        min: T,
        max: T,
    ) -> Result<T, Fault> {
        let this = self.number()?;
        let fits = match &this.0 {
            Value::Int(int) => T::try_from(i128::from(*int)).ok(),
            Value::BigInt(int) => {
                let signed = i128::try_from(int.clone()).ok().and_then(|int| T::try_from(int).ok());
                signed.or_else(|| {
                    u128::try_from(int.clone()).ok().and_then(|int| T::try_from(int).ok())
                })
            }
            _ => return Err(this.expected(format!("an integer from {min} to {max}"))),
        };
        fits.ok_or_else(|| {
            let found = match this.0 {
                Value::Int(int) => int.to_string(),
                Value::BigInt(int) if int.to_le_bytes().len() <= 16 => int.to_string(),
                _ => "a larger one".to_owned(),
            };
            Fault::wrong_type(format!("expected an integer from {min} to {max}, found {found}"))
        })
    }

    /// The float; an integer is one too where no digit is lost.
    fn float(self) -> Result<f64, Fault> {
        let this = self.number()?;
        match &this.0 {
            Value::Float(float) => Ok(*float),
            Value::Int(int) => exact_float(*int).ok_or_else(|| {
                Fault::wrong_type(format!(
                    "expected a float, found the integer {int}, which no float equals"
                ))
            }),
            _ => Err(this.expected("a float")),
        }
    }

    fn items(self, what: impl fmt::Display) -> Result<SeqReader, Fault> {
        match self.0 {
            Value::List(list) => Ok(SeqReader::new(list.into_iter())),
            Value::Tuple(items) => Ok(SeqReader::new(items.into_iter())),
            Value::NamedTuple(tuple) => Ok(SeqReader::new(tuple.into_items().into_iter())),
            Value::Set(set) | Value::FrozenSet(set) => {
                Ok(SeqReader::new(set.into_items().into_iter()))
            }
            Value::Array(array) => Ok(SeqReader::from_boxed(array.into_items()?)),
            Value::Bytes(bytes) => Ok(SeqReader::new(
                bytes.into_inner().into_iter().map(|byte| Value::Int(i64::from(byte))),
            )),
            _ => Err(self.expected(what)),
        }
    }

    fn tuple(self, len: usize) -> Result<SeqReader, Fault> {
        let items = self.items(format_args!("{len} items"))?;
        match items.left() {
            found if found == len => Ok(items),
            found => Err(Fault::wrong_type(format!("expected {len} items, found {found}"))),
        }
    }

    fn bytes(self) -> Result<Bytes, Fault> {
        match self.0 {
            Value::Bytes(bytes) => Ok(bytes),
            Value::List(list) if list.is_empty() => Ok(Bytes::default()),
            Value::List(list) => match list.into_packing() {
                Packing::Octets(octets) => Ok(Bytes::new(octets)),
                _ => Err(Fault::wrong_type(
                    "expected bytes, found a list that has other items than integers from 0 to 255",
                )),
            },
            _ => Err(self.expected("bytes")),
        }
    }
}

/// The error for a value of another kind than `what`.
fn wrong_kind(what: impl fmt::Display, found: &Value) -> Fault {
    let Value::Handle(handle) = found else {
        return Fault::wrong_type(format!("expected {what}, found {}", found.kind_name()));
    };
    match handle.type_name() {
        "" => Fault::wrong_type(format!(
            "expected {what}, found an object, which stays in its process"
        ))
        .advise("ask for a `Proxy`"),
        // Names of Rust's types have the name of their crate, names of Python's are
        // dotted.
        rust if rust.contains("::") => Fault::wrong_type(format!(
            "expected {what}, found a `{rust}`, which stays in its daemon"
        ))
        .advise("ask for a `Proxy`"),
        python => Fault::wrong_type(format!(
            "expected {what}, found a `{python}`, which stays in the interpreter"
        ))
        .advise("ask for a `Proxy`, or use `.by_value()`"),
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.integer($type::MIN, $type::MAX)?)
        })*
    };
}

impl<'de> Deserializer<'de> for FromValue {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(bool),
            Value::Int(int) => visit_int(int, visitor),
            Value::BigInt(int) => visit_big_int(int, visitor),
            Value::Float(_) if nan::is_none(&self.0) => visitor.visit_unit(),
            Value::Float(float) => visitor.visit_f64(float),
            Value::Text(text) => visitor.visit_string(text),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes.into_vec()),
            Value::List(_) | Value::Tuple(_) | Value::NamedTuple(_) => {
                self.deserialize_seq(visitor)
            }
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Some(value) => visitor.visit_some(FromValue(*value)),
            Value::Set(_) | Value::FrozenSet(_) => self.deserialize_seq(visitor),
            Value::Array(array) => match array.number() {
                Some(number) => FromValue(number?).deserialize_any(visitor),
                None => FromValue(Value::Array(array)).deserialize_seq(visitor),
            },
            Value::Date(_) | Value::Time(_) | Value::DateTime(_) if is_of_toml::<V::Value>() => {
                self.deserialize_struct(TOML, &[], visitor)
            }
            _ => Err(self.expected("a value that formats such as JSON can hold")),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let this = self.number()?;
        match this.0 {
            Value::Bool(bool) => visitor.visit_bool(bool),
            _ => Err(this.expected("a bool")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match narrowed_f32(self.float()?) {
            Some(narrow) => visitor.visit_f32(narrow),
            None => Err(Fault::wrong_type("expected a 32-bit float, found one that needs 64 bits")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let char = match &self.0 {
            Value::Text(text) => {
                let mut chars = text.chars();
                chars.next().filter(|_| chars.next().is_none())
            }
            _ => None,
        };
        match char {
            Some(char) => visitor.visit_char(char),
            None => Err(self.expected("one character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            // `Uuid` asks for a `str`, and accepts bytes too. `String` asks for a string,
            // and does not come here.
            Value::Uuid(uuid) => visitor.visit_bytes(uuid.as_bytes()),
            _ => self.deserialize_string(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Text(text) => visitor.visit_string(text),
            Value::RawText(_) => Err(Fault::wrong_type(
                "expected text, found text with lone surrogates; a `RawText` can hold it",
            )),
            _ => Err(self.expected("text")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let is_asked = Bytes::take_asked();
        let bytes = self.bytes()?;
        match is_asked {
            true => bytes.lend(|slice| visitor.visit_bytes(slice)),
            false => visitor.visit_byte_buf(bytes.into_vec()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value if nan::is_none(&value) => visitor.visit_none(),
            Value::Some(value) => visitor.visit_some(FromValue(*value)),
            value => visitor.visit_some(FromValue(value)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            _ => Err(self.expected("null")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            VALUE => special::visit_value(self.0, visitor),
            RAW_VALUE => visitor.visit_map(MapReader::new(raw_value_entries(&self.0)?)),
            _ if name.starts_with(OURS) => special::visit_special(name, self.0, visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.items("a list")?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.tuple(len)?)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Map(entries) => visitor.visit_map(MapReader::new(entries)),
            Value::NamedTuple(tuple) => visitor.visit_map(MapReader::new(tuple.into_entries())),
            _ => Err(self.expected("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some(entries) = into_std_struct(&self.0, name, fields) {
            return FromValue(Value::Map(entries?)).deserialize_map(visitor);
        }
        match into_private_struct(&self.0, name) {
            Some(entries) => FromValue(Value::Map(entries)).deserialize_map(visitor),
            None => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Text(name) => visitor.visit_enum(Variant { name, payload: Value::Null }),
            Value::Map(entries) => match <[_; 1]>::try_from(entries) {
                Ok([(Value::Text(name), payload)]) => visitor.visit_enum(Variant { name, payload }),
                _ => Err(Fault::wrong_type(
                    "expected a variant of an enum, found a map that is not a name and its content",
                )),
            },
            _ => Err(self.expected("a variant of an enum")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// Offers an integer as `serde_json` does, because there are types that accept no others:
/// those of serde's own `flatten` and `untagged` accept at most 64 bits.
fn visit_int<'de, V: Visitor<'de>>(int: i64, visitor: V) -> Result<V::Value, Fault> {
    match u64::try_from(int) {
        Ok(int) => visitor.visit_u64(int),
        Err(_) => visitor.visit_i64(int),
    }
}

fn visit_big_int<'de, V: Visitor<'de>>(int: BigInt, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(int) = u64::try_from(int.clone()) {
        return visitor.visit_u64(int);
    }
    match i128::try_from(int).map_err(u128::try_from) {
        Ok(int) => visitor.visit_i128(int),
        Err(Ok(int)) => visitor.visit_u128(int),
        Err(Err(_)) => Err(Fault::wrong_type(
            "expected an integer of at most 128 bits, found a larger one; a `BigInt` can hold it",
        )),
    }
}
