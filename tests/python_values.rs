//! Random values, from Rust to Python and back: equal, and shown by Python as what they
//! were in Rust. `OAD_CASES` sets how many, `OAD_PYTHON` in which interpreter.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oad::value::{
    Array, Complex, Date, DateTime, Decimal, Range, Set, Slice, Time, TimeDelta, Zone,
};
use oad::{Proxy, PythonProxy, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::absent::announce;
use support::python::{interpreter, script};
use uuid::Uuid;

mod support;

oad::test_daemon!();

/// How many values cross in one call.
const BATCH: usize = 500;

const SCRIPT: &str = "
def echo(values): return values
def show(values): return [repr(value) for value in values]
def each(values):
    for value in values: yield value
class Node: pass
nodes = [Node() for _ in range(5)]
def zones(names):
    try: import zoneinfo
    except ImportError: return []
    return [name for name in names if name in zoneinfo.available_timezones()]
";

fn cases() -> usize {
    let named = std::env::var("OAD_CASES").ok();
    named.map_or(400, |cases| cases.parse().expect("OAD_CASES is a number"))
}

// === what crosses ===

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
fn plain() -> impl Strategy<Value = Value> {
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
fn of_interpreter(nodes: &[Proxy], zones: Vec<String>) -> BoxedStrategy<Value> {
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
fn any_value(more: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
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

// === what Python shows ===

/// As Python's `repr` writes it.
fn repr(value: &Value) -> String {
    let list = |items: &mut dyn Iterator<Item = Value>| {
        items.map(|item| repr(&item)).collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::BigInt(int) => i128::try_from(int.clone()).expect("it was made of one").to_string(),
        Value::Float(float) => repr_of_float(*float),
        Value::Text(text) => quoted(text.chars(), escaped),
        Value::Bytes(bytes) => {
            format!("b{}", quoted(bytes.iter().copied().map(char::from), escaped_byte))
        }
        Value::List(items) => format!("[{}]", list(&mut items.iter())),
        Value::Tuple(items) if items.len() == 1 => format!("({},)", repr(&items[0])),
        Value::Tuple(items) => format!("({})", list(&mut items.iter().cloned())),
        Value::Map(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", repr(key), repr(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => unreachable!("{} is not plain", other.kind_name()),
    }
}

fn repr_of_float(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // As many digits as it takes; of two that are equally near, Python takes the even one
    // and Rust the larger.
    let shortest = format!("{float:e}");
    let digits =
        shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{float:.*e}", digits - 1);
    let scientific = if even.parse() == Ok(float) { even } else { shortest };
    let (digits, exponent) = scientific.split_once('e').expect("it has an exponent");
    let exponent: i32 = exponent.parse().expect("it is a number");
    if !(-4..16).contains(&exponent) {
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let sign = if digits.starts_with('-') { "-" } else { "" };
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(exponent) => {
            let (whole, fraction) = digits.split_at(digits.len().min(exponent + 1));
            let fraction = if fraction.is_empty() { "0" } else { fraction };
            format!("{sign}{whole:0<width$}.{fraction}", width = exponent + 1)
        }
        Err(_) => format!(
            "{sign}0.{}{digits}",
            "0".repeat(usize::try_from(-exponent - 1).expect("it is negative"))
        ),
    }
}

fn quoted(chars: impl Iterator<Item = char> + Clone, escape: fn(char) -> Option<String>) -> String {
    let has = |wanted: char| chars.clone().any(|char| char == wanted);
    let quote = if has('\'') && !has('"') { '"' } else { '\'' };
    let mut text = String::from(quote);
    for char in chars {
        match char {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            char if char == quote => write!(text, "\\{char}").expect("there is room"),
            char => match escape(char) {
                Some(escaped) => text.push_str(&escaped),
                None => text.push(char),
            },
        }
    }
    text.push(quote);
    text
}

fn escaped_byte(char: char) -> Option<String> {
    (!matches!(char, ' '..='~')).then(|| format!("\\x{:02x}", u32::from(char)))
}

fn escaped(char: char) -> Option<String> {
    let code = u32::from(char);
    match char {
        ' '..='~' => None,
        '\0'..='\u{a0}' | '\u{ad}' => Some(format!("\\x{code:02x}")),
        '\u{2028}' | '\u{e000}' | '\u{feff}' => Some(format!("\\u{code:04x}")),
        '\u{10ffff}' => Some(format!("\\U{code:08x}")),
        _ => None,
    }
}

// === the trial ===

/// Values of every kind that there is in this interpreter, and the objects that may be
/// among them, which are to be held.
async fn every_kind(script: &PythonProxy) -> (Vec<Proxy>, impl Strategy<Value = Value>) {
    let nodes: Vec<Proxy> = script.getattr("nodes").await.expect("it answers");
    let known = [
        "UTC",
        "Europe/Vienna",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ];
    let zones: Vec<String> = script.call("zones", (known,)).await.expect("it answers");
    if zones.is_empty() {
        announce(&format!(
            "{} knows no time zones by name, so only offsets are tested",
            interpreter().display()
        ));
    }
    let values = any_value(of_interpreter(&nodes, zones));
    (nodes, values)
}

/// Which of the values have changed on their way, or are not shown as they should.
async fn changed(script: &PythonProxy, values: &[Value], shown: bool) -> Vec<bool> {
    let back: Vec<Value> = script.call("echo", (values,)).await.expect("it answers");
    assert_eq!(back.len(), values.len());
    let mut changed: Vec<bool> = back.iter().zip(values).map(|(back, sent)| back != sent).collect();
    if shown {
        let reprs: Vec<String> = script.call("show", (values,)).await.expect("it answers");
        for ((changed, there), value) in changed.iter_mut().zip(reprs).zip(values) {
            *changed |= there != repr(value);
        }
    }
    changed
}

/// Sends so many values of a kind; what fails is made as simple as it can be and still
/// fails.
async fn try_values(script: &PythonProxy, values: impl Strategy<Value = Value>, shown: bool) {
    let mut runner = TestRunner::default();
    let (mut left, mut deepest) = (cases(), 0);
    while left > 0 {
        let count = left.min(BATCH);
        let tree = |_| values.new_tree(&mut runner).expect("there are enough of them");
        let mut trees: Vec<_> = (0..count).map(tree).collect();
        let batch: Vec<Value> = trees.iter().map(ValueTree::current).collect();
        deepest = batch.iter().map(Value::depth).max().unwrap_or_default().max(deepest);
        if let Some(failed) =
            changed(script, &batch, shown).await.iter().position(|changed| *changed)
        {
            let mut tree = trees.swap_remove(failed);
            let mut simplest = tree.current();
            while tree.simplify() {
                match changed(script, &[tree.current()], shown).await[0] {
                    true => simplest = tree.current(),
                    false if tree.complicate() => {}
                    false => break,
                }
            }
            let there: Vec<String> =
                script.call("show", ([simplest.clone()],)).await.expect("it answers");
            let back: Vec<Value> =
                script.call("echo", ([simplest.clone()],)).await.expect("it answers");
            let here = if shown { repr(&simplest) } else { format!("{simplest:?}") };
            panic!("{here} is {} in Python, and comes back as {:?}", there[0], back[0]);
        }
        left -= count;
    }
    println!("{} values crossed, nested up to {deepest} levels deep", cases());
}

#[tokio::test]
async fn plain_values_are_shown_by_python_as_they_are_and_come_back_equal() {
    try_values(&script(SCRIPT).await, plain(), true).await;
}

#[tokio::test]
async fn values_of_every_kind_come_back_equal() {
    let script = script(SCRIPT).await;
    let (nodes, values) = every_kind(&script).await;
    try_values(&script, values, false).await;
    drop(nodes);
}

#[tokio::test]
async fn values_of_every_kind_come_one_after_the_other_as_they_were_sent() {
    let script = script(SCRIPT).await;
    let (nodes, values) = every_kind(&script).await;
    let mut runner = TestRunner::default();
    let mut left = cases();
    while left > 0 {
        let count = left.min(BATCH);
        let tree = |_| values.new_tree(&mut runner).expect("there are enough of them").current();
        let sent: Vec<Value> = (0..count).map(tree).collect();
        let mut items = script.call_iter::<Value>("each", (&sent,)).await.expect("it opens");
        for value in sent {
            let item = items.next().await.expect("there are more").expect("it comes");
            assert_eq!(item, value);
        }
        assert!(items.next().await.is_none(), "there are no more");
        left -= count;
    }
    drop(nodes);
}

#[tokio::test]
async fn durations_and_system_times_are_python_times() {
    let script = script(SCRIPT).await;
    let duration = Duration::new(86_461, 500_000_000);
    let time = UNIX_EPOCH + Duration::new(1_709_208_000, 250_000);
    let shown: Vec<String> =
        script.call("show", ((duration, time),)).await.expect("they have whole microseconds");
    let moment = "datetime.datetime(2024, 2, 29, 12, 0, 0, 250, tzinfo=datetime.timezone.utc)";
    // Python 3.6 has no names in it.
    let deltas = [
        "datetime.timedelta(days=1, seconds=61, microseconds=500000)",
        "datetime.timedelta(1, 61, 500000)",
    ];
    assert!(deltas.contains(&shown[0].as_str()), "{shown:?}");
    assert_eq!(shown[1], moment);
    let back: (Duration, SystemTime) =
        script.call("echo", ((duration, time),)).await.expect("they come back");
    assert_eq!(back, (duration, time));
    let error = script.call::<Duration>("echo", (Duration::from_nanos(1),)).await;
    let error = error.expect_err("Python has no nanoseconds").to_string();
    assert!(error.contains("Python's times hold whole microseconds"), "{error}");
}

#[tokio::test]
async fn result_that_stays_in_the_interpreter_is_named() {
    let script = script(SCRIPT).await;
    let error = script.getattr::<Vec<String>>("nodes").await.expect_err("they are objects");
    let error = error.to_string();
    let expected = "at `[0]`: expected text, but `script.nodes` returned a `script.Node`, which \
                    stays in the interpreter; ask for a `Proxy`";
    assert!(error.contains(expected), "{error}");
}
