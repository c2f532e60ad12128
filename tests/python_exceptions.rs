//! The exceptions of Python objects, and what they carry. `OAD_PYTHON` names the
//! interpreter; `python3` by default.

use std::time::Duration;

use oad::{ErrorKind, Exception, PythonProxy, Value};
use support::absent::skip;
use support::python::{dedent, script, with};

mod support;

oad::test_daemon!();

/// What a function of the script raises.
async fn raised(script: &PythonProxy, function: &str) -> Exception {
    let error = script.call::<()>(function, ()).await.expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Exception, "{error}");
    error.exception().expect("Python raised it").clone()
}

/// The same, of a script that has one function, `f`.
async fn raises(source: &str) -> Exception {
    raised(&script(source).await, "f").await
}

async fn has_groups() -> bool {
    let sys = with(oad::python_module("sys")).await.expect("it is made");
    sys.getattr::<u32>("hexversion").await.expect("it answers") >= 0x030b_0000
}

/// The process in "… on daemon 4711 (…): …".
fn daemon_of(error: &oad::Error) -> u32 {
    let text = error.to_string();
    let (_, pid) = text.split_once("daemon ").expect("it names its daemon");
    pid.split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("it says its pid")
}

#[tokio::test]
async fn notes_and_groups_arrive() {
    if !has_groups().await {
        return skip("this interpreter has neither notes nor groups");
    }
    let exception = raises(
        r#"
        def f():
            try: 1 / 0
            except ZeroDivisionError as e:
                e.add_note('a note')
                e.add_note('\ud800')
                few = ExceptionGroup('few', [OSError(2, 'no')])
                raise ExceptionGroup('many', [e, KeyError('k'), few])
        "#,
    )
    .await;
    assert_eq!(
        (exception.type_name(), exception.message()),
        ("ExceptionGroup", "many (3 sub-exceptions)")
    );
    let group = exception.group();
    let names: Vec<_> = group.iter().map(Exception::type_name).collect();
    assert_eq!(
        names,
        ["ZeroDivisionError", "KeyError", "ExceptionGroup"],
        "also what is its context too"
    );
    assert_eq!(group[0].notes(), ["a note", "\\ud800"]);
    assert_eq!(exception.context().expect("it has one").notes(), group[0].notes());
    assert_eq!(group[2].group()[0].attribute("errno"), Some(Value::Int(2)));
    assert_eq!(exception.attribute("message"), Some("many".into()));
    let traceback = exception.traceback().expect("it has one");
    assert!(
        traceback.contains("a note") && traceback.contains("Exception Group Traceback"),
        "{traceback}"
    );
    let own = group[0].traceback().expect("it has one");
    assert!(
        own.starts_with("Traceback (most recent call last):\n  File \"script.py\", line 2, in f\n"),
        "{own}"
    );
    assert!(own.ends_with("ZeroDivisionError: division by zero\na note\n\\ud800\n"), "{own}");
}

#[tokio::test]
async fn context_arrives_unless_it_is_the_cause_or_hidden() {
    let script = script(
        r#"
        def context():
            try: {}['k']
            except KeyError: int('x')
        def hidden():
            try: {}['k']
            except KeyError: raise ValueError('x') from None
        def cause():
            try: {}['k']
            except KeyError as e: raise ValueError('x') from e
    "#,
    )
    .await;
    let exception = raised(&script, "context").await;
    let context = exception.context().expect("it has one");
    assert_eq!((context.type_name(), context.args()), ("KeyError", vec!["k".into()]));
    assert!(exception.cause().is_none());
    assert_eq!(exception.causes().collect::<Vec<_>>(), ["KeyError: 'k'"]);
    let hidden = raised(&script, "hidden").await;
    assert_eq!(hidden.context().expect("it has one").type_name(), "KeyError");
    assert_eq!(hidden.causes().count(), 0);
    let caused = raised(&script, "cause").await;
    assert_eq!(caused.cause().expect("it has one").type_name(), "KeyError");
    assert!(caused.context().is_none());
}

