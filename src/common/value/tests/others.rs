//! What other crates' types offer and ask for.

use serde::ser::SerializeStruct as _;

use super::*;

/// Serializes as other crates do: a struct of one field, both with private names.
struct Private(&'static str, &'static str, String);

impl Serialize for Private {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct(self.0, 1)?;
        fields.serialize_field(self.1, &self.2)?;
        fields.end()
    }
}

const NUMBER: &str = "$serde_json::private::Number";
const RAW_VALUE: &str = "$serde_json::private::RawValue";
const TOML: [&str; 2] = ["$__toml_private_Datetime", "$__toml_private_datetime"];

#[test]
fn numbers_of_serde_json_are_numbers_however_it_passes_them() {
    let number = |text: &str| Private(NUMBER, NUMBER, text.to_owned());
    let numbers = vec![number("1"), number("2.5"), number("18446744073709551615")];
    let sent = to_value(&(number("-7"), HashMap::from([("n", numbers)]))).expect("it serializes");
    let list: Value = vec![Value::Int(1), 2.5.into(), u64::MAX.into()].into();
    assert_eq!(sent, Value::Tuple(vec![(-7).into(), Value::Map(vec![("n".into(), list)])]));
    // It is no deeper than the number.
    assert_eq!(to_value_within(&[number("1")], 1).expect("it fits"), [1].into());
    assert!(to_value(&number("x")).is_err());
    let json = format!(r#"[{{"{NUMBER}":"2.5"}}]"#);
    let read: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(read, Value::from(vec![2.5]));
    // A map of the user's own that looks similar is a map.
    let own = BTreeMap::from([("$serde_json::private::Other", "1")]);
    assert!(matches!(to_value(&own), Ok(Value::Map(_))));
}

#[test]
fn raw_json_is_the_value_that_it_is_the_text_of() {
    let raw = |text: &str| Private(RAW_VALUE, RAW_VALUE, text.to_owned());
    let sent = to_value(&raw(r#" {"a": [1, null, "x"]} "#)).expect("it serializes");
    let list: Value = vec![1.into(), Value::Null, "x".into()].into();
    assert_eq!(sent, Value::Map(vec![("a".into(), list)]));
    assert_eq!(to_value_within(&raw("[[1]]"), 2).expect("it fits").depth(), 2);
    let error = to_value_within(&raw("[[1]]"), 1).expect_err("it is deeper");
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    let deep = raw(&"[".repeat(1_000_000));
    assert_eq!(to_value(&deep).expect_err("it is deep").kind(), ErrorKind::TooDeep);
}

#[test]
fn dates_and_times_of_toml_are_dates_and_times() {
    let toml = |text: &str| Private(TOML[0], TOML[1], text.to_owned());
    let moment: DateTime = "1979-05-27T07:32:00.5+01:00".parse().expect("it is one");
    for (text, value) in [
        ("1979-05-27T07:32:00.5+01:00", moment.into()),
        ("1979-05-27", Value::Date("1979-05-27".parse().expect("it is one"))),
        ("07:32:00", Value::Time("07:32:00".parse().expect("it is one"))),
    ] {
        assert_eq!(to_value(&toml(text)).expect("it serializes"), value);
    }
    assert_eq!(to_value(&toml("0000-01-01")).expect_err("no year").kind(), ErrorKind::WrongType);

    /// As `toml` reads them.
    #[derive(Deserialize, Serialize, Debug, PartialEq)]
    #[serde(rename = "$__toml_private_Datetime")]
    struct Datetime {
        #[serde(rename = "$__toml_private_datetime")]
        text: String,
    }
    for text in ["1979-05-27T07:32:00Z", "1979-05-27", "07:32:00"] {
        survives(Datetime { text: text.to_owned() });
    }
}

#[test]
fn every_bit_of_a_32_bit_float_survives() {
    // Signalling and quiet, with and without a sign and a payload.
    for bits in [0x7f80_0001, 0x7fa0_0000, 0xffbf_ffff, 0x7fc0_0000, 0xffc0_1234, 0x7f80_0000, 1] {
        let float = f32::from_bits(bits);
        for value in [to_value(&float).expect("it serializes"), Value::from(float)] {
            let back: f32 = from_value(value).expect("it fits");
            assert_eq!(back.to_bits(), bits);
        }
        let array = Array::from_slice(&[float]);
        let back: Vec<f32> = from_value(array.into()).expect("they fit");
        assert_eq!(back[0].to_bits(), bits);
    }
    assert!(from_value::<f32>(f64::from_bits(0x7ff0_0000_0000_0001).into()).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: Numbers,
    #[serde(flatten)]
    others: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Numbers {
    unsigned: u64,
    signed: i64,
    small: Option<u8>,
    float: f32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Small(i8),
    Large(u64),
    Lowest(i64),
    Many(Vec<u64>),
    Fields { unsigned: u64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Fields { unsigned: u64, signed: i64 },
    Numbers(Numbers),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent {
    Large(u64),
    Pair(u64, i64),
}

#[test]
fn integers_survive_wherever_serde_holds_them_for_a_while() {
    let numbers =
        || Numbers { unsigned: u64::MAX, signed: i64::MIN, small: Some(u8::MAX), float: 0.5 };
    survives(Flat { inner: numbers(), others: BTreeMap::from([("x".to_owned(), u64::MAX)]) });
    survives(vec![Untagged::Small(-1), Untagged::Large(u64::MAX), Untagged::Lowest(i64::MIN)]);
    survives(vec![
        Untagged::Many(vec![u64::MAX, 0]),
        Untagged::Fields { unsigned: i64::MAX as u64 + 1 },
    ]);
    survives(vec![Tagged::Fields { unsigned: u64::MAX, signed: -1 }, Tagged::Numbers(numbers())]);
    survives(vec![Adjacent::Large(u64::MAX), Adjacent::Pair(u64::MAX, i64::MIN)]);
    // An array of numpy is read in the same way.
    let array = Array::from_slice(&[u64::MAX, 1]).into();
    assert_eq!(from_value::<Untagged>(array).expect("it fits"), Untagged::Many(vec![u64::MAX, 1]));
}

#[test]
fn each_integer_is_offered_as_json_offers_it() {
    struct Offered;

    impl serde::de::Visitor<'_> for Offered {
        type Value = &'static str;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an integer")
        }

        fn visit_i64<E>(self, _: i64) -> Result<&'static str, E> {
            Ok("i64")
        }

        fn visit_u64<E>(self, _: u64) -> Result<&'static str, E> {
            Ok("u64")
        }

        fn visit_i128<E>(self, _: i128) -> Result<&'static str, E> {
            Ok("i128")
        }

        fn visit_u128<E>(self, _: u128) -> Result<&'static str, E> {
            Ok("u128")
        }
    }

    for (int, offered) in [
        (Value::from(0), "u64"),
        (i64::MAX.into(), "u64"),
        ((-1).into(), "i64"),
        (i64::MIN.into(), "i64"),
        ((i64::MAX as u64 + 1).into(), "u64"),
        (u64::MAX.into(), "u64"),
        ((i128::from(u64::MAX) + 1).into(), "i128"),
        ((i128::from(i64::MIN) - 1).into(), "i128"),
        (u128::MAX.into(), "u128"),
    ] {
        let found = serde::Deserializer::deserialize_any(de::FromValue(int.clone()), Offered);
        assert_eq!(found.expect("it is an integer"), offered, "{int:?}");
    }
}
