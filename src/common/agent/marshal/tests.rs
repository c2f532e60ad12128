//! Bytes that real interpreters wrote, and what becomes of all others.

use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::*;
use crate::common::agent::AgentRequest;
use crate::common::definition::Operation;
use crate::common::value::tests::any_value;
use crate::common::value::{Array, ArraySource, Complex, Date, DateTime, Set, Slice, Time, Zone};

fn no_number(_: &Handle) -> Result<u64> {
    panic!("there is no handle in it")
}

fn no_handle(_: AgentHandle) -> Result<Handle> {
    panic!("there is no handle in it")
}

fn back(value: &Value) -> Result<Value> {
    let mut handles = Vec::new();
    let bytes = encode(value, &mut |handle| {
        handles.push(handle.clone());
        Ok(handles.len() as u64 - 1)
    })?;
    decode(&bytes, &mut |object| Ok(handles[object.number as usize].clone()))
}

/// The same without what Python has no word for.
fn bare(value: Value) -> Value {
    let all = |items: Vec<Value>| items.into_iter().map(bare).collect::<Vec<_>>();
    match value {
        Value::Some(value) => bare(*value),
        Value::List(list) => all(list.into_iter().collect()).into(),
        Value::Tuple(items) => Value::Tuple(all(items)),
        Value::NamedTuple(tuple) => Value::Tuple(all(tuple.into_items())),
        Value::Set(set) => Value::Set(all(set.into_items()).into()),
        Value::FrozenSet(set) => Value::FrozenSet(all(set.into_items()).into()),
        Value::Slice(slice) => Slice::from(slice.into_parts().map(bare)).into(),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, value)| (bare(key), bare(value))).collect())
        }
        other => other,
    }
}

/// What `marshal.dumps(x, 2)` of CPython 3.11 gives.
fn known() -> Vec<(Value, &'static [u8])> {
    let raw = Value::text_from_wtf8(b"a\xed\xb2\x80".to_vec()).expect("it is text");
    let zone = Zone::Fixed { microseconds: 3_600_000_000, name: Some("x".into()) };
    let time = Time::new(1, 2, 3, 4)
        .and_then(|time| time.with_fold(1)?.in_zone(zone))
        .expect("it is a time");
    let moment = DateTime::new(Date::new(2024, 2, 29).expect("it was a leap year"), time);
    let array =
        Array::new(ArraySource::Numpy, "<f8", &[1, 1], vec![0; 8].into()).expect("it is an array");
    vec![
        (Value::Null, b"N"),
        (true.into(), b"T"),
        (Value::Int(-1), b"i\xff\xff\xff\xff"),
        (Value::Int(i32::MIN.into()), b"i\x00\x00\x00\x80"),
        (Value::Int(1 << 31), b"l\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00"),
        (Value::Int(i64::MIN), b"l\xfb\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00"),
        (Value::from(1i128 << 64), b"l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00"),
        (
            Value::from(-1i128 << 100),
            b"l\xf9\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\
            \x00\x00\x00\x00\x04",
        ),
        (Value::Float(-0.0), b"g\x00\x00\x00\x00\x00\x00\x00\x80"),
        (
            Complex { re: 1.5, im: -2.0 }.into(),
            b"y\x00\x00\x00\x00\x00\x00\xf8?\x00\x00\x00\
            \x00\x00\x00\x00\xc0",
        ),
        (Value::Bytes(vec![0, 255].into()), b"s\x02\x00\x00\x00\x00\xff"),
        ("hé".into(), b"u\x03\x00\x00\x00h\xc3\xa9"),
        (raw, b"u\x04\x00\x00\x00a\xed\xb2\x80"),
        (
            Value::Tuple(vec![1.into(), "x".into()]),
            b"(\x02\x00\x00\x00i\x01\x00\x00\x00u\x01\
            \x00\x00\x00x",
        ),
        (
            vec![1.into(), 2.5.into(), Value::Null].into(),
            b"[\x03\x00\x00\x00i\x01\x00\x00\x00g\x00\x00\x00\x00\x00\x00\x04@N",
        ),
        (
            vec![0.5, 1.0].into(),
            b"[\x02\x00\x00\x00g\x00\x00\x00\x00\x00\x00\xe0?g\x00\x00\x00\x00\x00\x00\xf0?",
        ),
        (
            vec![1.into(), Value::Int(-1), Value::Int(1 << 40)].into(),
            b"[\x03\x00\x00\x00i\x01\x00\x00\x00i\xff\xff\xff\xffl\x03\x00\x00\x00\x00\x00\x00\
                \x00\x00\x04",
        ),
        (Value::Set(vec![7.into()].into()), b"<\x01\x00\x00\x00i\x07\x00\x00\x00"),
        (
            Value::FrozenSet(vec![Value::Bytes(vec![].into())].into()),
            b">\x01\x00\x00\x00s\x00\
            \x00\x00\x00",
        ),
        (
            Value::Map(vec![("a".into(), 1.into()), (2.into(), Value::Tuple(vec![]))]),
            b"{u\x01\x00\x00\x00ai\x01\x00\x00\x00i\x02\x00\x00\x00(\x00\x00\x00\x000",
        ),
        (
            moment.into(),
            b"(\x0b\x00\x00\x00.u\x08\x00\x00\x00datetimei\xe8\x07\x00\x00i\x02\x00\x00\x00i\
                \x1d\x00\x00\x00\
              i\x01\x00\x00\x00i\x02\x00\x00\x00i\x03\x00\x00\x00i\x04\x00\x00\x00i\x01\x00\x00\x00\
              (\x02\x00\x00\x00l\x03\x00\x00\x00\x00$'-\x03\x00u\x01\x00\x00\x00x",
        ),
        (
            array.into(),
            b"(\x06\x00\x00\x00.u\x05\x00\x00\x00arrayu\x05\x00\x00\x00numpyu\x03\x00\x00\x00<f8\
              (\x02\x00\x00\x00i\x01\x00\x00\x00i\x01\x00\x00\x00s\x08\x00\x00\x00\0\0\0\0\0\0\0\0",
        ),
    ]
}

