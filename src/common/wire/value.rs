//! [`Value`] to and from its message.

use std::collections::HashSet;

use uuid::Uuid;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{
    Bytes, Complex, Decimal, Handle, List, NamedTuple, ObjectKind, Packing, Range, Slice, Value,
};
use crate::common::wire::pb;
use crate::common::wire::pb::value::Kind;

mod standard;

/// Shorter lists of small integers are sent as numbers, which a person with grpcurl can
/// read, instead of bytes.
const SHORT_LIST: usize = 64;

pub(crate) fn value_to_pb(value: Value) -> pb::Value {
    let kind = match value {
        Value::Null => Kind::Null(pb::Null {}),
        Value::Bool(bool) => Kind::Bool(bool),
        Value::Int(int) => Kind::Int(int),
        Value::BigInt(int) => Kind::BigInt(int.to_le_bytes().to_vec().into()),
        Value::Float(float) => Kind::Float(float),
        Value::Text(text) => Kind::Text(text),
        Value::Bytes(bytes) => Kind::Bytes(bytes.into_inner()),
        Value::List(list) => Kind::List(list_to_pb(list)),
        Value::Tuple(items) => Kind::Tuple(pb::Tuple { values: values_to_pb(items) }),
        Value::Map(entries) => {
            let entry = |(key, value)| pb::MapEntry {
                key: Some(value_to_pb(key)),
                value: Some(value_to_pb(value)),
            };
            Kind::Map(pb::Map { entries: entries.into_iter().map(entry).collect() })
        }
        Value::Some(value) => Kind::Some(Box::new(value_to_pb(*value))),
        Value::Handle(handle) => Kind::Handle(handle_to_pb(&handle)),
        Value::Stream(number) => Kind::Stream(number),
        Value::Complex(Complex { re, im }) => {
            Kind::Complex(pb::Complex { re: Some(re), im: Some(im) })
        }
        Value::Set(set) => Kind::Set(pb::Set { values: values_to_pb(set.into_items()) }),
        Value::FrozenSet(set) => {
            Kind::FrozenSet(pb::Set { values: values_to_pb(set.into_items()) })
        }
        Value::RawText(text) => Kind::RawText(text.into_wtf8().into()),
        Value::Slice(slice) => {
            let [start, stop, step] =
                slice.into_parts().map(|part| Some(Box::new(value_to_pb(part))));
            Kind::Slice(Box::new(pb::Slice { start, stop, step }))
        }
        Value::Range(range) => {
            let [start, stop, step] =
                range.into_parts().map(|part| Some(Box::new(value_to_pb(part))));
            Kind::Range(Box::new(pb::Range { start, stop, step }))
        }
        Value::Date(date) => Kind::Date(standard::date_to_pb(date)),
        Value::Time(time) => Kind::Time(standard::time_to_pb(&time)),
        Value::DateTime(moment) => Kind::DateTime(standard::date_time_to_pb(&moment)),
        Value::TimeDelta(delta) => Kind::TimeDelta(standard::time_delta_to_pb(delta)),
        Value::Decimal(decimal) => Kind::Decimal(decimal.as_str().to_owned()),
        Value::Uuid(uuid) => Kind::Uuid(uuid.to_string()),
        Value::NamedTuple(tuple) => Kind::NamedTuple(pb::NamedTuple {
            names: tuple.names().to_vec(),
            values: values_to_pb(tuple.into_items()),
        }),
        Value::Array(array) => Kind::Array(standard::array_to_pb(&array)),
    };
    pb::Value { kind: Some(kind) }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] if the message is not that of a value. Depth needs no
/// check here, because prost does not decode more levels than `MAX_DEPTH` allows for.
pub(crate) fn value_from_pb(message: pb::Value) -> Result<Value> {
    let kind = message.kind.ok_or_else(|| bad("a value has no field set"))?;
    Ok(match kind {
        Kind::Null(pb::Null {}) => Value::Null,
        Kind::Bool(bool) => Value::Bool(bool),
        Kind::Int(int) => Value::Int(int),
        Kind::BigInt(bytes) => Value::integer_from_le_bytes(&bytes),
        Kind::Float(float) => Value::Float(float),
        Kind::Text(text) => Value::Text(text),
        Kind::Bytes(bytes) => Value::Bytes(Bytes::new(bytes)),
        Kind::List(list) => Value::List(list_from_pb(list)?),
        Kind::Tuple(tuple) => Value::Tuple(values_from_pb(tuple.values)?),
        Kind::Map(map) => {
            let part = |side: Option<pb::Value>| {
                value_from_pb(
                    side.ok_or_else(|| bad("an entry of a map lacks its key or its value"))?,
                )
            };
            let entry = |entry: pb::MapEntry| Ok((part(entry.key)?, part(entry.value)?));
            Value::Map(map.entries.into_iter().map(entry).collect::<Result<_>>()?)
        }
        Kind::Some(value) => Value::Some(Box::new(value_from_pb(*value)?)),
        Kind::Stream(number) => Value::Stream(number),
        Kind::Handle(handle) => Value::Handle(handle_from_pb(handle, Uuid::nil())?),
        Kind::Complex(pb::Complex { re, im }) => {
            Value::Complex(Complex { re: re.unwrap_or_default(), im: im.unwrap_or_default() })
        }
        Kind::Set(set) => Value::Set(values_from_pb(set.values)?.into()),
        Kind::FrozenSet(set) => Value::FrozenSet(values_from_pb(set.values)?.into()),
        Kind::RawText(bytes) => Value::text_from_wtf8(bytes.into()).map_err(malformed)?,
        Kind::Slice(slice) => {
            let part = |part: Option<Box<pb::Value>>| {
                part.map_or(Ok(Value::Null), |part| value_from_pb(*part))
            };
            Value::from(Slice {
                start: part(slice.start)?,
                stop: part(slice.stop)?,
                step: part(slice.step)?,
            })
        }
        Kind::Range(range) => {
            let part = |part: Option<Box<pb::Value>>, absent: i64| {
                part.map_or(Ok(Value::Int(absent)), |part| value_from_pb(*part))
            };
            let stop = *range.stop.ok_or_else(|| bad("a range lacks its `stop`"))?;
            let range =
                Range::new(part(range.start, 0)?, value_from_pb(stop)?, part(range.step, 1)?);
            Value::from(range.map_err(malformed)?)
        }
        Kind::Date(date) => Value::Date(standard::date_from_pb(&date).map_err(malformed)?),
        Kind::Time(time) => Value::Time(standard::time_from_pb(time).map_err(malformed)?),
        Kind::DateTime(moment) => {
            Value::DateTime(standard::date_time_from_pb(moment).map_err(malformed)?)
        }
        Kind::TimeDelta(delta) => {
            Value::TimeDelta(standard::time_delta_from_pb(&delta).map_err(malformed)?)
        }
        Kind::Decimal(text) => Value::Decimal(Decimal::new(&text).map_err(malformed)?),
        Kind::Uuid(text) => {
            Value::Uuid(text.parse().map_err(|_| bad("the text of a UUID is not one"))?)
        }
        Kind::NamedTuple(tuple) => {
            let items = values_from_pb(tuple.values)?;
            NamedTuple::new(tuple.names, items).map_err(malformed)?.into()
        }
        Kind::Array(array) => Value::Array(standard::array_from_pb(array).map_err(malformed)?),
    })
}

