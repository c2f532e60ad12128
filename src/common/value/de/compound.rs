//! What reads the parts of a list, a map and an enum.

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::common::value::Value;
use crate::common::value::de::FromValue;
use crate::common::value::fault::Fault;

/// The items of a list or a tuple.
pub(super) struct SeqReader {
    items: Box<dyn ExactSizeIterator<Item = Value>>,
    taken: usize,
}

impl SeqReader {
    pub(super) fn new(items: impl ExactSizeIterator<Item = Value> + 'static) -> Self {
        SeqReader::from_boxed(Box::new(items))
    }

    pub(super) fn from_boxed(items: Box<dyn ExactSizeIterator<Item = Value>>) -> Self {
        SeqReader { items, taken: 0 }
    }

    pub(super) fn left(&self) -> usize {
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
pub(super) struct MapReader {
    entries: std::vec::IntoIter<(Value, Value)>,
    value: Option<Value>,
    /// The step of the path into the next value.
    step: String,
}

impl MapReader {
    pub(super) fn new(entries: Vec<(Value, Value)>) -> Self {
        MapReader { entries: entries.into_iter(), value: None, step: String::new() }
    }
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
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) payload: Value,
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
            _ => Err(self.expected("no content, as for a unit variant of an enum")),
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
