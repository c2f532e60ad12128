//! Types of `serde_json`, with the features that any crate of a program may switch on for
//! all of it, and of `toml`.

use std::collections::BTreeMap;

use oad::value::{Value, from_value, to_value};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

oad::test_daemon!();

#[tokio::test]
async fn numbers_of_json_are_numbers_in_python() {
    let source = "def show(x, **k): return repr((x, k))\ndef echo(x): return x\n";
    let script = oad::python_script("script.py", source).await.expect("it is made");
    let sent = json!([1, 2.5, -7, u64::MAX, {"a": [0.1, true, null]}]);
    let shown: String =
        script.call("show", (&sent,)).keyword("n", json!(3)).await.expect("it answers");
    assert_eq!(
        shown,
        "([1, 2.5, -7, 18446744073709551615, {'a': [0.1, True, None]}], {'n': 3})"
    );
    let back: serde_json::Value = script.call("echo", (&sent,)).await.expect("it answers");
    assert_eq!(back, sent);
    let raw = RawValue::from_string(r#"{"a": [1, 2.5]}"#.to_owned()).expect("it is JSON");
    let shown: String = script.call("show", (&raw,)).await.expect("it answers");
    assert_eq!(shown, "({'a': [1, 2.5]}, {})");
    let back: Box<RawValue> = script.call("echo", (&raw,)).await.expect("it answers");
    assert_eq!(back.get(), r#"{"a":[1,2.5]}"#);
    let times: toml::Value =
        toml::from_str("d = 1979-05-27\nm = 1979-05-27T07:32:00Z").expect("it is TOML");
    let shown: String = script.call("show", (&times,)).await.expect("it answers");
    assert!(shown.contains("'d': datetime.date(1979, 5, 27)"), "{shown}");
    assert!(shown.contains("datetime.datetime(1979, 5, 27, 7, 32, tzinfo"), "{shown}");
}

#[test]
fn numbers_of_json_come_back_as_they_went() {
    for text in ["1", "-1", "2.5", "18446744073709551615", "-9223372036854775808", "1e300"] {
        let number: serde_json::Number = serde_json::from_str(text).expect("it is a number");
        let value = to_value(&number).expect("it serializes");
        assert!(matches!(value, Value::Int(_) | Value::BigInt(_) | Value::Float(_)), "{text}");
        let back: serde_json::Number = from_value(value).expect("it is a number");
        assert_eq!(back.as_f64(), number.as_f64());
    }
    let read: Value = serde_json::from_str(r#"{"a": [1, 2.5]}"#).expect("it is JSON");
    assert_eq!(read, to_value(&json!({"a": [1, 2.5]})).expect("it serializes"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Release {
    day: toml::value::Datetime,
    #[serde(flatten)]
    others: BTreeMap<String, u64>,
}

#[test]
fn dates_of_toml_come_back_as_they_went() {
    for day in ["1979-05-27", "1979-05-27T07:32:00Z", "1979-05-27T07:32:00", "07:32:00"] {
        let others = BTreeMap::from([("size".to_owned(), u64::MAX)]);
        let sent = Release { day: day.parse().expect("it is one"), others };
        let value = to_value(&sent).expect("it serializes");
        assert!(!matches!(value["day"], Value::Map(_) | Value::Text(_)), "{value:?}");
        assert_eq!(from_value::<Release>(value).expect("it reads back"), sent);
        let any = toml::Value::from(vec![toml::Value::Datetime(sent.day)]);
        let value = to_value(&any).expect("it serializes");
        assert_eq!(from_value::<toml::Value>(value).expect("it reads back"), any);
    }
}