#[tokio::test]
async fn what_is_behind_beyond_the_sixty_third_is_counted() {
    let source = r#"
        def f(n=100):
            e = None
            for i in range(n):
                new = ValueError(i)
                new.__cause__ = e
                e = new
            raise e
    "#;
    let exception = raises(source).await;
    let causes: Vec<_> = exception.causes().collect();
    assert_eq!(
        (causes.len(), causes[0], causes[62], exception.omitted()),
        (63, "ValueError: 98", "ValueError: 36", 36)
    );
    let error = script(source).await.call::<()>("f", ()).await.expect_err("it fails");
    let shown = format!("{error:?}");
    assert!(shown.contains("and 36 more causes, which were left out"), "{shown}");
    let mut last = exception;
    while let Some(cause) = last.cause() {
        assert_eq!((cause.omitted(), cause.causes().count()), (36, last.causes().count() - 1));
        last = cause;
    }
    assert_eq!(last.args(), [Value::Int(36)]);
}

#[tokio::test]
async fn attributes_are_those_that_python_has() {
    let script = script(
        r#"
        import sys
        def missing(): open('/no/such')
        def leave(): sys.exit(3)
        def stop(): raise StopIteration(4)
        def unknown(): import no_such_module
        def broken(): exec('x = (')
        def undecodable(): b'a\xff'.decode()
        class Slots(Exception): __slots__ = ('left', 'right')
        def slots():
            e = Slots('x')
            e.left = {'a': (1,)}
            e.own = 5
            setattr(e, 'odd\ud800', 6)
            raise e
    "#,
    )
    .await;
    for (function, attribute, value) in [
        ("missing", "errno", Some(Value::Int(2))),
        ("missing", "filename", Some("/no/such".into())),
        ("missing", "strerror", Some("No such file or directory".into())),
        ("missing", "filename2", Some(Value::Null)),
        ("leave", "code", Some(Value::Int(3))),
        ("stop", "value", Some(Value::Int(4))),
        ("unknown", "name", Some("no_such_module".into())),
        ("broken", "lineno", Some(Value::Int(1))),
        ("undecodable", "start", Some(Value::Int(1))),
        ("slots", "left", Some(Value::Map(vec![("a".into(), Value::Tuple(vec![Value::Int(1)]))]))),
        ("slots", "right", None),
        ("slots", "own", Some(Value::Int(5))),
        ("slots", "odd\\ud800", Some(Value::Int(6))),
        ("slots", "__cause__", None),
    ] {
        assert_eq!(
            raised(&script, function).await.attribute(attribute),
            value,
            "{function} {attribute}"
        );
    }
}

#[tokio::test]
async fn part_that_is_nested_too_deep_is_shown_and_never_null() {
    let source = r#"
        def deep(n):
            x = 7
            for i in range(n): x = [x]
            return x
        def f():
            e = ValueError(None, deep(15), deep(30), deep(31))
            e.x = deep(40)
            raise e
    "#;
    let exception = raises(source).await;
    let deep = |levels| (0..levels).fold(Value::Int(7), |inner, _| Value::List(vec![inner].into()));
    let shown = |levels| Value::Text("[".repeat(levels) + "7" + &"]".repeat(levels));
    assert_eq!(exception.args(), [Value::Null, deep(15), deep(30), shown(31)]);
    assert_eq!(exception.attribute("x"), Some(shown(40)));
}

#[tokio::test]
async fn text_for_people_shows_lone_surrogates_and_arguments_keep_them() {
    let source =
        "class Odd(ValueError): __qualname__ = 'Odd\\ud801'\ndef f(): raise Odd('\\ud800 bad')\n";
    let exception = raises(source).await;
    assert_eq!((exception.type_name(), exception.message()), ("script.Odd\\ud801", "\\ud800 bad"));
    assert!(
        exception.traceback().expect("it has one").ends_with("script.Odd\\ud801: \\ud800 bad\n")
    );
    let args = exception.args();
    assert_eq!(args, [Value::text_from_wtf8(b"\xed\xa0\x80 bad".to_vec()).expect("it is text")]);
}

