//! Python objects: made, asked, interrupted and ended. `OAD_PYTHON` names the
//! interpreter; `python3` by default.

use std::collections::BTreeMap;
use std::time::Duration;

use oad::{ErrorKind, Proxy, PythonBuilder, PythonProxy, Remote as _, Value};

use support::python::dedent;
use support::until;

mod support;

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

/// The interpreters below a daemon.
fn interpreters(daemon: u32) -> Vec<u32> {
    support::children(daemon)
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
async fn values_cross_exactly_in_both_directions() {
    let echo = script("def echo(x): return x\ndef show(x): return repr(x)\n").await;
    let big = "170141183460469231731687303715884105727123456789";
    for (value, shown) in [
        (Value::Null, "None".to_owned()),
        (true.into(), "True".into()),
        (i64::MIN.into(), i64::MIN.to_string()),
        (i64::from(i32::MAX).into(), i32::MAX.to_string()),
        (u64::MAX.into(), u64::MAX.to_string()),
        (i128::MIN.into(), i128::MIN.to_string()),
        ((-0.0).into(), "-0.0".into()),
        (f64::NAN.into(), "nan".into()),
        ("naïve 𝄞\0".into(), "'naïve 𝄞\\x00'".into()),
        (Value::Bytes(vec![0, 255].into()), "b'\\x00\\xff'".into()),
        (Value::List(vec![1.into(), "x".into()].into()), "[1, 'x']".into()),
        (Value::Tuple(vec![1.into(), Value::Tuple(vec![])]), "(1, ())".into()),
        (
            Value::Map(vec![(Value::Tuple(vec![1.into()]), 2.into()), ("b".into(), Value::Null)]),
            "{(1,): 2, 'b': None}".into(),
        ),
    ] {
        let shown_there: String = echo.call("show", (&value,)).await.expect("it answers");
        assert_eq!(shown_there, shown);
        let back: Value = echo.call("echo", (&value,)).await.expect("it answers");
        assert_eq!(back, value, "{shown}");
    }
    let source = r#"
        import array, datetime, decimal, uuid
        cases = [
            {1, 'a'}, frozenset([2]), 1+2j, slice(1, None, 2), range(0, 9, 3), '\ud800x',
            datetime.date(2024, 2, 29),
            datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.timezone.utc),
            datetime.timedelta(days=-1, seconds=5), decimal.Decimal('-0.10'),
            uuid.UUID(int=7), array.array('d', [1.5, -0.0]),
        ]
    "#;
    let kinds = with(oad::python_script("kinds", dedent(source)))
        .within(echo.daemon())
        .await
        .expect("it is made");
    let cases: Vec<Value> = kinds.getattr("cases").await.expect("it answers");
    for case in cases {
        let back: Value = echo.call("echo", (&case,)).await.expect("it answers");
        assert_eq!(back, case, "{case:?}");
        assert!(!matches!(case, Value::Handle(_)), "{case:?} is a value");
    }
    let numbers: Vec<f64> = kinds
        .call::<oad::value::Array>("cases.__getitem__", (11,))
        .await
        .expect("it answers")
        .to_vec()
        .expect("it is of floats");
    assert_eq!(numbers, [1.5, -0.0]);
    let power: Value = echo.call("echo", (u128::MAX,)).await.expect("it answers");
    assert_eq!(power, u128::MAX.into());
    let parsed =
        with(oad::python("", "int")).arg(big).within(echo.daemon()).await.expect("it is made");
    assert_eq!(parsed.str().await.expect("it answers"), big);
}

