//! Serde types to values and back.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::error::{Error, ErrorKind};

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(sent: T) {
    let value = to_value(&sent, MAX_DEPTH).expect("it serializes");
    let back: T = from_value(value).expect("it deserializes");
    assert_eq!(back, sent);
}

fn refusal<T: DeserializeOwned>(value: Value) -> String {
    from_value::<T>(value).err().expect("it is refused").to_string()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Square { side: u8, name: Option<String> },
    Line(i8, i8),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Picture {
    shapes: Vec<Shape>,
    tags: BTreeMap<i32, (String, bool)>,
    unit: (),
    nothing: Nothing,
    wrapped: Wrapped,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u64);

#[test]
fn types_of_every_shape_survive() {
    let square = Shape::Square { side: 3, name: Some("é\0".into()) };
    survives(Picture {
        shapes: vec![Shape::Empty, Shape::Circle(0.1), square, Shape::Line(-1, 1)],
        tags: BTreeMap::from([(-4, ("x".into(), true))]),
        unit: (),
        nothing: Nothing,
        wrapped: Wrapped(u64::MAX),
    });
    survives(HashMap::from([((1, 'c'), Some(vec![1.5f32])), ((2, 'd'), None)]));
    survives(vec![Ok(1u8), Err("no".to_owned())]);
    survives(Uuid::from_u128(5));
    survives([0u8; 0]);
}

#[test]
fn nested_options_stay_apart() {
    for sent in [None, Some(None), Some(Some(None)), Some(Some(Some(())))] {
        survives(sent);
    }
    survives(vec![Some(Value::Null), None]);
}

#[test]
fn integers_survive_at_their_limits() {
    survives((i8::MIN, u8::MAX, i16::MIN, u16::MAX, i32::MIN, u32::MAX));
    survives((i64::MIN, i64::MAX, u64::MAX, i128::MIN, i128::MAX, u128::MAX));
}

#[test]
fn floats_keep_every_bit() {
    for bits in [0x8000_0000_0000_0000, 0x7ff8_0000_dead_beef, 0x7ff0_0000_0000_0000, 1] {
        let value = to_value(&f64::from_bits(bits), MAX_DEPTH).expect("it serializes");
        assert_eq!(from_value::<f64>(value).expect("it is a float").to_bits(), bits);
    }
    survives(f32::MIN_POSITIVE);
}

#[test]
fn values_themselves_survive() {
    let values = vec![
        Value::Tuple(vec![Value::Int(1)]),
        Value::Some(Box::new(Value::Null)),
        Value::Handle(Handle::new(Uuid::from_u128(1), u64::MAX)),
        Value::from(u128::MAX),
        Value::integer_from_le_bytes(&[1; 99]),
    ];
    survives(values.clone());
    survives((Handle::new(Uuid::from_u128(1), 2), Bytes::from(vec![1, 2]), Value::List(values.into())));
}

#[test]
fn lists_are_packed_the_same_however_they_are_made() {
    for items in [vec![1, 255], vec![1, 256], vec![256, 1], vec![-1, 0]] {
        let values: Vec<Value> = items.iter().copied().map(Value::Int).collect();
        let lists = [List::from(values.clone()), values.iter().cloned().collect(), List::from_ints(items.clone())];
        assert!(lists.iter().all(|list| *list == lists[0]), "{items:?}");
        assert_eq!(to_value(&items, 1).expect("it serializes"), Value::List(lists[0].clone()));
        assert_eq!(lists[0].iter().collect::<Vec<_>>(), values);
    }
}

#[test]
fn a_long_list_of_small_integers_is_kept_in_as_many_bytes() {
    let value = to_value(&vec![7u8; 1 << 20], 1).expect("it serializes");
    let Value::List(list) = value else { panic!("it is a list") };
    assert!(matches!(list.into_packing(), Packing::Octets(octets) if octets.len() == 1 << 20));
}

#[test]
fn nothing_is_changed_to_fit() {
    assert_eq!(refusal::<u8>(Value::Int(256)), "expected an integer from 0 to 255, found 256");
    assert_eq!(refusal::<i64>(Value::Float(1.0)).split(", ").nth(1), Some("found a float"));
    assert_eq!(refusal::<f64>(Value::Int((1 << 53) + 1)), "expected a float, found an integer that no float equals");
    assert_eq!(refusal::<f32>(Value::Float(0.1)), "expected a 32-bit float, found one that needs 64 bits");
    assert_eq!(refusal::<bool>(Value::Int(1)), "expected a bool, found an integer");
    assert_eq!(refusal::<char>("ab".into()), "expected one character, found text");
    assert_eq!(refusal::<(u8, u8)>(Value::List(vec![Value::Int(1)].into())), "expected 2 items, found 1");
    assert_eq!(from_value::<f64>(Value::Int(1 << 60)).expect("it is exact"), (1u64 << 60) as f64);
}

#[test]
fn refusal_tells_the_way_to_the_place() {
    let item = Value::Map(vec![("name".into(), Value::Int(300))]);
    let value = Value::Map(vec![("items".into(), vec![Value::Map(vec![("name".into(), Value::Int(3))]), item].into())]);
    let error = from_value::<HashMap<String, Vec<HashMap<String, u8>>>>(value).expect_err("300 is no u8");
    assert_eq!(error.to_string(), "at .items[1].name: expected an integer from 0 to 255, found 300");
    assert_eq!(error.kind(), ErrorKind::WrongType);
}

#[derive(Serialize)]
struct Chain(Option<Box<[Chain; 1]>>);

fn chain(depth: usize) -> Chain {
    (0..depth).fold(Chain(None), |chain, _| Chain(Some(Box::new([chain]))))
}

#[test]
fn deepest_allowed_passes_and_one_more_is_refused() {
    assert_eq!(to_value(&chain(32), MAX_DEPTH).expect("it is allowed").depth(), 32);
    let error: Error = to_value(&chain(33), MAX_DEPTH).expect_err("it is too deep");
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    assert!(error.to_string().starts_with("the value is nested deeper than 32 levels; keep the deep part"), "{error}");
}

#[derive(Serialize)]
struct Wraps(Option<Box<Wraps>>);

#[test]
fn endless_wraps_are_refused() {
    let wraps = (0..200).fold(Wraps(None), |wraps, _| Wraps(Some(Box::new(wraps))));
    assert_eq!(to_value(&wraps, MAX_DEPTH).expect_err("they use the stack").kind(), ErrorKind::TooDeep);
}

#[test]
fn no_depth_exhausts_the_stack() {
    let small_stack = std::thread::Builder::new().stack_size(256 * 1024);
    let thread = small_stack.spawn(|| {
        let deep = (0..1_000_000).fold(Value::Null, |value, _| Value::Tuple(vec![value]));
        assert_eq!(deep.depth(), 1_000_000);
        assert_eq!(to_value(&deep, MAX_DEPTH).expect_err("it is too deep").kind(), ErrorKind::TooDeep);
        // Dropping it would recurse a million times; who builds such a value by hand has it outside oad.
        std::mem::forget(deep);
    });
    thread.expect("a thread can be started").join().expect("it does not overflow");
}

#[test]
fn debug_shows_no_contents() {
    let secret = Value::Map(vec![("password".into(), "hunter2".into())]);
    assert_eq!(format!("{secret:?}"), "Map(1 entries)");
    assert_eq!(format!("{:?}", Value::from("hunter2")), "Text(7 bytes)");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0..256i64).prop_map(Value::Int),
        any::<i128>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        ".*".prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<(u128, u64)>().prop_map(|(daemon, id)| Value::Handle(Handle::new(Uuid::from_u128(daemon), id))),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Map),
            inner.prop_map(|value| Value::Some(Box::new(value))),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_survives(value in any_value()) {
        let back: Value = from_value(to_value(&value, MAX_DEPTH).expect("it serializes")).expect("it deserializes");
        prop_assert_eq!(back, value);
    }
}
