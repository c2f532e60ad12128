//! Strategies for values of every kind.

use proptest::prelude::*;
use uuid::Uuid;

use super::raw_text;
use crate::common::value::{
    Array, Complex, Date, DateTime, Decimal, Handle, NamedTuple, Range, Slice, Time, TimeDelta,
    Value, Zone,
};

fn any_zone() -> impl Strategy<Value = Option<Zone>> {
    let day = 86_399_999_999i64;
    prop_oneof![
        Just(None),
        (-day..=day, any::<Option<String>>())
            .prop_map(|(microseconds, name)| Some(Zone::Fixed { microseconds, name })),
        ".*".prop_map(|name| Some(Zone::Named(name))),
    ]
}

fn any_time() -> impl Strategy<Value = Time> {
    let fraction = (0..1_000_000u32, 0..1_000u32);
    (0..24u8, 0..60u8, 0..60u8, fraction, 0..2u8, any_zone()).prop_map(
        |(hour, minute, second, (microsecond, nanosecond), fold, zone)| {
            let time = Time::new(hour, minute, second, microsecond)
                .and_then(|time| time.with_nanosecond(nanosecond)?.with_fold(fold))
                .expect("it is in bounds");
            match zone {
                Some(zone) => time.in_zone(zone).expect("it is in bounds"),
                None => time,
            }
        },
    )
}

fn any_date() -> impl Strategy<Value = Date> {
    (1..=9999u16, 1..=12u8, 1..=28u8)
        .prop_map(|(year, month, day)| Date::new(year, month, day).expect("there was one"))
}

/// What holds no other value and is of no kind that serde has a word for.
fn any_special() -> impl Strategy<Value = Value> {
    let int = prop_oneof![any::<i64>().prop_map(Value::from), any::<i128>().prop_map(Value::from)];
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(re, im)| Complex {
            re: f64::from_bits(re),
            im: f64::from_bits(im)
        }
        .into()),
        Just(raw_text()),
        (int.clone(), int, 1..9i64).prop_map(|(start, stop, step)| {
            Range::new(start, stop, step).expect("the step is not 0").into()
        }),
        any_date().prop_map(Value::from),
        any_time().prop_map(Value::from),
        (any_date(), any_time()).prop_map(|(date, time)| DateTime::new(date, time).into()),
        (-999_999_999..999_999_999i64, any::<i32>(), any::<i32>()).prop_filter_map(
            "too long",
            |(days, seconds, more)| {
                TimeDelta::new(days, seconds.into(), more.into()).ok().map(Value::from)
            }
        ),
        "-?[0-9]{1,20}([.][0-9]{0,9})?(e-?[0-9]{1,3})?"
            .prop_map(|text| Decimal::new(&text).expect("it is one").into()),
        any::<u128>().prop_map(|uuid| Uuid::from_u128(uuid).into()),
        any::<Vec<f64>>().prop_map(|numbers| Array::from_slice(&numbers).into()),
        any::<Vec<u16>>().prop_map(|numbers| {
            let shape = [1, numbers.len() as u64];
            Array::from_slice(&numbers).into_numpy(&shape).expect("it is as many").into()
        }),
    ]
}

pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0..256i64).prop_map(Value::Int),
        any::<i128>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
        ".*".prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<(u128, u64)>()
            .prop_map(|(daemon, id)| Value::Handle(Handle::new(Uuid::from_u128(daemon), id))),
        any_special(),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Map),
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| Value::Set(items.into())),
            prop::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| Value::FrozenSet(items.into())),
            [inner.clone(), inner.clone(), inner.clone()]
                .prop_map(|parts| Slice::from(parts).into()),
            prop::collection::vec((".*", inner.clone()), 0..4).prop_map(|entries| {
                let (names, items): (Vec<String>, Vec<Value>) = entries.into_iter().unzip();
                NamedTuple::new(names, items).expect("there are as many").into()
            }),
            inner.prop_map(|value| Value::Some(Box::new(value))),
        ]
    })
}