#[test]
fn bytes_are_those_of_an_interpreter() {
    for (value, bytes) in known() {
        let written = encode(&value, &mut no_number).expect("Python has it");
        assert_eq!(written.escape_ascii().to_string(), bytes.escape_ascii().to_string());
        assert_eq!(
            decode(bytes, &mut no_handle).expect("it is a value"),
            value,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn handles_are_numbers_and_names() {
    let bytes = b"(\x05\x00\x00\x00.u\x06\x00\x00\x00handlei\x03\x00\x00\x00\
        u\x04\x00\x00\x00typeu\x0b\x00\x00\x00io.StringIO";
    let found = decode(bytes, &mut |object| {
        assert_eq!((object.type_name.as_str(), object.name.as_str()), ("type", "io.StringIO"));
        Ok(Handle::new(Uuid::nil(), object.number))
    });
    let handle = Handle::new(Uuid::nil(), 3);
    assert_eq!(found.expect("it is a handle"), Value::from(handle.clone()));
    let error = encode(&handle.into(), &mut |_| Err(malformed("no such object")))
        .expect_err("nobody knows it");
    assert_eq!(error.to_string(), "no such object");
}

#[test]
fn what_other_versions_and_objects_write_is_refused() {
    let refused: [&[u8]; 19] = [
        b"",
        b"c",
        b"r\x00\x00\x00\x00",
        b"\xe9\x01\x00\x00\x00",
        b"I\x00\x00\x00\x00\x00\x00\x00\x00",
        b"S",
        b")\x00",
        b"0",
        b".",
        b"NN",
        b"i\x00\x00\x00",
        b"(\xff\xff\xff\xff",
        b"[\xff\xff\xff\x7fi\x01\x00\x00\x00",
        b"s\x02\x00\x00\x00a",
        b"u\x01\x00\x00\x00\xff",
        b"l\x01\x00\x00\x00\xff\xff",
        b"l\x00\x00\x00\x80",
        b"{N",
        b"(\x05\x00\x00\x00.u\x04\x00\x00\x00datei\xe8\x07\x00\x00i\x02\x00\x00\x00i\x1e\x00\
            \x00\x00",
    ];
    for bytes in refused {
        let error = decode(bytes, &mut no_handle).expect_err("it is not a value");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{}", bytes.escape_ascii());
    }
    assert_eq!(
        decode(b"t\x01\x00\x00\x00a", &mut no_handle).expect("it is interned text"),
        "a".into()
    );
}

#[test]
fn depth_is_bounded_both_ways() {
    let deep = |levels: usize| [b"(\x01\x00\x00\x00".repeat(levels), b"N".to_vec()].concat();
    assert_eq!(decode(&deep(32), &mut no_handle).expect("it is allowed").depth(), 32);
    assert_eq!(
        decode(&deep(33), &mut no_handle).expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
    assert_eq!(
        decode(&deep(100_000), &mut no_handle).expect_err("it is too deep").kind(),
        ErrorKind::Protocol
    );
    let value = (0..33).fold(Value::Null, |value, _| Value::Tuple(vec![value]));
    assert_eq!(
        encode(&value, &mut no_number).expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
    let request = AgentRequest::new("make").with("value", value.clone());
    assert_eq!(
        request.frame(&mut no_number).expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
    let operation = Operation::call("f");
    let request = AgentRequest::of(1, operation, (vec![value], Vec::new())).expect("it is a call");
    assert_eq!(
        request.frame(&mut no_number).expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
}

#[test]
fn keys_that_python_would_lose_or_refuse_are_refused() {
    let nan = Value::Float(f64::NAN);
    let pairs: [[Value; 2]; 5] = [
        [1.into(), true.into()],
        [0.into(), Value::Float(-0.0)],
        [Value::Tuple(vec![1.0.into()]), Value::Tuple(vec![1.into()])],
        [Complex { re: 2.0, im: 0.0 }.into(), 2.into()],
        [Value::Null, Vec::<Value>::new().into()],
    ];
    for [one, other] in pairs {
        let map = Value::Map(vec![(one.clone(), 1.into()), (other.clone(), 2.into())]);
        for value in [map, Value::Set(vec![one, other].into())] {
            assert_eq!(
                back(&value).expect_err("Python has no such keys").kind(),
                ErrorKind::WrongType
            );
        }
    }
    let nans = Value::Set(Set::from(vec![nan.clone(), nan]));
    assert_eq!(back(&nans).expect("Python has such sets"), nans);
    assert_eq!(back(&Value::Stream(0)).expect_err("Python has none").kind(), ErrorKind::WrongType);
}

#[test]
fn lists_of_numbers_go_there_and_back_as_they_are_kept() {
    let big = Value::from(u128::MAX);
    let lists: [Vec<Value>; 5] = [
        (0..2000).map(|int| Value::Int(int % 256)).collect(),
        (0..2000).map(|int| Value::Int(int << 30)).collect(),
        vec![1.into(), big.clone(), 2.into()],
        vec![big, 1.into()],
        vec![1.5.into(), 1.into()],
    ];
    for list in lists {
        assert_eq!(back(&list.clone().into()).expect("it is a list"), list.into());
    }
}

#[test]
fn frames_are_taken_apart() {
    let request = AgentRequest::new("make")
        .with("target", 3u64)
        .with("args", Item::List(vec!["x".into(), Value::Tuple(vec![]).into()]))
        .with("kwargs", Item::Dict(Vec::new()))
        .with("returns", Value::Null);
    let mut frame = request.frame(&mut no_number).expect("it is plain");
    let object = frame.numbered(7).slices(4).iter().flat_map(|slice| slice.to_vec()).collect();
    let frame = AgentFrame::decode(&in_frame(object, &[])).expect("it is a frame");
    assert_eq!((frame.id, frame.word.as_str()), (7, "make"));
    assert_eq!(
        frame.payload.bool().expect_err("it is not a bool").to_string(),
        "expected a bool, found a dict"
    );
    let entries = frame.payload.into_entries().expect("it is a dict");
    let [(_, target), (name, args), (_, kwargs), (_, returns)] =
        <[_; 4]>::try_from(entries).expect("all four are there");
    assert_eq!(target.number::<u8>().expect("it is a number"), 3);
    assert_eq!(name.into_text().expect("it is text"), "args");
    assert_eq!(args.into_items().expect("it is a list").len(), 2);
    assert!(returns.is_none() && kwargs.into_entries().expect("it is a dict").is_empty());
}

fn in_frame(object: Vec<u8>, parts: &[&'static [u8]]) -> Frame {
    let parts = parts.iter().map(|part| bytes::Bytes::from_static(part)).collect();
    Frame { object: object.into(), parts }
}

#[test]
fn parts_are_put_where_the_object_refers_to_them() {
    let part =
        |name: &str, number: u64| Item::Tuple(vec![Item::Ellipsis, name.into(), number.into()]);
    let read = |payload: Item, parts: &[&'static [u8]]| {
        let mut handles = no_handles;
        let mut writer = MarshalWriter::new(&mut handles);
        writer.item(&Item::Tuple(vec![1u64.into(), "value".into(), payload]))?;
        let AgentFrame { payload, .. } = AgentFrame::decode(&in_frame(writer.finish().0, parts))?;
        payload.into_value(&mut |_| Err(malformed("no handles")))
    };
    let shape = Item::Tuple(vec![2u64.into()]);
    let array = vec![Item::Ellipsis, "array".into(), "numpy".into(), "|u1".into(), shape];
    let array = Item::Tuple(array.into_iter().chain([part("bytes", 0)]).collect());
    let payload = Item::List(vec![part("text", 2), array, part("bytes", 1)]);
    let value = read(payload, &[b"\x01\x02", b"ab", "ü".as_bytes()]).expect("it is a value");
    let array = Array::new(ArraySource::Numpy, "|u1", &[2], vec![1, 2].into());
    let array = Value::from(array.expect("it is an array"));
    let bytes = Value::Bytes(b"ab"[..].into());
    assert_eq!(value, Value::List(vec!["ü".into(), array, bytes].into()));
    let both = || Item::Tuple(vec![part("bytes", 0), part("bytes", 0)]);
    for (payload, parts, message) in [
        (part("bytes", 0), &[][..], "part 0 is missing or is referred to twice"),
        (both(), &[&b"a"[..]], "part 0 is missing or is referred to twice"),
        (part("bytes", 0), &[b"a", b"b"], "it does not refer to part 1"),
    ] {
        let error = read(payload, parts).expect_err(message);
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Protocol, message));
    }
}

proptest! {
    #[test]
    fn every_value_that_python_has_comes_back(value in any_value()) {
        match back(&value) {
            Ok(read) => prop_assert_eq!(read, bare(value)),
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::WrongType),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        drop(AgentFrame::decode(&in_frame(bytes, &[])));
    }

    #[test]
    fn no_damage_makes_it_panic(
        value in any_value(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let Ok(mut bytes) = encode(&value, &mut |_| Ok(1)) else { return Ok(()) };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(decode(&bytes, &mut |object| Ok(Handle::new(Uuid::nil(), object.number))));
    }
}

const ECHO: &str = "import marshal, sys
for line in sys.stdin.read().split():
    x = marshal.loads(bytes.fromhex(line))
    print(marshal.dumps(x, 2).hex(), ascii(x) if type(x) is list else '')";

#[test]
fn an_interpreter_reads_and_writes_the_same() {
    let mut python = Command::new("python3")
        .args(["-I", "-c", ECHO])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("there is a python3");
    let mut runner = TestRunner::deterministic();
    let mut draw = || any_value().new_tree(&mut runner).expect("there are values").current();
    let mut runner = TestRunner::deterministic();
    let mut draw_ints =
        || any::<Vec<i128>>().new_tree(&mut runner).expect("there are lists").current();
    let (mut sent, mut lines) = (Vec::new(), String::new());
    let ints = (0..100).map(|_| draw_ints()).map(|ints| {
        (
            ints.iter().copied().map(Value::from).collect::<Vec<_>>().into(),
            Some(format!("{ints:?}")),
        )
    });
    for (value, shown) in ints.chain((0..600).map(|_| (draw(), None))) {
        if let Ok(bytes) = encode(&value, &mut |_| Ok(5)) {
            lines.extend(bytes.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]));
            sent.push((value, shown));
        }
    }
    python
        .stdin
        .take()
        .expect("it is piped")
        .write_all(lines.as_bytes())
        .expect("python reads it all");
    let output = python.wait_with_output().expect("python ends");
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).expect("it is ASCII");
    assert!(sent.len() > 400, "{}", sent.len());
    assert_eq!(output.lines().count(), sent.len());
    for (line, (value, shown)) in output.lines().zip(sent) {
        let (hex, seen) = line.split_once(' ').expect("there are two words");
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal"))
            .collect();
        if value.handles().is_empty() {
            assert_eq!(decode(&bytes, &mut no_handle).expect("it is a value"), bare(value));
        }
        assert_eq!(shown.as_deref().unwrap_or(seen), seen);
    }
}
