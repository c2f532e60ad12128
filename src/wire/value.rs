//! [`Value`] to and from its message, both directions side by side.

use std::collections::HashMap;

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::value::{Bytes, Handle, Kind as HandleKind, List, Packing, Value};
use crate::wire::pb;
use crate::wire::pb::value::Kind;

/// Shorter lists of small integers travel as numbers, because a person with grpcurl reads those, and not base64.
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
            let entry = |(key, value)| pb::MapEntry { key: Some(value_to_pb(key)), value: Some(value_to_pb(value)) };
            Kind::Map(pb::Map { entries: entries.into_iter().map(entry).collect() })
        }
        Value::Some(value) => Kind::Some(Box::new(value_to_pb(*value))),
        Value::Handle(handle) => Kind::Handle(handle_to_pb(&handle)),
        Value::Stream(number) => Kind::Stream(number),
    };
    pb::Value { kind: Some(kind) }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] for a message that stands for no value. Depth needs no check here: prost has refused to decode more levels
/// than [`MAX_DEPTH`](crate::value::MAX_DEPTH) allows for.
pub(crate) fn value_from_pb(message: pb::Value) -> Result<Value> {
    let kind = message.kind.ok_or_else(|| bad("a value has none of its fields set"))?;
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
                value_from_pb(side.ok_or_else(|| bad("a map entry lacks its key or its value"))?)
            };
            let entry = |entry: pb::MapEntry| Ok((part(entry.key)?, part(entry.value)?));
            Value::Map(map.entries.into_iter().map(entry).collect::<Result<_>>()?)
        }
        Kind::Some(value) => Value::Some(Box::new(value_from_pb(*value)?)),
        Kind::Stream(number) => Value::Stream(number),
        Kind::Handle(handle) => Value::Handle(handle_from_pb(handle, Uuid::nil())?),
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
        _ => Err(bad("a list has more than one of its fields filled")),
    }
}

fn values_to_pb(values: Vec<Value>) -> Vec<pb::Value> {
    values.into_iter().map(value_to_pb).collect()
}

pub(crate) fn values_from_pb(values: Vec<pb::Value>) -> Result<Vec<Value>> {
    values.into_iter().map(value_from_pb).collect()
}

pub(crate) fn arguments_to_pb(arguments: Vec<Value>, keywords: Vec<(String, Value)>) -> pb::Arguments {
    let keywords = keywords.into_iter().map(|(name, value)| (name, value_to_pb(value))).collect();
    pb::Arguments { arguments: values_to_pb(arguments), keywords }
}

pub(crate) fn keywords_from_pb(keywords: HashMap<String, pb::Value>) -> Result<Vec<(String, Value)>> {
    keywords.into_iter().map(|(name, value)| Ok((name, value_from_pb(value)?))).collect()
}

pub(crate) fn handle_to_pb(handle: &Handle) -> pb::Handle {
    pb::Handle {
        daemon: handle.daemon().to_string(),
        id: handle.id(),
        r#type: handle.type_name().to_owned(),
        interfaces: handle.interfaces().map(str::to_owned).collect(),
    }
}

/// The handle of the object that is asked, in a request to its own daemon: its number says enough.
pub(crate) fn target_to_pb(handle: &Handle) -> pb::Handle {
    pb::Handle { id: handle.id(), ..Default::default() }
}

/// A handle that names no daemon means `this`.
pub(crate) fn handle_from_pb(message: pb::Handle, this: Uuid) -> Result<Handle> {
    let daemon = match message.daemon.as_str() {
        "" => this,
        daemon => daemon.parse().map_err(|_| bad("a handle's daemon is not a UUID"))?,
    };
    let kind = HandleKind { type_name: message.r#type, interfaces: message.interfaces };
    Ok(Handle::new(daemon, message.id).of_kind(kind))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::BadArguments, what)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::value::{MAX_DEPTH, from_value, to_value};

    fn travel(value: Value) -> Result<Value> {
        let bytes = value_to_pb(value).encode_to_vec();
        value_from_pb(pb::Value::decode(bytes.as_slice()).expect("what was encoded decodes"))
    }

    #[test]
    fn every_kind_arrives_as_it_was() {
        let nan = f64::from_bits(0x7ff8_0000_dead_beef);
        let big = Value::from(u128::MAX);
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            big.clone(),
            Value::from(i128::MIN),
            Value::Float(-0.0),
            Value::Float(nan),
            Value::Text("naïve\0".into()),
            Value::Bytes(Bytes::from(vec![0, 255])),
            Value::Tuple(vec![Value::Int(1), Value::Null]),
            Value::Map(vec![(Value::Tuple(vec![]), Value::Int(2)), (Value::Bool(false), Value::Null)]),
            Value::Some(Box::new(Value::Null)),
            Value::Handle(Handle::new(Uuid::from_u128(7), 9)),
            Value::Stream(3),
            Value::List(List::from(vec![])),
            Value::List(List::from(vec![Value::Int(1), big])),
            Value::List(List::from(vec![Value::Int(200); 100])),
            Value::List(List::from(vec![Value::Int(200); 3])),
            Value::List(List::from(vec![Value::Int(-1), Value::Int(1)])),
            Value::List(List::from(vec![Value::Float(nan), Value::Float(0.5)])),
        ];
        for value in values {
            assert_eq!(travel(value.clone()).expect("it is a value"), value);
        }
    }

    #[test]
    fn deepest_maps_allowed_decode_inside_a_keyword_of_a_session_frame() {
        let deep = (0..MAX_DEPTH).fold(Value::Null, |value, _| Value::Map(vec![(Value::Null, value)]));
        assert_eq!(deep.depth(), MAX_DEPTH);
        let keywords = HashMap::from([("deep".to_owned(), value_to_pb(deep.clone()))]);
        let call = pb::CallRequest { keywords, ..Default::default() };
        let operation = pb::session_request::Operation::Call(call);
        let bytes = pb::SessionRequest { id: 1, operation: Some(operation), detached: 0 }.encode_to_vec();
        let frame = pb::SessionRequest::decode(bytes.as_slice()).expect("it is within prost's recursion limit");
        let Some(pb::session_request::Operation::Call(call)) = frame.operation else { panic!("it is a call") };
        assert_eq!(keywords_from_pb(call.keywords).expect("they are values"), [("deep".to_owned(), deep)]);
    }

    #[test]
    fn senseless_messages_are_refused() {
        let both = pb::List { ints: vec![1], floats: vec![1.0], ..Default::default() };
        let error = value_from_pb(pb::Value { kind: Some(Kind::List(both)) }).expect_err("it is ambiguous");
        assert_eq!(error.to_string(), "a list has more than one of its fields filled");
        let error = value_from_pb(pb::Value { kind: None }).expect_err("it says nothing");
        assert_eq!(error.to_string(), "a value has none of its fields set");
    }

    #[test]
    fn serde_types_travel() {
        let sent = (Some(Option::<u8>::None), vec![1.5f32], "x");
        let value = to_value(&sent, MAX_DEPTH).expect("it serializes");
        let back: (Option<Option<u8>>, Vec<f32>, String) =
            from_value(travel(value).expect("it travels")).expect("it is");
        assert_eq!(back, (Some(None), vec![1.5], "x".to_owned()));
    }
}
