//! Strategies for the values that cross.

use std::collections::HashSet;

use oad::value::{
    Array, Complex, Date, DateTime, Decimal, Range, Set, Slice, Time, TimeDelta, Zone,
};
use oad::{Proxy, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

/// Letters, what Python escapes, and what it does not.
fn any_text() -> impl Strategy<Value = String> + Clone {
    let char = prop_oneof![
        8 => prop::char::range('\0', '\u{ff}'),
        2 => prop::char::range('α', 'ω'),
        2 => prop::char::range('一', '龥'),
        1 => prop::char::range('😀', '🙏'),
        1 => prop::sample::select(vec!['\u{2028}', '\u{e000}', '\u{feff}', '\u{10ffff}']),
    ];
    vec(char, 0..12).prop_map(String::from_iter)
}

fn any_float() -> impl Strategy<Value = f64> {
    let short = (-100_000..100_000i32, 0..12u8)
        .prop_map(|(n, places)| f64::from(n) / 10f64.powi(places.into()));
    prop_oneof![any::<u64>().prop_map(f64::from_bits), any::<f64>(), short]
}

/// What Python's `repr` shows the same way in every version.
pub(crate) fn plain() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300..300i64).prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any_float().prop_map(Value::from),
        any_text().prop_map(Value::from),
        vec(any::<u8>(), 0..12).prop_map(|bytes| Value::Bytes(bytes.into())),
        vec(any::<i64>(), 0..6).prop_map(|ints| ints
            .into_iter()
            .map(Value::from)
            .collect::<Vec<_>>()
            .into()),
        vec(any_float(), 0..6).prop_map(|floats| floats
            .into_iter()
            .map(Value::from)
            .collect::<Vec<_>>()
            .into()),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            vec((hashable(), inner), 0..4).prop_map(|entries| Value::Map(distinct(entries))),
        ]
    })
}

/// What can be a key, and of which no two are equal in Python that are not so in Rust, as
/// 1, 1.0 and True are; shown the same way in every version.
fn hashable() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![any::<i64>(), -300..300i64]
            .prop_filter("equal to a bool", |n| n >> 1 != 0)
            .prop_map(Value::from),
        any_float()
            .prop_filter("equal to an integer", |n| n.is_finite() && n.fract() != 0.0)
            .prop_map(Value::from),
        any_text().prop_map(Value::from),
        vec(any::<u8>(), 0..6).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| vec(inner, 0..3).prop_map(Value::Tuple))
}

fn distinct<T>(entries: Vec<(Value, T)>) -> Vec<(Value, T)> {
    let mut seen = HashSet::new();
    entries.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect()
}

fn set(items: Vec<Value>) -> Set {
    distinct(items.into_iter().map(|item| (item, ())).collect())
        .into_iter()
        .map(|(item, ())| item)
        .collect()
}

fn any_date() -> impl Strategy<Value = Date> {
    (1..=9999u16, 1..=12u8, 1..=28u8)
        .prop_map(|(year, month, day)| Date::new(year, month, day).expect("there was one"))
}

fn any_time() -> impl Strategy<Value = Time> + Clone {
    // Python 3.6 has zones at whole minutes only.
    let zone = (-1439..1440i64, prop::option::of(any_text()))
        .prop_map(|(minutes, name)| Zone::Fixed { microseconds: minutes * 60_000_000, name });
    (0..24u8, 0..60u8, 0..60u8, 0..1_000_000u32, 0..2u8, prop::option::of(zone)).prop_map(
        |(hour, minute, second, microsecond, fold, zone)| {
            let time =
                Time::new(hour, minute, second, microsecond).and_then(|time| time.with_fold(fold));
            let time = time.expect("there is such a time");
            zone.map_or(time.clone(), |zone| time.in_zone(zone).expect("it is less than a day"))
        },
    )
}

