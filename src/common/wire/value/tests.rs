//! Values as messages and back.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::common::value::tests::any_value;
use crate::common::value::{Array, MAX_DEPTH, TimeDelta, from_value, to_value};

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
        Complex { re: -0.0, im: -0.0 }.into(),
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
    let keywords = vec![keyword_to_pb(("deep".to_owned(), deep.clone()))];
    let call = pb::CallRequest { keywords, ..Default::default() };
    let operation = pb::session_request::Operation::Call(call);
    let bytes =
        pb::SessionRequest { id: 1, operation: Some(operation), detached: 0 }.encode_to_vec();
    let frame =
        pb::SessionRequest::decode(bytes.as_slice()).expect("it is within prost's recursion limit");
    let Some(pb::session_request::Operation::Call(call)) = frame.operation else {
        panic!("it is a call")
    };
    assert_eq!(
        keywords_from_pb(call.keywords).expect("they are values"),
        [("deep".to_owned(), deep)]
    );
}

#[test]
fn keywords_keep_the_order_in_which_a_client_has_encoded_them() {
    let call = |names: &[&str]| {
        // As any client encodes the entries of its map.
        let entry = |name: &&str| {
            let value = value_to_pb(1.into()).encode_to_vec();
            let name = [&[0x0a, name.len() as u8], name.as_bytes()].concat();
            [name, vec![0x12, value.len() as u8], value].concat()
        };
        let entries = names.iter().map(entry);
        let bytes = entries.flat_map(|entry| [vec![0x22, entry.len() as u8], entry].concat());
        let bytes: Vec<u8> = bytes.collect();
        pb::CallRequest::decode(bytes.as_slice()).expect("it is a request")
    };
    let names = ["z", "b", "y", "a", "x", "c"];
    let keywords = keywords_from_pb(call(&names).keywords).expect("they are values");
    assert_eq!(keywords, names.map(|name| (name.to_owned(), Value::Int(1))));
    let error = keywords_from_pb(call(&["a", "b", "a"]).keywords).expect_err("one is twice");
    assert_eq!(error.detail(), "keyword argument `a` is given twice");
}

#[test]
fn deepest_value_of_any_kind_decodes() {
    let leaves = [
        Value::Array(Array::from_slice(&[1u8])),
        Range::new(0, 1, 1).expect("it is a range").into(),
    ];
    for leaf in leaves {
        let levels = MAX_DEPTH - leaf.depth();
        let nest =
            |wrap: fn(Value) -> Value| (0..levels).fold(leaf.clone(), |value, _| wrap(value));
        let deepest = [
            nest(|value| Value::Map(vec![(value, Value::Null)])),
            nest(|value| Value::Set(vec![value].into())),
            nest(|value| NamedTuple::new(["a"], vec![value]).expect("it has a name").into()),
            nest(|value| Slice::from([Value::Null, Value::Null, value]).into()),
        ];
        for value in deepest {
            assert_eq!(value.depth(), MAX_DEPTH);
            let keywords = vec![keyword_to_pb(("deep".to_owned(), value.clone()))];
            let call = pb::CallRequest { keywords, ..Default::default() };
            let operation = pb::session_request::Operation::Call(call);
            let bytes = pb::SessionRequest { id: 1, operation: Some(operation), detached: 0 }
                .encode_to_vec();
            pb::SessionRequest::decode(bytes.as_slice())
                .expect("it is within prost's recursion limit");
        }
    }
}

proptest! {
    #[test]
    fn every_value_travels(value in any_value()) {
        prop_assert_eq!(travel(value.clone()).expect("it is a value"), value);
    }
}

#[test]
fn impossible_values_of_each_kind_are_refused() {
    let time = pb::Time { offset_name: Some("x".into()), ..Default::default() };
    let array = pb::Array {
        source: 2,
        dtype: "<f8".into(),
        shape: vec![1],
        data: bytes::Bytes::from_static(&[0; 7]),
    };
    let null = Some(Box::new(pb::Value { kind: Some(Kind::Null(pb::Null {})) }));
    let kinds = [
        Kind::RawText(bytes::Bytes::from_static(b"\xff")),
        Kind::Range(Box::default()),
        Kind::Range(Box::new(pb::Range { stop: null, ..Default::default() })),
        Kind::Slice(Box::new(pb::Slice { stop: Some(Box::default()), ..Default::default() })),
        Kind::Date(pb::Date { year: 2023, month: 2, day: 29 }),
        Kind::Date(pb::Date { year: 65_536 + 2023, month: 2, day: 1 }),
        Kind::Time(pb::Time { hour: 256, ..Default::default() }),
        Kind::Time(pb::Time { fold: 2, ..Default::default() }),
        Kind::Time(pb::Time { offset_microseconds: Some(i64::MIN), ..Default::default() }),
        Kind::Time(pb::Time {
            offset_microseconds: Some(1),
            zone: Some("x".into()),
            ..Default::default()
        }),
        Kind::Time(time),
        Kind::DateTime(pb::DateTime::default()),
        Kind::TimeDelta(pb::TimeDelta {
            days: i64::MAX,
            seconds: i64::MAX,
            microseconds: i64::MAX,
            nanoseconds: i64::MAX,
        }),
        Kind::Time(pb::Time { nanosecond: 1_000, ..Default::default() }),
        Kind::Decimal("1.5x".into()),
        Kind::Uuid("67e55044".into()),
        Kind::Array(array.clone()),
        Kind::Array(pb::Array {
            source: 0,
            shape: vec![],
            data: bytes::Bytes::new(),
            ..array.clone()
        }),
        Kind::Array(pb::Array { source: 9, ..array }),
    ];
    for kind in kinds {
        let error = value_from_pb(pb::Value { kind: Some(kind.clone()) })
            .expect_err("there is no such value");
        assert_eq!(error.kind(), ErrorKind::BadArguments, "{kind:?}");
    }
}

#[test]
fn omitted_parts_have_defaults() {
    let nine = Some(Box::new(pb::Value { kind: Some(Kind::Int(9)) }));
    let range = Kind::Range(Box::new(pb::Range { stop: nine.clone(), ..Default::default() }));
    let slice = Kind::Slice(Box::new(pb::Slice { stop: nine, ..Default::default() }));
    let delta = Kind::TimeDelta(pb::TimeDelta { seconds: 90_000, ..Default::default() });
    let read = |kind| value_from_pb(pb::Value { kind: Some(kind) }).expect("it is a value");
    assert_eq!(read(range), Range::new(0, 9, 1).expect("it is a range").into());
    assert_eq!(read(slice), Slice { start: Value::Null, stop: 9.into(), step: Value::Null }.into());
    assert_eq!(read(delta), TimeDelta::new(1, 3600, 0).expect("it is short").into());
}

#[test]
fn malformed_messages_are_refused() {
    let both = pb::List { ints: vec![1], floats: vec![1.0], ..Default::default() };
    let error =
        value_from_pb(pb::Value { kind: Some(Kind::List(both)) }).expect_err("it is ambiguous");
    assert_eq!(error.to_string(), "a list has more than one field set");
    let error = value_from_pb(pb::Value { kind: None }).expect_err("it says nothing");
    assert_eq!(error.to_string(), "a value has no field set");
}

#[test]
fn serde_types_travel() {
    let sent = (Some(Option::<u8>::None), vec![1.5f32], "x");
    let value = to_value(&sent).expect("it serializes");
    let back: (Option<Option<u8>>, Vec<f32>, String) =
        from_value(travel(value).expect("it travels")).expect("it is");
    assert_eq!(back, (Some(None), vec![1.5], "x".to_owned()));
}
