//! Python objects: made, asked, interrupted and ended. `OAD_PYTHON` names the
//! interpreter; `python3` by default.

use std::collections::BTreeMap;
use std::time::Duration;

use oad::{ErrorKind, Proxy, PythonBuilder, PythonProxy, Remote as _, Value};

use support::python::dedent;
use support::until;

#[path = "../support/mod.rs"]
mod support;

mod keywords;
mod life;
mod values;

oad::test_daemon!();

/// The definition with the interpreter under test.
fn with(python: PythonBuilder) -> PythonBuilder {
    match std::env::var("OAD_PYTHON") {
        Ok(interpreter) => python.interpreter(interpreter),
        Err(_) => python,
    }
}

async fn script(source: &str) -> PythonProxy {
    with(oad::python_script("script.py", dedent(source))).await.expect("it is made")
}

#[tokio::test]
async fn string_is_text_and_slices() {
    let text = with(oad::python("", "str")).arg("hello, world!").await.expect("it is made");
    assert_eq!(text.type_name(), "str");
    assert_eq!(text.str().await.expect("it answers"), "hello, world!");
    assert_eq!(text.repr().await.expect("it answers"), "'hello, world!'");
    assert_eq!(text.len().await.expect("it answers"), 13);
    assert_eq!(text.get_item::<String>(-1).await.expect("it answers"), "!");
    assert!(text.contains("world").await.expect("it answers"));
    assert!(text.equals("hello, world!").await.expect("it answers"));
    assert!(text.is_truthy().await.expect("it answers"));
    let words: Vec<String> = text.call("split", (", ",)).await.expect("it answers");
    assert_eq!(words, ["hello", "world!"]);
}

#[tokio::test]
async fn string_io_tells_its_story() {
    let notes = with(oad::python("io", "StringIO")).arg("one\ntwo\n").await.expect("it is made");
    assert_eq!(notes.type_name(), "_io.StringIO");
    assert_eq!(notes.call::<String>("read", (3,)).await.expect("it answers"), "one");
    let lines: Vec<String> = notes.call("readlines", ()).await.expect("it answers");
    assert_eq!(lines, ["\n", "two\n"]);
    assert_eq!(notes.call::<usize>("write", ("three",)).await.expect("it answers"), 5);
    assert_eq!(notes.call::<u64>("seek", (0,)).await.expect("it answers"), 0);
    let all: Vec<String> = notes.iter().await.expect("it opens").collect().await.expect("it ends");
    assert_eq!(all, ["one\n", "two\n", "three"]);
    let kept: PythonProxy = notes.call("getvalue", ()).await.expect("it answers");
    assert_eq!(kept.type_name(), "str", "asked for by reference it stays");
    notes.call::<()>("close", ()).await.expect("it answers");
    let error = notes.call::<String>("read", ()).await.expect_err("it is closed");
    let exception = error.exception().expect("Python raised it");
    assert_eq!(exception.type_name(), "ValueError");
    assert_eq!(exception.message(), "I/O operation on closed file");
    assert!(error.to_string().starts_with("calling _io.StringIO.read on daemon"), "{error}");
}

#[tokio::test]
async fn script_has_its_names_as_attributes() {
    let script = script(
        r#"
        import collections
        limits = collections.OrderedDict(low=1)
        count = 3
        def twice(n, *, plus=0):
            return n * 2 + plus
        class Box:
            def __init__(self, size): self.size = size
    "#,
    )
    .await;
    assert_eq!(script.getattr::<i64>("count").await.expect("it answers"), 3);
    script.setattr("count", 4).await.expect("it answers");
    assert_eq!(script.getattr::<i64>("count").await.expect("it answers"), 4);
    script.delattr("count").await.expect("it answers");
    let error = script.getattr::<i64>("count").await.expect_err("it is deleted");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "AttributeError");
    assert_eq!(script.call::<i64>("twice", (4,)).keyword("plus", 1).await.expect("it answers"), 9);
    let limits: PythonProxy = script.getattr("limits").await.expect("it answers");
    assert_eq!(limits.type_name(), "collections.OrderedDict");
    limits.set_item("high", 9).await.expect("it answers");
    limits.del_item("low").await.expect("it answers");
    let plain: BTreeMap<String, i64> =
        script.getattr("limits").by_value().await.expect("it answers");
    assert_eq!(plain, BTreeMap::from([("high".to_owned(), 9)]));
    let class: PythonProxy = script.getattr("Box").await.expect("it answers");
    let made: PythonProxy = class.invoke((5,)).await.expect("it answers");
    assert_eq!(made.getattr::<i64>("size").await.expect("it answers"), 5);
    assert!(made.operate::<bool>("isinstance", (&class,)).await.expect("it answers"));
}

