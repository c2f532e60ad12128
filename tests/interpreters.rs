//! Interpreters as values, and which of them an object is made in.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use oad::{ErrorKind, Operator, Proxy, PythonProxy, Remote as _};
use serde::Serialize;

use crate::support::python::{interpreter, with};
use crate::support::{state, until};

mod support;

oad::test_daemon!();

/// Starts a daemon with the interpreter under test.
async fn start() -> oad::Interpreter {
    oad::interpreter(interpreter()).await.expect("the interpreter starts")
}

#[tokio::test]
async fn everything_made_with_an_interpreter_lives_in_it() {
    let py = start().await;
    let os = py.import("os").await.expect("the module is imported");
    assert_eq!(os.call::<u32>("getpid", ()).await.expect("the call works"), py.pid());
    assert_ne!(py.pid(), py.daemon().pid());

    let text = py.instance("io", "StringIO").arg("hello").await.expect("it is made");
    assert_eq!(text.call::<String>("getvalue", ()).await.expect("the call works"), "hello");
    let sqrt = py.name("math", "sqrt").await.expect("it is found");
    assert_eq!(sqrt.invoke::<f64>((2.25,)).await.expect("the call works"), 1.5);
    let script = py.script("prices.py", "rate = 7").await.expect("it runs");
    assert_eq!(script.getattr::<i64>("rate").await.expect("it is there"), 7);
    let list = py.value(vec![1, 2]).await.expect("it is made");
    let folder = tempfile::tempdir().expect("there is room");
    std::fs::write(folder.path().join("mine.py"), "size = 3").expect("there is room");
    let file = py.file(folder.path().join("mine.py")).await.expect("it is imported");
    assert_eq!(file.getattr::<i64>("size").await.expect("it is there"), 3);

    for object in [&os, &text, &sqrt, &script, &list, &file] {
        assert_eq!(object.interpreter().pid(), py.pid());
        assert_eq!(object.daemon().pid(), py.daemon().pid());
    }
    // Objects of one interpreter can be passed to each other.
    let json = py.import("json").await.expect("the module is imported");
    assert_eq!(json.call::<String>("dumps", (&list,)).await.expect("the call works"), "[1, 2]");
}

#[tokio::test]
async fn interpreter_reports_its_version_and_its_executable() {
    let py = start().await;
    let sys = py.import("sys").await.expect("the module is imported");
    let version: String = sys.getattr("version").await.expect("it is there");
    assert!(version.starts_with(py.version()), "{version} and {}", py.version());
    let executable: String = sys.getattr("executable").await.expect("it is there");
    assert_eq!(Path::new(&executable), py.executable());
}

#[tokio::test]
async fn every_proxy_knows_its_interpreter() {
    let text = with(oad::python("io", "StringIO")).arg("a\nb").await.expect("it is made");
    let lines: PythonProxy = text.call("readlines", ()).await.expect("the call works");
    let again = lines.interpreter().value("x").await.expect("it is made");
    assert_eq!(lines.interpreter().pid(), again.interpreter().pid());
    assert_eq!(again.interpreter().version(), text.interpreter().version());
}

#[tokio::test]
async fn interpreter_ends_with_its_last_object_and_its_daemon_stays() {
    let daemon = oad::daemon().await.expect("a daemon starts");
    let py = oad::interpreter(interpreter()).within(&daemon).await.expect("it starts");
    let (pid, text) = (py.pid(), py.value("x").await.expect("it is made"));
    drop(py);
    assert_eq!(text.str().await.expect("it lives"), "x");
    drop(text);
    until(async || state(pid).is_none()).await;
    assert!(state(daemon.pid()).is_some());
}

#[tokio::test]
async fn expressions_see_the_names_they_are_given_and_the_builtins() {
    let py = start().await;
    let rows = py.value(vec![3, 1, 2]).await.expect("it is made");
    let eval = py.eval::<i64>("max(rows) + extra").name("rows", &rows).name("extra", 10);
    assert_eq!(eval.await.expect("it is evaluated"), 13);
    let sorted: PythonProxy = py.eval("sorted(rows)").name("rows", &rows).await.expect("it is");
    assert_eq!(sorted.repr().await.expect("it answers"), "[1, 2, 3]");
    // The names are bound for one evaluation only.
    let error = py.eval::<i64>("rows").await.expect_err("there is no such name");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "NameError");
    let error = py.eval::<i64>("1 +").await.expect_err("it is not an expression");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "SyntaxError");
    let error = py.eval::<()>("__import__('time').sleep(60)").timeout(Duration::from_millis(50));
    assert!(error.await.expect_err("it takes too long").is_timeout());
}

#[tokio::test]
async fn object_within_a_daemon_goes_into_its_only_interpreter() {
    let first = with(oad::python("io", "StringIO")).arg("x").await.expect("it is made");
    // No interpreter is named: it is the one that runs there, whichever that is.
    let second = oad::python_value(1).within(first.daemon()).await.expect("it is made");
    assert_eq!(second.interpreter().pid(), first.interpreter().pid());
    // Nor do other settings that are left out start a second one.
    let third = with(oad::python_value(2)).within(first.daemon()).await.expect("it is made");
    assert_eq!(third.interpreter().pid(), first.interpreter().pid());
}