fn list_to_pb(list: List) -> pb::List {
    let mut message = pb::List::default();
    match list.into_packing() {
        Packing::Octets(octets) if octets.len() < SHORT_LIST => {
            message.ints = octets.iter().map(|octet| i64::from(*octet)).collect();
        }
        Packing::Octets(octets) => message.octets = octets,
        Packing::Ints(ints) => message.ints = ints,
        Packing::Floats(floats) => message.floats = floats,
        Packing::Values(values) => message.values = values_to_pb(values),
    }
    message
}

fn list_from_pb(message: pb::List) -> Result<List> {
    let pb::List { values, octets, ints, floats } = message;
    match (values.is_empty(), octets.is_empty(), ints.is_empty(), floats.is_empty()) {
        (_, true, true, true) => Ok(values_from_pb(values)?.into()),
        (true, false, true, true) => Ok(List::from_octets(octets)),
        (true, true, false, true) => Ok(List::from_ints(ints)),
        (true, true, true, false) => Ok(List::from_floats(floats)),
        _ => Err(bad("a list has more than one field set")),
    }
}

pub(super) fn values_to_pb(values: Vec<Value>) -> Vec<pb::Value> {
    values.into_iter().map(value_to_pb).collect()
}

pub(crate) fn values_from_pb(values: Vec<pb::Value>) -> Result<Vec<Value>> {
    values.into_iter().map(value_from_pb).collect()
}

pub(crate) fn arguments_to_pb(
    arguments: Vec<Value>,
    keywords: Vec<(String, Value)>,
) -> pb::Arguments {
    let keywords = keywords.into_iter().map(keyword_to_pb).collect();
    pb::Arguments { arguments: values_to_pb(arguments), keywords }
}

pub(super) fn keyword_to_pb((name, value): (String, Value)) -> pb::Keyword {
    pb::Keyword { name, value: Some(value_to_pb(value)) }
}

/// The keyword arguments, in their order.
///
/// # Errors
///
/// [`ErrorKind::BadArguments`] if a name is given twice, which a map decoded by
/// protobuf's rules would hide, and if one of the values is not a value.
pub(crate) fn keywords_from_pb(keywords: Vec<pb::Keyword>) -> Result<Vec<(String, Value)>> {
    let mut names = HashSet::with_capacity(keywords.len());
    if let Some(twice) = keywords.iter().find(|keyword| !names.insert(keyword.name.as_str())) {
        let name = twice.name.escape_debug();
        return Err(bad(&format!("keyword argument `{name}` is given twice")));
    }
    keywords.into_iter().map(keyword_from_pb).collect()
}

pub(super) fn keyword_from_pb(keyword: pb::Keyword) -> Result<(String, Value)> {
    Ok((keyword.name, value_from_pb(keyword.value.unwrap_or_default())?))
}

pub(crate) fn handle_to_pb(handle: &Handle) -> pb::Handle {
    pb::Handle {
        daemon: handle.daemon().to_string(),
        id: handle.id(),
        r#type: handle.type_name().to_owned(),
        interfaces: handle.interfaces().map(str::to_owned).collect(),
        name: handle.name().to_owned(),
    }
}

/// The handle of the target of a request, which goes to its own daemon, so the number is
/// enough.
pub(crate) fn target_to_pb(handle: &Handle) -> pb::Handle {
    pb::Handle { id: handle.id(), ..Default::default() }
}

/// Converts a handle. One that does not name a daemon is of the daemon `this`.
pub(crate) fn handle_from_pb(message: pb::Handle, this: Uuid) -> Result<Handle> {
    let daemon = match message.daemon.as_str() {
        "" => this,
        daemon => daemon.parse().map_err(|_| bad("the daemon of a handle is not a UUID"))?,
    };
    let pb::Handle { id, r#type: type_name, interfaces, name, .. } = message;
    Ok(Handle::new(daemon, id).of_kind(ObjectKind { type_name, interfaces, name }))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::BadArguments, what)
}

/// The error of a value that cannot exist, as that of a malformed message.
fn malformed(error: Error) -> Error {
    error.with_kind(ErrorKind::BadArguments)
}

#[cfg(test)]
mod tests;