#[tokio::test]
async fn operators_are_pythons_own() {
    let script = script(
        r#"
        class Money:
            def __init__(self, cents): self.cents = cents
            def __add__(self, other):
                if not isinstance(other, Money): return NotImplemented
                return Money(self.cents + other.cents)
            def __radd__(self, other): return Money(self.cents + other)
            def __iadd__(self, other):
                self.cents += other.cents
                return self
            def __eq__(self, other): return isinstance(other, Money) and self.cents == other.cents
            def __lt__(self, other): return self.cents < other.cents
            def __hash__(self): return 7
        one, two = Money(1), Money(2)
    "#,
    )
    .await;
    let [one, two]: [PythonProxy; 2] = [
        script.getattr("one").await.expect("it answers"),
        script.getattr("two").await.expect("it answers"),
    ];
    let sum: PythonProxy = one.operate("add", (&two,)).await.expect("it answers");
    assert_eq!(sum.getattr::<i64>("cents").await.expect("it answers"), 3);
    let five: PythonProxy =
        with(oad::python_value(4)).within(script.daemon()).await.expect("it is made");
    let reflected: PythonProxy = five.operate("add", (&one,)).await.expect("it is reflected");
    assert_eq!(reflected.getattr::<i64>("cents").await.expect("it answers"), 5);
    let error = one.operate::<PythonProxy>("add", ("x",)).await.expect_err("nobody implements it");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "TypeError");
    let same: PythonProxy = one.operate("iadd", (&two,)).await.expect("it answers");
    assert_eq!(same.handle(), one.handle(), "in place it is the same object");
    assert_eq!(one.getattr::<i64>("cents").await.expect("it answers"), 3);
    assert!(two.operate::<bool>("lt", (&one,)).await.expect("it answers"));
    assert!(sum.equals(&one).await.expect("it answers"));
    assert_eq!(one.operate::<i64>("hash", ()).await.expect("it answers"), 7);
    let error = one.operate::<Value>("system", ()).await.expect_err("there is no such operator");
    assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
}

#[tokio::test]
async fn property_runs_once_and_in_the_interpreter() {
    let script = script(
        r#"
        class Counter:
            runs = 0
            @property
            def next(self):
                Counter.runs += 1
                return Counter.runs
        counter = Counter()
    "#,
    )
    .await;
    let counter: PythonProxy = script.getattr("counter").await.expect("it answers");
    for expected in 1..=3 {
        assert_eq!(counter.getattr::<i64>("next").await.expect("it answers"), expected);
    }
    counter.describe().await.expect("it describes");
    assert_eq!(
        counter.getattr::<i64>("next").await.expect("it answers"),
        4,
        "the description has not run it"
    );
}

#[tokio::test]
async fn exceptions_are_complete() {
    let script = script(
        r#"
        class Refused(Exception):
            def __init__(self, what, code):
                super().__init__(what, code)
                self.code = code
        def inner(): raise KeyError('k')
        def refuse():
            try:
                inner()
            except KeyError as error:
                raise Refused('no', 7) from error
        def leave(how):
            import sys
            if how == 'exit': sys.exit(3)
            raise KeyboardInterrupt('stop')
        class Bad(Exception):
            def __str__(self): raise RuntimeError('hostile')
        def bad(): raise Bad()
    "#,
    )
    .await;
    let error = script.call::<()>("refuse", ()).await.expect_err("it refuses");
    let exception = error.exception().expect("Python raised it");
    assert_eq!(exception.type_name(), "script.Refused");
    assert_eq!(exception.message(), "('no', 7)");
    let traceback = exception.traceback().expect("it has one");
    assert!(traceback.contains("raise Refused('no', 7) from error"), "{traceback}");
    assert!(traceback.contains("File \"script.py\", line 10, in refuse"), "{traceback}");
    assert!(!traceback.contains("oad agent"), "{traceback}");
    assert_eq!(exception.mro(), ["script.Refused", "Exception", "BaseException", "object"]);
    assert_eq!(exception.args(), ["no".into(), Value::Int(7)]);
    assert_eq!(exception.attribute("code"), Some(Value::Int(7)));
    let cause = exception.cause().expect("it has one");
    assert_eq!((cause.type_name(), cause.message()), ("KeyError", "'k'"));
    assert_eq!(exception.causes().collect::<Vec<_>>(), ["KeyError: 'k'"]);
    for (how, kind) in [("exit", "SystemExit"), ("stop", "KeyboardInterrupt")] {
        let error = script.call::<()>("leave", (how,)).await.expect_err("it leaves");
        assert_eq!(error.exception().expect("Python raised it").type_name(), kind);
    }
    let error = script.call::<()>("bad", ()).await.expect_err("it fails");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "script.Bad");
}

