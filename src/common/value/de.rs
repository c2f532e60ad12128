//! From values to serde types.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use crate::common::error::{ErrorKind, Result};
use crate::common::value::fault::Fault;
use crate::common::value::list::Packing;
use crate::common::value::special::{OURS, VALUE};
use crate::common::value::{BigInt, Bytes, Value};

mod probe;
mod special;

pub(crate) use probe::{Wanted, wanted};

/// Turns a value into a serde type.
///
/// # Errors
///
/// [`ErrorKind::WrongType`], with the way to the place, if it is none of that type or
/// would have to be changed to be one.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T> {
    Ok(T::deserialize(FromValue(value))?)
}

pub(super) struct FromValue(pub(super) Value);

impl FromValue {
    fn expected(&self, what: impl fmt::Display) -> Fault {
        Fault::new(ErrorKind::WrongType, format!("expected {what}, found {}", self.0.kind_name()))
    }

    /// The number, if it is an array of no dimension.
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
                _ => "one beyond 64 bits".to_owned(),
            };
            Fault::new(
                ErrorKind::WrongType,
                format!("expected an integer from {min} to {max}, found {found}"),
            )
        })
    }

    /// The float; an integer is one too where no digit is lost.
    fn float(self) -> Result<f64, Fault> {
        let this = self.number()?;
        match &this.0 {
            Value::Float(float) => Ok(*float),
            Value::Int(int) if exact(*int) => Ok(*int as f64),
            Value::Int(_) => Err(Fault::new(
                ErrorKind::WrongType,
                "expected a float, found an integer that no float equals",
            )),
            _ => Err(this.expected("a float")),
        }
    }

    fn items(self, what: impl fmt::Display) -> Result<SeqReader, Fault> {
        match self.0 {
            Value::List(list) => Ok(SeqReader::new(list.into_iter())),
            Value::Tuple(items) => Ok(SeqReader::new(items.into_iter())),
            Value::Set(set) | Value::FrozenSet(set) => {
                Ok(SeqReader::new(set.into_items().into_iter()))
            }
            Value::Array(array) => Ok(SeqReader { items: array.into_items()?, taken: 0 }),
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
            found => Err(Fault::new(
                ErrorKind::WrongType,
                format!("expected {len} items, found {found}"),
            )),
        }
    }

    fn bytes(self) -> Result<Bytes, Fault> {
        match self.0 {
            Value::Bytes(bytes) => Ok(bytes),
            Value::List(list) if list.is_empty() => Ok(Bytes::default()),
            Value::List(list) => match list.into_packing() {
                Packing::Octets(octets) => Ok(Bytes::new(octets)),
                _ => Err(Fault::new(
                    ErrorKind::WrongType,
                    "expected bytes, found a list of something else",
                )),
            },
            _ => Err(self.expected("bytes")),
        }
    }
}

/// Whether a float equals the integer. The way back saturates, which only the largest
/// integer could mistake for equality.
fn exact(int: i64) -> bool {
    int as f64 as i64 == int && int != i64::MAX
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
            Value::Int(int) => visitor.visit_i64(int),
            Value::BigInt(int) => visit_big_int(int, visitor),
            Value::Float(float) => visitor.visit_f64(float),
            Value::Text(text) => visitor.visit_string(text),
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes.into_vec()),
            Value::List(_) | Value::Tuple(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Some(value) => visitor.visit_some(FromValue(*value)),
            Value::Set(_) | Value::FrozenSet(_) => self.deserialize_seq(visitor),
            Value::Array(array) => match array.number() {
                Some(number) => FromValue(number?).deserialize_any(visitor),
                None => FromValue(Value::Array(array)).deserialize_seq(visitor),
            },
            _ => Err(self.expected("a value of a kind that other formats know")),
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
        let wide = self.float()?;
        let narrow = wide as f32;
        if f64::from(narrow).to_bits() != wide.to_bits() {
            return Err(Fault::new(
                ErrorKind::WrongType,
                "expected a 32-bit float, found one that needs 64 bits",
            ));
        }
        visitor.visit_f32(narrow)
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
            // What `Uuid` asks for, and takes bytes too. `String` asks for a string and
            // does not get here.
            Value::Uuid(uuid) => visitor.visit_bytes(uuid.as_bytes()),
            _ => self.deserialize_string(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Text(text) => visitor.visit_string(text),
            Value::RawText(_) => Err(Fault::new(
                ErrorKind::WrongType,
                "expected text, found text with lone surrogates; take a `RawText`",
            )),
            _ => Err(self.expected("text")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_byte_buf(self.bytes()?.into_vec())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
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
            Value::Map(entries) => visitor.visit_map(MapReader {
                entries: entries.into_iter(),
                value: None,
                step: String::new(),
            }),
            _ => Err(self.expected("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
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
                _ => Err(Fault::new(
                    ErrorKind::WrongType,
                    "expected an enum's variant, found another map",
                )),
            },
            _ => Err(self.expected("an enum's variant")),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

fn visit_big_int<'de, V: Visitor<'de>>(int: BigInt, visitor: V) -> Result<V::Value, Fault> {
    match i128::try_from(int).map_err(u128::try_from) {
        Ok(int) => visitor.visit_i128(int),
        Err(Ok(int)) => visitor.visit_u128(int),
        Err(Err(_)) => {
            Err(Fault::new(ErrorKind::WrongType, "an integer beyond 128 bits needs a `BigInt`"))
        }
    }
}

/// The items of a list or a tuple.
struct SeqReader {
    items: Box<dyn ExactSizeIterator<Item = Value>>,
    taken: usize,
}

impl SeqReader {
    fn new(items: impl ExactSizeIterator<Item = Value> + 'static) -> Self {
        SeqReader { items: Box::new(items), taken: 0 }
    }

    fn left(&self) -> usize {
        self.items.len()
    }
}

impl<'de> SeqAccess<'de> for SeqReader {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.next() else { return Ok(None) };
        self.taken += 1;
        let at = |fault: Fault| fault.at(format!("[{}]", self.taken - 1));
        seed.deserialize(FromValue(item)).map(Some).map_err(at)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left())
    }
}

/// The entries of a map or a struct.
struct MapReader {
    entries: std::vec::IntoIter<(Value, Value)>,
    value: Option<Value>,
    /// The way into the value that is next.
    step: String,
}

impl<'de> MapAccess<'de> for MapReader {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        self.step = match &key {
            Value::Text(name) => format!(".{}", name.escape_debug()),
            _ => format!("[a key that is {}]", key.kind_name()),
        };
        seed.deserialize(FromValue(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().unwrap_or(Value::Null);
        seed.deserialize(FromValue(value)).map_err(|fault| fault.at(std::mem::take(&mut self.step)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A variant of an enum.
struct Variant {
    name: String,
    payload: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Fault;
    type Variant = FromValue;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, FromValue), Fault> {
        let name: StringDeserializer<Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, FromValue(self.payload)))
    }
}

impl<'de> VariantAccess<'de> for FromValue {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.0 {
            Value::Null => Ok(()),
            _ => Err(self.expected("a variant that holds nothing")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }
}
