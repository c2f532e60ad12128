//! What collects the parts of a list, a tuple, a map and an enum.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use crate::common::error::Result;
use crate::common::value::Value;
use crate::common::value::fault::Fault;
use crate::common::value::list::ListBuilder;
use crate::common::value::private_names::from_private_entries;
use crate::common::value::ser::ToValue;
use crate::common::value::time::from_std_struct;

/// The items of a sequence or a tuple.
pub(super) struct SeqSerializer {
    inside: ToValue,
    list: ListBuilder,
    count: usize,
    /// Makes a list or a tuple of them.
    finish: fn(ListBuilder) -> Value,
    variant: Option<&'static str>,
}

/// The entries of a map, a struct or a struct variant.
pub(super) struct MapSerializer {
    inside: ToValue,
    entries: Vec<(Value, Value)>,
    /// The name of the struct, or of the variant, if it is one.
    name: StructName,
}

#[derive(Clone, Copy)]
pub(super) enum StructName {
    Map,
    Struct(&'static str),
    /// A value of another crate, by one of its private names.
    Private,
    Variant(&'static str),
}

pub(super) fn list(items: ListBuilder) -> Value {
    Value::List(items.finish())
}

pub(super) fn tuple(items: ListBuilder) -> Value {
    Value::Tuple(items.finish().into_iter().collect())
}

pub(super) fn variant(name: &str, payload: Value) -> Value {
    Value::Map(vec![(Value::from(name), payload)])
}

impl SeqSerializer {
    pub(super) fn new(
        inside: ToValue,
        finish: fn(ListBuilder) -> Value,
        variant: Option<&'static str>,
    ) -> Self {
        SeqSerializer { inside, list: ListBuilder::default(), count: 0, finish, variant }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let item =
            value.serialize(self.inside).map_err(|fault| fault.at(format!("[{}]", self.count)))?;
        self.list.push(item);
        self.count += 1;
        Ok(())
    }

    fn finish(self) -> Value {
        let value = (self.finish)(self.list);
        match self.variant {
            Some(name) => variant(name, value),
            None => value,
        }
    }
}

macro_rules! items {
    ($($trait:ident::$push:ident),*) => {
        $(impl $trait for SeqSerializer {
            type Ok = Value;
            type Error = Fault;

            fn $push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.push(value)
            }

            fn end(self) -> Result<Value, Fault> {
                Ok(self.finish())
            }
        })*
    };
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl MapSerializer {
    pub(super) fn new(inside: ToValue, name: StructName) -> Self {
        MapSerializer { inside, entries: Vec::new(), name }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        let value = value.serialize(self.inside).map_err(|fault| fault.at(format!(".{name}")))?;
        self.entries.push((name.into(), value));
        Ok(())
    }

    fn finish(self) -> Result<Value, Fault> {
        match self.name {
            StructName::Map => Ok(Value::Map(self.entries)),
            StructName::Struct(name) => {
                Ok(from_std_struct(name, &self.entries).unwrap_or(Value::Map(self.entries)))
            }
            StructName::Private => from_private_entries(self.entries, self.inside.left)
                .unwrap_or_else(|entries| Ok(Value::Map(entries))),
            StructName::Variant(name) => Ok(variant(name, Value::Map(self.entries))),
        }
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl $trait for MapSerializer {
            type Ok = Value;
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Fault> {
                self.push(name, value)
            }

            fn end(self) -> Result<Value, Fault> {
                self.finish()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for MapSerializer {
    type Ok = Value;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        let key = key.serialize(self.inside)?;
        self.entries.push((key, Value::Null));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let value = value.serialize(self.inside)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.1 = value;
        }
        Ok(())
    }

    fn end(self) -> Result<Value, Fault> {
        self.finish()
    }
}