#[tokio::test]
async fn object_with_lone_surrogates_in_its_names_is_described() {
    let script = script(
        r#"
        class Odd:
            def put(self, x: '\ud802') -> int: pass
        Odd.put.__doc__ = 'Puts \ud803.'
        Odd.__doc__ = 'An \ud804.'
        Odd.__qualname__ = 'Odd\ud805'
        odd = Odd()
        setattr(odd, 'x\ud800', 1)
        setattr(Odd, 'm\ud801', Odd.put)
    "#,
    )
    .await;
    let odd: PythonProxy = script.getattr("odd").await.expect("it answers");
    assert_eq!(odd.type_name(), "script.Odd\\ud805");
    let description = odd.describe().await.expect("it can be described");
    assert_eq!(
        (description.type_name(), description.documentation()),
        ("script.Odd\\ud805", "An \\ud804.")
    );
    assert_eq!(description.attributes(), ["x\\ud800"]);
    let methods: Vec<_> = description
        .methods()
        .iter()
        .map(|method| (method.name(), method.documentation()))
        .collect();
    assert_eq!(methods, [("m\\ud801", "Puts \\ud803."), ("put", "Puts \\ud803.")]);
}

#[tokio::test]
async fn exception_arrives_whatever_its_size() {
    let source = r#"
        class Large(Exception): pass
        def f(n, m=0):
            e = Large('m' * n)
            e.x, e.y, e.__cause__ = 'x' * m, 1, KeyError('c' * m)
            raise e
    "#;
    let made = with(oad::python_script("script.py", dedent(source)))
        .message_limit(100_000)
        .await
        .expect("it is made");
    let raised = async |n: u32, m: u32| {
        let error = made.call::<()>("f", (n, m)).await.expect_err("it fails");
        error.exception().unwrap_or_else(|| panic!("Python raised it: {error}")).clone()
    };
    let whole = raised(40_000, 0).await;
    assert_eq!(
        (whole.message().len(), whole.args(), whole.shortened().count()),
        (40_000, vec![whole.message().into()], 0)
    );
    let first = raised(40_000, 10_000).await;
    assert_eq!((first.message().len(), first.args()), (40_000, vec![first.message().into()]));
    assert_eq!(first.cause().expect("it has one").args(), ["c".repeat(10_000).into()]);
    assert_eq!(first.shortened().collect::<Vec<_>>(), ["traceback"]);
    for (n, m) in [(10, 90_000), (90_000, 90_000), (5_000_000, 5_000_000)] {
        let exception = raised(n, m).await;
        assert_eq!(exception.type_name(), "script.Large");
        assert!(exception.message().starts_with("mmmmmmmmmm"));
        assert!(exception.shortened().any(|field| field == "attributes"), "{exception:?}");
        assert_eq!(exception.causes().count() as u64 + exception.omitted(), 1);
    }
    let tiny = with(oad::python_script("script.py", dedent(source)))
        .message_limit(1000)
        .await
        .expect("it is made");
    let error = tiny.call::<()>("f", (50_000, 50_000)).await.expect_err("it fails");
    let exception = error.exception().expect("Python raised it");
    assert!(
        exception.message().ends_with(" bytes more)") && exception.message().len() > 1000,
        "{error}"
    );
    let error = with(oad::python_script("script.py", "raise ValueError('m' * 3000000)\n"))
        .message_limit(1000)
        .await;
    assert!(error.expect_err("it fails").is_exception());
}

/// Each holds what cannot be copied, and does what it can to not be told of.
const HOSTILE: &str = r#"
    import socket, threading
    def no(*args): raise RuntimeError('hostile')
    class Hostile(Exception):
        __reduce__ = __reduce_ex__ = __getstate__ = __str__ = __repr__ = __eq__ = __hash__ = no
        __len__ = __bool__ = __iter__ = __notes__ = property(no)
    class Made:
        def __init__(self):
            e = Hostile(threading.Lock(), socket.socket())
            e.lock, e.self, e.made = threading.Lock(), e, self
            raise e from Hostile(self)
        __repr__ = no
"#;

