//! A value that is nested deeper than the stack ends neither the daemon nor its caller.

use oad::value::{Slice, Value};
use oad::{ErrorKind, Remote as _};
use serde::{Deserialize, Serialize};

oad::test_daemon!();

#[derive(Debug, Serialize, Deserialize)]
struct Report {
    name: String,
    parts: Vec<Value>,
}

struct Maker;

fn wrap(kind: &str, value: Value) -> Value {
    match kind {
        "list" => Value::List(vec![value].into()),
        "tuple" => Value::Tuple(vec![value]),
        "map" => Value::Map(vec![("a".into(), value)]),
        "key" => Value::Map(vec![(value, Value::Null)]),
        "some" => Value::Some(Box::new(value)),
        "set" => Value::Set(vec![value].into()),
        "frozen set" => Value::FrozenSet(vec![value].into()),
        _ => Slice { start: Value::Null, stop: value, step: Value::Null }.into(),
    }
}

fn nested(kind: &str, levels: usize) -> Value {
    (0..levels).fold(Value::Null, |value, _| wrap(kind, value))
}

const KINDS: [&str; 8] = ["list", "tuple", "map", "key", "some", "set", "frozen set", "slice"];

#[oad::object]
impl Maker {
    fn new() -> Self {
        Maker
    }

    fn value(&self, kind: &str, levels: usize) -> Value {
        nested(kind, levels)
    }

    fn report(&mut self, kind: &str, levels: usize) -> Result<Option<Report>, String> {
        Ok(Some(Report { name: kind.to_owned(), parts: vec![nested(kind, levels)] }))
    }

    fn fail(&self, kind: &str, levels: usize) -> Result<(), Report> {
        Err(Report { name: kind.to_owned(), parts: vec![nested(kind, levels)] })
    }

    fn take(&mut self, value: Value, more: Option<Vec<Value>>) -> usize {
        value.depth() + more.map_or(0, |more| more.len())
    }

    async fn count(&self, mut items: oad::Stream<Value>) -> Result<usize, String> {
        let mut count = 0;
        while let Some(item) = items.next().await {
            item.map_err(|error| error.to_string())?;
            count += 1;
        }
        Ok(count)
    }

    async fn later(&self, kind: &str, levels: usize) -> (u8, Value) {
        (1, nested(kind, levels))
    }

    fn items(&self, kind: &str, levels: usize) -> impl Iterator<Item = Value> + Send + use<> {
        std::iter::once(nested(kind, levels))
    }
}

#[tokio::test]
async fn daemon_survives_values_deeper_than_the_stack() {
    let maker = MakerProxy::new().await.expect("a daemon can be made");
    for kind in KINDS {
        for levels in [33, 2_000, 100_000] {
            let error = maker.value(kind, levels).await.expect_err("it is too deep");
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{kind} {levels}: {error}");
            let error = maker.report(kind, levels).await.expect_err("it is too deep");
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{kind} {levels}: {error}");
            let error = maker.later(kind, levels).await.expect_err("it is too deep");
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{kind} {levels}: {error}");
            let error = maker.fail(kind, levels).await.expect_err("it fails");
            assert!(error.exception().is_some(), "{kind} {levels}: {error}");
            let mut items = maker.items(kind, levels).await.expect("it opens");
            let error = items.next().await.expect("an error").expect_err("it is too deep");
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{kind} {levels}: {error}");
        }
        assert_eq!(maker.value(kind, 3).await.expect("it answers"), nested(kind, 3));
    }
    assert!(maker.shutdown().await.expect("it ends").is_clean());
}

#[tokio::test]
async fn caller_survives_arguments_deeper_than_the_stack() {
    let maker = MakerProxy::new().await.expect("a daemon can be made");
    let dynamic = maker.as_proxy();
    for kind in KINDS {
        let deep = || nested(kind, 100_000);
        let by_name = dynamic.call::<usize>("take", ()).keyword("value", deep());
        for error in [
            maker.take(deep(), None).await.expect_err("it is too deep"),
            maker.take(Value::Null, Some(vec![deep()])).await.expect_err("it is too deep"),
            dynamic.call::<usize>("take", (deep(), ())).await.expect_err("it is too deep"),
            by_name.await.expect_err("it is too deep"),
        ] {
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{kind}: {error}");
        }
        let items = [Value::Null, deep()];
        let counted = maker.count(oad::Stream::iter(items)).await;
        counted.expect_err("an item is too deep");
        assert_eq!(maker.take(nested(kind, 3), None).await.expect("it answers"), 3);
    }
}