#[tokio::test]
async fn calls_of_many_tasks_are_right_and_in_order() {
    let script = script(
        r#"
        seen = []
        def add(x):
            seen.append(x)
            return x
        import threading
        def on_main(): return threading.current_thread() is threading.main_thread()
    "#,
    )
    .await;
    let calls: Vec<_> = (0..500i64)
        .map(|number| {
            let mut call = Box::pin(script.call::<i64>("add", (number,)));
            assert!(
                futures_util::FutureExt::now_or_never(futures_util::future::poll_fn(|cx| {
                    std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())
                }))
                .is_some()
            );
            tokio::spawn(call)
        })
        .collect();
    for (expected, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("it does not panic").expect("it answers"), expected as i64);
    }
    let seen: Vec<i64> = script.getattr("seen").await.expect("it answers");
    assert_eq!(seen, (0..500).collect::<Vec<i64>>());
    assert!(script.call::<bool>("on_main", ()).await.expect("it answers"));
}

#[tokio::test]
async fn output_is_the_objects_and_breaks_nothing() {
    let script = script(
        r#"
        import os, sys
        def noise():
            print('out', flush=False)
            os.write(1, b'\xff\x00raw\n')
            os.write(2, b'err\n')
            return 1
        def close():
            sys.stdout.close()
            sys.stderr = None
            os.close(1)
            os.close(2)
            return 2
    "#,
    )
    .await;
    for _ in 0..50 {
        assert_eq!(script.call::<i64>("noise", ()).await.expect("it answers"), 1);
    }
    assert_eq!(script.call::<i64>("close", ()).await.expect("it answers"), 2);
    assert_eq!(script.getattr::<String>("__name__").await.expect("it answers"), "script");
}

#[tokio::test]
async fn rust_object_says_that_it_is_none() {
    struct Stone;
    #[oad::object]
    impl Stone {
        fn new() -> Self {
            Stone
        }
    }
    let stone = StoneProxy::new().await.expect("a daemon can be made");
    let error = stone.as_proxy().to_python().expect_err("it is a Rust object");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let text =
        with(oad::python_value("x")).within(stone.daemon()).await.expect("it is made beside");
    let error = text.call::<Value>("join", (stone,)).await.expect_err("it is not a Python object");
    assert!(
        error.to_string().contains("a Rust object cannot be passed to a Python object"),
        "{error}"
    );
}

#[tokio::test]
async fn description_tells_methods_and_attributes() {
    let script = script(
        r#"
        class Shelf:
            """Holds books."""
            label = 'A'
            def put(self, title: str, copies=1) -> int:
                """Puts one on it."""
                return copies
        shelf = Shelf()
    "#,
    )
    .await;
    let shelf: PythonProxy = script.getattr("shelf").await.expect("it answers");
    let description = shelf.describe().await.expect("it describes");
    assert_eq!(
        (description.type_name(), description.documentation()),
        ("script.Shelf", "Holds books.")
    );
    let put = description.method("put").expect("it has it");
    assert_eq!(put.documentation(), "Puts one on it.");
    assert!(put.signature().starts_with("def put("), "{}", put.signature());
    assert!(
        description.attributes().contains(&"label".to_owned()),
        "{:?}",
        description.attributes()
    );
}