#[tokio::test]
async fn hostile_exception_of_a_constructor_arrives_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("hostile.py"), dedent(HOSTILE)).expect("there is room");
    let error = with(oad::python("hostile", "Made").path_entry(folder.path()))
        .await
        .expect_err("it raises");
    let exception = error.exception().expect("Python raised it");
    assert_eq!(
        (exception.type_name(), exception.message()),
        ("hostile.Hostile", "<hostile.Hostile whose str failed>")
    );
    let [Value::Text(lock), Value::Text(socket)] = &exception.args()[..] else {
        panic!("both are shown")
    };
    assert!(lock.contains("lock") && socket.contains("socket"), "{lock} {socket}");
    assert_eq!(
        exception.attribute("self"),
        Some("<hostile.Hostile object whose repr failed>".into())
    );
    assert_eq!(exception.attribute("made"), Some("<hostile.Made object whose repr failed>".into()));
    assert_eq!(exception.cause().expect("it has one").type_name(), "hostile.Hostile");
    let traceback = exception.traceback().expect("it has one");
    assert!(
        traceback.contains("line 10, in __init__\n    raise e from Hostile(self)\n"),
        "{traceback}"
    );
    support::wait_until_gone(daemon_of(&error), Duration::from_secs(10));
}

#[tokio::test]
async fn result_that_cannot_be_copied_stays_there_and_is_refused_by_value() {
    let script = script(
        r#"
        import socket, threading
        def lock(): return threading.Lock()
        def sock(): return socket.socket()
        def lines(): yield 1
        def frame():
            import sys
            return sys._getframe()
    "#,
    )
    .await;
    for function in ["lock", "sock", "lines", "frame"] {
        let kept: PythonProxy = script.call(function, ()).await.expect("it stays there");
        kept.repr().await.expect("it can be asked");
        let error =
            script.call::<Value>(function, ()).by_value().await.expect_err("it has no value");
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
        assert!(error.to_string().contains("cannot be converted to a value"), "{error}");
    }
}

#[tokio::test]
async fn failing_start_is_told_with_its_source_lines_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("there is room")
    };
    write("outer.py", "import inner\n");
    write("inner.py", "import os\n\nraise LookupError(os.getpid())\n");
    write(
        "refusing.py",
        "import os\nclass Refusing:\n    def __init__(self):\n        \
         raise OSError(os.getpid(), 'no')\n",
    );
    for (python, kind, lines) in [
        (
            oad::python_module("outer"),
            "LookupError",
            "inner.py\", line 3, in <module>\n    raise LookupError(os.getpid())\n",
        ),
        (
            oad::python("refusing", "Refusing"),
            "OSError",
            "refusing.py\", line 4, in __init__\n    raise OSError(os.getpid(), 'no')\n",
        ),
        (
            oad::python_script(
                "late.py",
                "import os\ndef late():\n    raise KeyError(os.getpid())\nlate()\n",
            ),
            "KeyError",
            "File \"late.py\", line 4, in <module>\n    late()\n",
        ),
    ] {
        let error = with(python.path_entry(folder.path())).await.expect_err("it cannot be made");
        let exception = error.exception().expect("Python raised it");
        assert_eq!(exception.type_name(), kind);
        let traceback = exception.traceback().expect("it has one");
        assert!(
            traceback.starts_with("Traceback (most recent call last):\n")
                && traceback.contains(lines),
            "{traceback}"
        );
        assert!(!traceback.contains("oad agent"), "{traceback}");
        let Some(Value::Int(interpreter)) = exception.args().first().cloned() else {
            panic!("it says its pid")
        };
        for pid in [interpreter as u32, daemon_of(&error)] {
            support::wait_until_gone(pid, Duration::from_secs(10));
        }
    }
}

#[tokio::test]
async fn start_that_cannot_be_is_told_why_and_leaves_nothing() {
    for (python, kind) in [
        (oad::python("no_such_module", "X"), "ModuleNotFoundError"),
        (oad::python("", "int").arg("x"), "ValueError"),
        (oad::python_script("broken.py", "def f(:\n"), "SyntaxError"),
    ] {
        let error = with(python).await.expect_err("it cannot be made");
        assert_eq!(error.exception().expect("Python raised it").type_name(), kind);
        support::wait_until_gone(daemon_of(&error), Duration::from_secs(10));
    }
    let error = with(oad::python_module("json").arg(1)).await.expect_err("a module takes none");
    assert_eq!(error.kind(), ErrorKind::BadArguments);
}