#[tokio::test]
async fn what_is_no_value_stays_and_is_the_same_when_it_comes_back() {
    let script = script(
        r#"
        import weakref
        class Node: pass
        node = Node()
        made = []
        def make():
            n = Node()
            made.append(weakref.ref(n))
            return n
        def alive(): return sum(1 for r in made if r() is not None)
        def is_node(x): return x is node
        def pair(): return [node, node, 1]
        loop = []
        loop.append(loop)
    "#,
    )
    .await;
    let [first, second]: [PythonProxy; 2] = [
        script.getattr("node").await.expect("it answers"),
        script.getattr("node").await.expect("it answers"),
    ];
    assert_eq!(first.handle(), second.handle());
    assert!(script.call::<bool>("is_node", (&first,)).await.expect("it answers"));
    let (a, b, one): (Proxy, Proxy, i64) = script.call("pair", ()).await.expect("it answers");
    assert_eq!((a.handle(), b.handle(), one), (first.handle(), first.handle(), 1));
    drop((a, b, second));
    assert!(script.call::<bool>("is_node", (&first,)).await.expect("it is held"));
    let made: Vec<PythonProxy> = {
        let mut made = Vec::new();
        for _ in 0..10 {
            made.push(script.call("make", ()).await.expect("it answers"));
        }
        made
    };
    assert_eq!(script.call::<i64>("alive", ()).await.expect("it answers"), 10);
    drop(made);
    until(async || script.call::<i64>("alive", ()).await.expect("it answers") == 0).await;
    let recursive: Value = script.getattr("loop").await.expect("it crashes nothing");
    assert!(matches!(recursive, Value::List(_)));
    drop(recursive);
    until(async || script.daemon().objects().await.expect("it answers").len() == 2).await;
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
async fn unusable_interpreter_is_an_error_that_says_why() {
    for (interpreter, told) in [
        ("no-such-python", "there is no interpreter `no-such-python` on the daemon's PATH"),
        ("/nowhere/python", "the interpreter `/nowhere/python` does not exist"),
        ("/bin/true", "cannot use the interpreter `/bin/true`: it exited or is not Python"),
        ("/etc/passwd", "the interpreter `/etc/passwd` is not executable"),
        ("/tmp", "`/tmp` is not a virtual environment: `/tmp/bin/python` does not exist"),
    ] {
        let error = oad::python("", "str").interpreter(interpreter).await.expect_err("it is none");
        assert_eq!(error.kind(), ErrorKind::Spawn, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
    let slow = oad::python("", "str")
        .interpreter("/usr/bin/yes")
        .start_timeout(Duration::from_millis(500));
    assert_eq!(slow.await.expect_err("it says nothing of use").kind(), ErrorKind::Spawn);
}

#[tokio::test]
async fn deadline_and_drop_interrupt_python_code() {
    let script = script(
        r#"
        import time
        def forever():
            while True: pass
        def sleep(): time.sleep(60)
        state = []
        def note(x): state.append(x)
    "#,
    )
    .await;
    for method in ["forever", "sleep"] {
        let error = script
            .call::<()>(method, ())
            .timeout(Duration::from_millis(100))
            .await
            .expect_err("it is late");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        script.call::<()>("note", (method,)).await.expect("the next call works");
    }
    let mut call = Box::pin(script.call::<()>("sleep", ()));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    script.daemon().objects().await.expect("it answers");
    drop(call);
    let state: Vec<String> = script.getattr("state").await.expect("it answers");
    assert_eq!(state, ["forever", "sleep"]);
}

#[tokio::test]
async fn stuck_interpreter_is_killed_only_on_request() {
    // No Python code runs in there, so that nothing can interrupt it.
    let source = "def stuck(): return sum(range(10 ** 13))\n";
    let stuck = with(oad::python_script("stuck.py", dedent(source)))
        .kill_when_stuck(Duration::from_millis(300));
    let stuck = stuck.await.expect("it is made");
    let late = stuck
        .call::<()>("stuck", ())
        .timeout(Duration::from_millis(100))
        .await
        .expect_err("it is stuck");
    assert_eq!(late.kind(), ErrorKind::Timeout);
    let error = stuck.call::<()>("stuck", ()).await.expect_err("it is killed");
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    assert!(error.to_string().contains("killed by signal 9 (SIGKILL)"), "{error}");
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
async fn interpreter_ends_with_its_last_object_and_with_its_daemon() {
    let text = with(oad::python("", "str")).arg("x").await.expect("it is made");
    let found = interpreters(text.pid());
    assert_eq!(found.len(), 1);
    let daemon = text.daemon().clone();
    drop(text);
    until(async || support::state(found[0]).is_none_or(|state| state == 'Z')).await;
    let again =
        with(oad::python("", "str")).arg("y").within(&daemon).await.expect("another is started");
    let found = interpreters(daemon.pid());
    assert_eq!(again.str().await.expect("it answers"), "y");
    assert!(daemon.shutdown().await.expect("it ends").is_clean());
    until(async || support::state(found[0]).is_none_or(|state| state == 'Z')).await;
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
async fn generators_are_closed_when_their_stream_is_dropped() {
    let script = script(
        r#"
        closed = []
        def numbers():
            try:
                n = 0
                while True:
                    yield n
                    n += 1
            finally:
                closed.append(n)
        def failing():
            yield 1
            raise ValueError('after one')
    "#,
    )
    .await;
    let mut numbers = script.call_iter::<i64>("numbers", ()).window(4).await.expect("it opens");
    for expected in 0..10 {
        assert_eq!(numbers.next().await.expect("there are more").expect("it comes"), expected);
    }
    assert!(script.operate::<bool>("bool", ()).await.expect("others have their turns"));
    drop(numbers);
    until(async || script.getattr::<Vec<i64>>("closed").await.expect("it answers").len() == 1)
        .await;
    let mut failing = script.call_iter::<i64>("failing", ()).await.expect("it opens");
    assert_eq!(failing.next().await.expect("one").expect("it comes"), 1);
    let error = failing.next().await.expect("the failure").expect_err("it fails");
    assert_eq!(error.exception().expect("Python raised it").message(), "after one");
    assert!(failing.next().await.is_none());
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
    let error = text.call::<Value>("join", (stone,)).await.expect_err("it is no Python object");
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

#[tokio::test]
async fn cleanup_of_an_interrupted_call_is_not_interrupted_again() {
    let script = script(
        r#"
        import time
        done = []
        def slow():
            try:
                time.sleep(60)
            finally:
                time.sleep(0.6)
                done.append('tidy')
    "#,
    )
    .await;
    let late = script
        .call::<()>("slow", ())
        .timeout(Duration::from_millis(100))
        .await
        .expect_err("it is late");
    assert_eq!(late.kind(), ErrorKind::Timeout);
    let done: Vec<String> = script.getattr("done").await.expect("it answers");
    assert_eq!(done, ["tidy"]);
}

#[tokio::test]
async fn generator_is_closed_also_when_all_is_dropped_at_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().expect("there is room");
        let mark = folder.path().join("closed");
        let source = r#"
            def numbers(path):
                try:
                    while True: yield 1
                finally:
                    open(path, 'w').write('closed')
        "#;
        let script = script(source).await;
        let mut numbers = script.call_iter::<i64>("numbers", (&mark,)).await.expect("it opens");
        numbers.next().await.expect("there are more").expect("it comes");
        drop((numbers, script));
        until(async || mark.exists()).await;
    }
}

#[tokio::test]
async fn start_that_nobody_waits_for_leaves_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let hanging = folder.path().join("python");
    std::fs::write(&hanging, "#!/bin/sh\nexec sleep 600\n").expect("there is room");
    std::fs::set_permissions(&hanging, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("it is ours");
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let late =
        oad::python("", "str").interpreter(&hanging).start_timeout(Duration::from_millis(500));
    let late = late
        .within(&daemon)
        .create_timeout(Duration::from_millis(100))
        .await
        .expect_err("it hangs");
    assert_eq!(late.kind(), ErrorKind::Timeout);
    until(async || interpreters(daemon.pid()).is_empty()).await;
    let report = daemon.shutdown().await.expect("it ends");
    assert!(report.is_clean() && report.duration() < Duration::from_secs(1), "{report}");
}

#[tokio::test]
async fn arguments_of_the_allowed_depth_travel() {
    let script = script("def echo(x, *, y=None): return x\n").await;
    let deep = (0..32).fold(Value::Int(7), |inner, _| Value::List(vec![inner, "x".into()].into()));
    let back: Value =
        script.call("echo", (&deep,)).keyword("y", &deep).await.expect("it is not too deep");
    assert_eq!(back, deep);
}
