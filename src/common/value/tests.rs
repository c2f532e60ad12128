//! Serde types to values and back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::common::error::{Error, ErrorKind};

mod any;
mod deep;
mod others;

pub(crate) use any::any_value;

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(sent: T) {
    let value = to_value(&sent).expect("it serializes");
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
    nothing: EmptyStruct,
    wrapped: Wrapped,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct EmptyStruct;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u64);

#[test]
fn types_of_every_shape_survive() {
    let square = Shape::Square { side: 3, name: Some("é\0".into()) };
    survives(Picture {
        shapes: vec![Shape::Empty, Shape::Circle(0.1), square, Shape::Line(-1, 1)],
        tags: BTreeMap::from([(-4, ("x".into(), true))]),
        unit: (),
        nothing: EmptyStruct,
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
        let value = to_value(&f64::from_bits(bits)).expect("it serializes");
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
    survives((
        Handle::new(Uuid::from_u128(1), 2),
        Bytes::from(vec![1, 2]),
        Value::List(values.into()),
    ));
}

#[test]
fn lists_are_packed_the_same_however_they_are_made() {
    for items in [vec![1, 255], vec![1, 256], vec![256, 1], vec![-1, 0]] {
        let values: Vec<Value> = items.iter().copied().map(Value::Int).collect();
        let lists = [
            List::from(values.clone()),
            values.iter().cloned().collect(),
            List::from_ints(items.clone()),
        ];
        assert!(lists.iter().all(|list| *list == lists[0]), "{items:?}");
        assert_eq!(
            to_value_within(&items, 1).expect("it serializes"),
            Value::List(lists[0].clone())
        );
        assert_eq!(lists[0].iter().collect::<Vec<_>>(), values);
    }
}

#[test]
fn a_long_list_of_small_integers_is_kept_in_as_many_bytes() {
    let value = to_value(&vec![7u8; 1 << 20]).expect("it serializes");
    let Value::List(list) = value else { panic!("it is a list") };
    assert!(matches!(list.into_packing(), Packing::Octets(octets) if octets.len() == 1 << 20));
}

#[test]
fn nothing_is_changed_to_fit() {
    assert_eq!(refusal::<u8>(Value::Int(256)), "expected an integer from 0 to 255, found 256");
    assert_eq!(refusal::<i64>(Value::Float(1.0)).split(", ").nth(1), Some("found a float"));
    assert_eq!(
        refusal::<f64>(Value::Int((1 << 53) + 1)),
        "expected a float, found the integer 9007199254740993, which no float equals"
    );
    assert_eq!(
        refusal::<f32>(Value::Float(0.1)),
        "expected a 32-bit float, found one that needs 64 bits"
    );
    assert_eq!(refusal::<bool>(Value::Int(1)), "expected a bool, found an integer");
    assert_eq!(refusal::<char>("ab".into()), "expected one character, found text");
    assert_eq!(
        refusal::<(u8, u8)>(Value::List(vec![Value::Int(1)].into())),
        "expected 2 items, found 1"
    );
    assert_eq!(from_value::<f64>(Value::Int(1 << 60)).expect("it is exact"), (1u64 << 60) as f64);
}

#[test]
fn refusal_of_a_handle_names_its_type_and_the_remedy() {
    let object = |type_name: &str| {
        let kind = ObjectKind {
            type_name: type_name.to_owned(),
            interfaces: Vec::new(),
            name: String::new(),
        };
        Value::from(Handle::new(Uuid::nil(), 1).of_kind(kind))
    };
    assert_eq!(
        refusal::<String>(object("pathlib.PosixPath")),
        "expected text, found a `pathlib.PosixPath`, which stays in the interpreter; \
         ask for a `Proxy`, or use `.by_value()`"
    );
    assert_eq!(
        refusal::<Vec<(u8, f64)>>(vec![Value::Tuple(vec![1.into(), object("shop.Price")])].into()),
        "at `[0][1]`: expected a float, found a `shop.Price`, which stays in the interpreter; \
         ask for a `Proxy`, or use `.by_value()`"
    );
    assert_eq!(
        refusal::<Date>(object("shop::Order")),
        "expected a date, found a `shop::Order`, which stays in its daemon; ask for a `Proxy`"
    );
    assert_eq!(
        refusal::<HashMap<u8, u8>>(object("")),
        "expected a map, found an object, which stays in its process; ask for a `Proxy`"
    );
}

#[test]
fn refusal_names_the_path_to_the_place() {
    let item = Value::Map(vec![("name".into(), Value::Int(300))]);
    let value = Value::Map(vec![(
        "items".into(),
        vec![Value::Map(vec![("name".into(), Value::Int(3))]), item].into(),
    )]);
    let error = from_value::<HashMap<String, Vec<HashMap<String, u8>>>>(value)
        .expect_err("300 is not a u8");
    assert_eq!(
        error.to_string(),
        "at `.items[1].name`: expected an integer from 0 to 255, found 300"
    );
    assert_eq!(error.kind(), ErrorKind::WrongType);
}

#[derive(Serialize)]
struct LinkedList(Option<Box<[LinkedList; 1]>>);

fn chain(depth: usize) -> LinkedList {
    (0..depth).fold(LinkedList(None), |chain, _| LinkedList(Some(Box::new([chain]))))
}

#[test]
fn deepest_allowed_passes_and_one_more_is_refused() {
    assert_eq!(to_value(&chain(32)).expect("it is allowed").depth(), 32);
    let error: Error = to_value(&chain(33)).expect_err("it is too deep");
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    assert!(
        error
            .to_string()
            .starts_with("the value is nested deeper than 32 levels; keep the deep part"),
        "{error}"
    );
}

#[derive(Serialize)]
struct Wraps(Option<Box<Wraps>>);

#[test]
fn endless_wraps_are_refused() {
    let wraps = (0..200).fold(Wraps(None), |wraps, _| Wraps(Some(Box::new(wraps))));
    assert_eq!(to_value(&wraps).expect_err("they use the stack").kind(), ErrorKind::TooDeep);
}

#[test]
fn each_kind_survives_as_itself_and_in_json() {
    #[track_caller]
    fn both<T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + Into<Value>>(sent: T) {
        assert_eq!(to_value_within(&sent, 1).expect("it serializes"), sent.clone().into());
        survives(sent.clone());
        let json = serde_json::to_string(&sent).expect("it has a plain form");
        assert_eq!(serde_json::from_str::<T>(&json).expect("it reads back"), sent, "{json}");
        from_value::<T>(Value::Int(1)).expect_err("an integer is something else");
    }
    let Value::RawText(text) = raw_text() else { panic!("it has surrogates") };
    let date = Date::new(2024, 2, 29).expect("it was a leap year");
    let time = Time::new(23, 59, 59, 999_999).expect("it is a time");
    let zone = Zone::Fixed { microseconds: -1, name: Some("x".into()) };
    both(Complex { re: -0.0, im: 1.5 });
    both(Set::from(vec![1.into(), 2.into()]));
    both(text);
    both(Slice { start: 1.into(), stop: Value::Null, step: 2.into() });
    both(Range::new(0, 9, -1).expect("it is a range"));
    both(date);
    both(time.clone().in_zone(zone).expect("it is near"));
    both(DateTime::new(
        date,
        time.in_zone(Zone::Named("Europe/Vienna".into())).expect("it is a zone"),
    ));
    both(TimeDelta::new(0, 0, -1).expect("it is short"));
    both(Decimal::new("-1.50").expect("it is a number"));
    both(Array::from_slice(&[1u8, 2]));
    let int: BigInt = "-18446744073709551617".parse().expect("it is one");
    let json = serde_json::to_string(&int).expect("it has a plain form");
    assert_eq!(json, "\"-18446744073709551617\"");
    assert_eq!(serde_json::from_str::<BigInt>(&json).expect("it reads back"), int);
    assert_eq!(serde_json::from_str::<BigInt>("-5").expect("it is one"), BigInt::from(-5));
    assert_eq!(to_value(&BigInt::from(5)).expect("it serializes"), Value::Int(5));
    survives((int, BigInt::from(5)));
}

fn raw_text() -> Value {
    Value::text_from_wtf8(b"a\xed\xb2\x80\xc3\xa9\xed\xa0\xbd\xed\xb8\x80".to_vec())
        .expect("it is text")
}

#[test]
fn text_is_raw_only_where_it_has_surrogates() {
    let Value::RawText(text) = raw_text() else { panic!("it has surrogates") };
    assert_eq!(text.to_string_lossy(), "a\u{fffd}é\u{fffd}\u{fffd}");
    assert_eq!(text.to_string_escaped(), "a\\udc80é\\ud83d\\ude00");
    assert_eq!(Value::text_from_wtf8("é".into()).expect("it is text"), "é".into());
    for bytes in [&b"\xff"[..], b"\xed\xb2", b"\xed\xb2\x80\xff", b"\xc0\x80"] {
        assert_eq!(
            Value::text_from_wtf8(bytes.to_vec()).expect_err("it is not text").kind(),
            ErrorKind::WrongType
        );
    }
    let message = "expected text, found text with lone surrogates; a `RawText` can hold it";
    assert_eq!(refusal::<String>(raw_text()), message);
}

#[test]
fn order_of_a_set_does_not_matter_but_its_kind_does() {
    let sets = [vec![1, 2, 2], vec![2, 1, 2], vec![1, 1, 2], vec![1, 2]]
        .map(|items| items.into_iter().map(Value::from).collect::<Set>());
    assert_eq!(sets[0], sets[1]);
    assert_eq!(HashSet::from([sets[0].clone(), sets[1].clone()]).len(), 1);
    assert_ne!(sets[0], sets[2]);
    assert_ne!(sets[0], sets[3]);
    assert_ne!(Value::Set(sets[0].clone()), Value::FrozenSet(sets[0].clone()));
}

#[test]
fn sets_are_read_as_sequences() {
    let set = Set::from(HashSet::from([1, 300]));
    for value in [Value::Set(set.clone()), Value::FrozenSet(set.clone())] {
        assert_eq!(
            from_value::<HashSet<u16>>(value.clone()).expect("they are numbers"),
            HashSet::from([1, 300])
        );
        assert_eq!(from_value::<Vec<u16>>(value.clone()).expect("they are numbers").len(), 2);
        assert_eq!(from_value::<Set>(value).expect("it is one"), set);
    }
}

#[test]
fn arrays_are_read_as_what_they_hold() {
    let rows = Array::from_slice(&[1.5f32, 2.0, 3.0, 4.0, 5.0, 6.0])
        .into_numpy(&[2, 3])
        .expect("they are six");
    let read: Vec<(f32, f64, u8)> = from_value::<Vec<(f32, f64, f32)>>(rows.clone().into())
        .expect("they are exact")
        .into_iter()
        .map(|(a, b, c)| (a, b, c as u8))
        .collect();
    assert_eq!(read, [(1.5, 2.0, 3), (4.0, 5.0, 6)]);
    assert_eq!(
        refusal::<Vec<Vec<u8>>>(rows.into()),
        "at `[0][0]`: expected an integer from 0 to 255, found a float"
    );
    assert_eq!(
        refusal::<Vec<i8>>(Array::from_slice(&[1u8, 200]).into()).split(' ').next_back(),
        Some("200")
    );
    assert_eq!(from_value::<Vec<f64>>(Array::from_slice(&[u64::MAX - 2047]).into()).ok(), None);
    let number = |dtype: &str, bytes: &[u8]| {
        Value::from(
            Array::new(ArraySource::Numpy, dtype, &[], bytes.into()).expect("it is a number"),
        )
    };
    assert_eq!(
        from_value::<Option<u64>>(number("<u8", &[255; 8])).expect("it is one"),
        Some(u64::MAX)
    );
    assert!(from_value::<bool>(number("|b1", &[1])).expect("it is one"));
    assert_eq!(from_value::<f64>(number(">i2", &[1, 0])).expect("it is exact"), 256.0);
    assert_eq!(
        refusal::<f64>(number("<f16", &[0; 16])),
        "Rust has no type for the numbers of an array of `<f16`"
    );
    let empty = Array::new(ArraySource::Numpy, "<f8", &[1 << 40, 0], Bytes::default())
        .expect("it is an array");
    assert_eq!(refusal::<Vec<Vec<f64>>>(empty.into()).split(' ').nth(3), Some("1099511627776"));
}

#[test]
fn signalling_nans_of_arrays_keep_their_bits() {
    let array =
        Array::new(ArraySource::Array, "<f4", &[1], 0xffa0_0001u32.to_le_bytes().to_vec().into());
    let read: Vec<f64> = from_value(array.expect("it is an array").into()).expect("it is a float");
    assert_eq!(read[0].to_bits(), 0xfff4_0000_2000_0000);
}

#[test]
fn uuids_are_read_from_either_kind() {
    let uuid = Uuid::from_u128(7);
    assert_eq!(from_value::<Uuid>(uuid.into()).expect("it is one"), uuid);
    assert_eq!(from_value::<Uuid>(uuid.to_string().into()).expect("it is one"), uuid);
    assert_eq!(refusal::<String>(uuid.into()), "expected text, found a UUID");
    survives(Value::Uuid(uuid));
}

#[test]
fn times_and_ranges_that_are_none_are_refused() {
    for (year, month, day) in
        [(0, 1, 1), (10_000, 1, 1), (1900, 2, 29), (2024, 0, 1), (2024, 4, 31), (2024, 13, 1)]
    {
        Date::new(year, month, day).expect_err("there is no such day");
    }
    for (hour, minute, second, microsecond) in
        [(24, 0, 0, 0), (0, 60, 0, 0), (0, 0, 60, 0), (0, 0, 0, 1_000_000)]
    {
        Time::new(hour, minute, second, microsecond).expect_err("there is no such time");
    }
    let midnight = Time::new(0, 0, 0, 0).expect("it is a time");
    midnight.clone().with_fold(2).expect_err("nothing happens three times");
    midnight
        .in_zone(Zone::Fixed { microseconds: 86_400_000_000, name: None })
        .expect_err("it is a day off");
    TimeDelta::new(1_000_000_000, 0, 0).expect_err("it is too long");
    TimeDelta::new(i64::MIN, i64::MIN, i64::MIN).expect_err("it is too long");
    Range::new(0, 1, 0).expect_err("it never ends");
    Range::new(0, 1.0, 1).expect_err("it is not an integer");
}

#[test]
fn spans_of_time_are_kept_as_pythons() {
    let delta = TimeDelta::new(0, 0, -1).expect("it is short");
    assert_eq!((delta.days(), delta.seconds(), delta.microseconds()), (-1, 86_399, 999_999));
    assert_eq!(delta, TimeDelta::new(-1, 86_400, -1).expect("it is short"));
}

#[test]
fn handles_are_found_in_every_container() {
    let handle = |id| Value::Handle(Handle::new(Uuid::nil(), id));
    let slice =
        Slice { start: handle(1), stop: Value::Set(vec![handle(2)].into()), step: Value::Null };
    let value = Value::FrozenSet(vec![slice.into(), handle(3)].into());
    let mut ids: Vec<u64> = value.handles().iter().map(Handle::id).collect();
    ids.sort_unstable();
    assert_eq!((ids, value.depth()), (vec![1, 2, 3], 3));
    survives(value);
}

proptest! {
    #[test]
    fn every_value_survives(value in any_value()) {
        let sent = to_value(&value).expect("it serializes");
        let back: Value = from_value(sent).expect("it deserializes");
        prop_assert_eq!(back, value);
    }
}