#[tokio::test]
async fn settings_that_the_running_interpreter_does_not_have_are_refused() {
    let first = with(oad::python_value(1)).await.expect("it is made");
    for python in [
        oad::python_value(2).path_entry("/somewhere"),
        with(oad::python_value(2)).kill_when_stuck(Duration::from_secs(1)),
    ] {
        let error = python.within(first.daemon()).await.expect_err("it runs without that");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        let message = error.to_string();
        assert!(message.contains("which was started with other settings"), "{message}");
        assert!(message.contains(&format!("process {}", first.interpreter().pid())), "{message}");
    }
}

#[tokio::test]
async fn several_interpreters_in_a_daemon_are_listed() {
    let one = start().await;
    let two = oad::interpreter(interpreter()).within(one.daemon()).await.expect("it starts");
    assert_ne!(one.pid(), two.pid(), "`oad::interpreter` always starts one");
    let error = oad::python_value(1)
        .within(one.daemon())
        .await
        .expect_err("the daemon has two interpreters");
    assert_eq!(error.kind(), ErrorKind::BadArguments);
    let message = error.to_string();
    for part in [
        "the daemon runs several interpreters",
        &format!("(process {})", one.pid()),
        &format!("(process {})", two.pid()),
        "make the object with the `oad::Interpreter`",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let there = two.value(1).await.expect("that one");
    assert_eq!(there.interpreter().pid(), two.pid());
    // Objects of one cannot be passed to the other.
    let error =
        one.import("json").await.expect("it is imported").call::<String>("dumps", (&there,));
    assert_eq!(error.await.expect_err("it lives elsewhere").kind(), ErrorKind::BadArguments);
}

#[tokio::test]
async fn settings_of_an_interpreter_are_refused_beside_one() {
    let py = start().await;
    for (python, setting) in [
        (py.value(1).interpreter("python3"), "interpreter"),
        (py.value(1).path_entry("/somewhere"), "path_entry"),
        (py.value(1).kill_when_stuck(Duration::from_secs(1)), "kill_when_stuck"),
        (py.value(1).within(py.daemon()), "within"),
    ] {
        let error = python.await.expect_err("the interpreter already runs");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains(&format!("`{setting}` cannot be set")), "{error}");
    }
}

#[tokio::test]
async fn names_with_dots_inside_are_reached() {
    let py = start().await;
    let source = "class Box: pass\nbox = Box()\nsetattr(box, 'a.b', 1)\nsetattr(box, 'c\\\\d', 2)";
    let script = py.script("boxes", source).await.expect("it runs");
    assert_eq!(script.getattr::<i64>(["box", "a.b"]).await.expect("it is there"), 1);
    assert_eq!(script.getattr::<i64>(["box", "c\\d"]).await.expect("it is there"), 2);
    script.setattr(["box", "a.b"], 3).await.expect("it is set");
    let of_box: PythonProxy = script.getattr("box").await.expect("it is there");
    assert_eq!(of_box.getattr::<i64>(["a.b"]).await.expect("it is there"), 3);
    script.delattr(["box", "a.b"]).await.expect("it is deleted");
    of_box.getattr::<i64>(["a.b"]).await.expect_err("it is deleted");
}

#[tokio::test]
async fn keywords_come_from_a_struct_or_a_map() {
    #[derive(Serialize)]
    struct Options {
        sort_keys: bool,
        indent: Option<u8>,
    }
    let py = start().await;
    let json = py.import("json").await.expect("it is imported");
    let call = json.call::<String>("dumps", (BTreeMap::from([("b", 1), ("a", 2)]),));
    let text = call.keywords(Options { sort_keys: true, indent: None }).await.expect("it works");
    assert_eq!(text, r#"{"a": 2, "b": 1}"#);
    let made = py.instance("", "dict").keywords(BTreeMap::from([("x", 1)])).keyword("y", 2);
    let made = made.await.expect("it is made");
    assert_eq!(made.len().await.expect("it answers"), 2);
    for (call, part) in [
        (json.call::<String>("dumps", (1,)).keywords(7), "come from a struct or a map"),
        (json.call("dumps", (1,)).keywords(BTreeMap::from([(1, 2)])), "are text"),
        (
            json.call("dumps", (1,))
                .keyword("a", 1)
                .keywords([("a", 1)].into_iter().collect::<BTreeMap<_, _>>()),
            "given twice",
        ),
    ] {
        let error = call.await.expect_err("they are not keywords");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn operators_are_constants_or_text() {
    let py = start().await;
    let seven = py.value(7).await.expect("it is made");
    assert_eq!(seven.operate::<i64>(Operator::POW, (2, 10)).await.expect("it works"), 9);
    assert_eq!(seven.operate::<i64>("pow", (2,)).await.expect("it works"), 49);
    let int: PythonProxy = seven.get_type().await.expect("it works");
    assert!(seven.is_instance(&int).await.expect("it works"));
    assert!(int.is_callable().await.expect("it works") && !seven.is_callable().await.expect("it"));
    assert_eq!(seven.hash().await.expect("it works"), 7);
}

#[tokio::test]
async fn proxy_inside_another_type_is_converted() {
    let py = start().await;
    let re = py.import("re").await.expect("it is imported");
    let found: Option<Proxy> = re.call("search", ("b+", "abbc")).await.expect("it works");
    let found = found.expect("there is a match").to_python().expect("it is a Python object");
    assert_eq!(found.call::<String>("group", ()).await.expect("it works"), "bb");
}
