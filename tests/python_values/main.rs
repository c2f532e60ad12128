//! Random values, from Rust to Python and back: equal, and shown by Python as what they
//! were in Rust. `OAD_CASES` sets how many, `OAD_PYTHON` in which interpreter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use any::{any_value, of_interpreter, plain};
use oad::{Proxy, PythonProxy, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use repr::repr;
use support::absent::announce;
use support::python::{interpreter, script};

#[path = "../support/mod.rs"]
mod support;

mod any;
mod repr;

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