/// The kinds beside the plain ones.
fn special() -> impl Strategy<Value = Value> {
    let integer =
        prop_oneof![any::<i64>().prop_map(Value::from), any::<i128>().prop_map(Value::from)];
    let step = any::<i64>().prop_filter("a step is not 0", |step| *step != 0);
    // A text with surrogates: each code unit for itself, so that high ones stand before
    // low ones too.
    let raw = vec(prop_oneof![0xd800..0xdc00u16, 0x20..0x7fu16], 0..6).prop_map(|units| {
        let wtf8 = units.into_iter().flat_map(|unit| match u8::try_from(unit) {
            Ok(ascii) => vec![ascii],
            Err(_) => vec![0xed, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8],
        });
        Value::text_from_wtf8(wtf8.collect()).expect("it is text")
    });
    let numbers = |text: &str| Value::from(Decimal::new(text).expect("it is a number"));
    prop_oneof![
        (any_float(), any_float()).prop_map(|(re, im)| Complex { re, im }.into()),
        (integer.clone(), integer, step).prop_map(|(start, stop, step)| {
            Range::new(start, stop, step).expect("its step is not 0").into()
        }),
        vec(any::<u8>(), 9..40).prop_map(|bytes| Value::integer_from_le_bytes(&bytes)),
        raw,
        any_date().prop_map(Value::from),
        any_time().prop_map(Value::from),
        (any_date(), any_time()).prop_map(|(date, time)| DateTime::new(date, time).into()),
        (-999_999_999..999_999_999i64, any::<i32>(), any::<i32>())
            .prop_filter_map("too long", |(days, s, us)| {
                TimeDelta::new(days, s.into(), us.into()).ok().map(Value::from)
            }),
        "-?[0-9]{1,20}([.][0-9]{0,9})?(e-?[0-9]{1,3})?|-?Infinity|-?s?NaN[1-9]{0,3}"
            .prop_map(move |text| numbers(&text)),
        any::<u128>().prop_map(|uuid| Uuid::from_u128(uuid).into()),
        vec(any_float(), 0..6).prop_map(|numbers| Array::from_slice(&numbers).into()),
        vec(any::<u16>(), 0..6).prop_map(|numbers| Array::from_slice(&numbers).into()),
        vec(any::<i64>(), 0..6).prop_map(|numbers| Array::from_slice(&numbers).into()),
        vec(hashable(), 0..5).prop_map(|items| Value::Set(set(items))),
        vec(hashable(), 0..5).prop_map(|items| Value::FrozenSet(set(items))),
    ]
}

/// What there is in one interpreter only: its objects, alone and where things are told
/// apart; and times in the zones that it knows by name, if it knows any.
pub(crate) fn of_interpreter(nodes: &[Proxy], zones: Vec<String>) -> BoxedStrategy<Value> {
    let nodes: Vec<Value> = nodes.iter().map(|node| Value::Handle(node.handle().clone())).collect();
    let some = move || prop::sample::subsequence(nodes.clone(), 0..=nodes.len());
    let objects = prop_oneof![
        some().prop_filter_map("none", |nodes| nodes.into_iter().next()),
        (some(), vec(hashable(), 0..3))
            .prop_map(|(nodes, items)| Value::Set(set([nodes, items].concat()))),
        some().prop_map(|nodes| Value::FrozenSet(set(nodes))),
        (some(), any::<i64>()).prop_map(|(nodes, n)| Value::Map(
            nodes.into_iter().map(|node| (node, n.into())).collect()
        )),
    ];
    if zones.is_empty() {
        return objects.boxed();
    }
    let time = (any_time(), prop::sample::select(zones))
        .prop_map(|(time, zone)| time.in_zone(Zone::Named(zone)).expect("any name may be one"));
    let date_time =
        (any_date(), time.clone()).prop_map(|(date, time)| DateTime::new(date, time).into());
    prop_oneof![objects, time.prop_map(Value::from), date_time].boxed()
}

/// All of them, in one another, and `more`.
pub(crate) fn any_value(more: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![plain(), special(), more].prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec(inner.clone(), 0..5).prop_map(Value::Tuple),
            vec((hashable(), inner.clone()), 0..4)
                .prop_map(|entries| Value::Map(distinct(entries))),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(start, stop, step)| Value::from(Slice { start, stop, step })),
        ]
    })
}
