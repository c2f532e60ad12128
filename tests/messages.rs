//! All messages that a user can read, on one page:
//! `tests/snapshots/messages__errors.snap`.
//!
//! To add one, produce its error in a function below, or in a new one that takes the
//! page. `INSTA_UPDATE=always cargo test --test messages` writes the page anew.

use std::future::IntoFuture as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oad::{ErrorKind, Proxy, Remote as _, Spawn, Value};
use support::lab::LabProxy;

use page::Page;

#[path = "messages/page.rs"]
mod page;
mod support;

const SECOND: Duration = Duration::from_secs(1);

/// Becomes the daemons of this binary. There is no `oad::test_daemon!`, so that the error
/// without it can be seen too.
#[test]
fn daemon() {
    if std::env::var_os("OAD_DAEMON").is_some() {
        oad::init();
    }
}

/// A folder of shell scripts.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn new() -> Self {
        Scripts(tempfile::tempdir().expect("the temporary directory can be written to"))
    }

    fn write(&self, name: &str, lines: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("the folder is ours");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("the folder is ours");
        path
    }

    /// A builder whose daemon is this binary.
    fn lab(&self, lab: Spawn<LabProxy>) -> Spawn<LabProxy> {
        let this = std::env::current_exe().expect("it has a path");
        let script =
            self.write("program", &format!("exec {} daemon --exact --nocapture", this.display()));
        lab.executable(script)
    }
}

#[tokio::test]
async fn errors() {
    let mut page = Page::default();
    let scripts = Scripts::new();
    page.replace(scripts.0.path().display(), "FOLDER");
    page.replace(std::env::current_exe().expect("it has a path").display(), "PROGRAM");
    programs(&mut page, &scripts).await;
    handshakes(&mut page, &scripts).await;
    settings(&mut page).await;
    calls(&mut page).await;
    values(&mut page).await;
    endings(&mut page, &scripts).await;
    #[cfg(feature = "python")]
    python(&mut page, &scripts).await;

    // Not on the page: `Protocol`, because it takes a bug; `Cancelled`, which only a
    // caller that has gone could read; and `Limit`, which takes a thousand calls.
    let kinds = page.kinds();
    for kind in [
        ErrorKind::NotInitialized,
        ErrorKind::Spawn,
        ErrorKind::Handshake,
        ErrorKind::Version,
        ErrorKind::Exception,
        ErrorKind::Died,
        ErrorKind::Closed,
        ErrorKind::NoSuchMethod,
        ErrorKind::BadArguments,
        ErrorKind::NoSuchObject,
        ErrorKind::WrongType,
        ErrorKind::TooLarge,
        ErrorKind::TooDeep,
        ErrorKind::Timeout,
        ErrorKind::RuntimeEnded,
        ErrorKind::WouldDeadlock,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not on the page");
    }
    insta::assert_snapshot!("errors", page.text());
}

/// Programs that cannot be started, or end at once.
async fn programs(page: &mut Page, scripts: &Scripts) {
    let error = LabProxy::new().await.expect_err("`init` has not run");
    page.add("a program without init", &error);

    let start =
        async |path: &Path| LabProxy::new().executable(path).await.expect_err("it is not a daemon");
    let missing = scripts.0.path().join("missing");
    page.add("a program that does not exist", &start(&missing).await);
    page.add("a directory", &start(scripts.0.path()).await);
    let error = start(&scripts.write("silent", "exit 3")).await;
    page.add("a program that exits", &error);
    let error =
        start(&scripts.write("loud", "echo one >&2; echo 'no such model' >&2; exit 1")).await;
    page.add("a program that exits with a message", &error);
    let long = scripts.write("long", "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1");
    page.add("a program that exits with a long message", &start(&long).await);
    page.add("a program that is killed", &start(&scripts.write("killed", "kill -9 $$")).await);
    let error =
        LabProxy::new().executable("/bin/true").current_dir("/nowhere").await.expect_err("no");
    page.add("a working directory that does not exist", &error);
}

/// Programs that write something else than a daemon writes.
async fn handshakes(page: &mut Page, scripts: &Scripts) {
    let cases = [
        ("a program that is silent", "exec sleep 1000"),
        ("a program that writes something else", "echo Hello >&0; exec sleep 1000"),
        (
            "a program that writes much",
            "exec 3>&0; head -c 70000 /dev/zero | tr '\\0' x >&3; exec sleep 1000",
        ),
        (
            "a program of another version",
            "echo '{\"OtherVersion\":{\"protocol\":99}}' >&0; exec sleep 1000",
        ),
        (
            "a process that cannot be a daemon",
            "echo '{\"Failed\":{\"message\":\"failed to open `/dev/null`\"}}' >&0; exit 1",
        ),
        (
            "a process that cannot be a daemon, and says much",
            "exec 3>&0; (printf '{\"Failed\":{\"message\":\"'; head -c 5000 /dev/zero | tr '\\0' \
             x; printf '\"}}\\n') >&3; exit 1",
        ),
        (
            "a daemon without a socket",
            "echo '{\"Ready\":{\"protocol\":1,\"pid\":1,\"endpoint\":{\"Unix\":\"/nowhere\"}}}' \
             >&0; exec sleep 1000",
        ),
    ];
    for (title, lines) in cases {
        let script = scripts.write(&title.replace([' ', ','], "_"), lines);
        let lab = LabProxy::new().executable(script).start_timeout(SECOND * 2);
        page.add(title, &lab.await.expect_err("it is not a daemon"));
    }
}

/// Builders that are refused.
async fn settings(page: &mut Page) {
    let lab = LabProxy::new().in_process().await.expect("it starts");
    let error =
        LabProxy::new().within(lab.daemon()).grace(SECOND).await.expect_err("it is there already");
    page.add("a setting of a daemon that is there", &error);
    let error = futures_executor::block_on(LabProxy::new().in_process().into_future());
    page.add("block_on in the runtime", &error.expect_err("it would wait for itself"));
}

/// Calls that fail.
async fn calls(page: &mut Page) {
    let error = LabProxy::failing("no model".to_owned()).in_process().await;
    page.add("a constructor that fails", &error.expect_err("it fails"));

    let lab = LabProxy::new().in_process().await.expect("it starts");
    let proxy = lab.as_proxy();
    page.add("a panic", &lab.panic("no".to_owned()).await.expect_err("it panics"));
    let error = lab.panic("one\ntwo\u{1b}[31m".to_owned()).await.expect_err("it panics");
    page.add("a panic with lines", &error);
    let error = lab.panic_at_length(5000).await.expect_err("it panics");
    page.add("a long panic", &error);
    let error = proxy.call::<()>("nope", ()).await.expect_err("there is no such method");
    page.add("a method that does not exist", &error);
    let error = proxy.call::<()>("panic", ()).await.expect_err("an argument is missing");
    page.add("a missing argument", &error);
    let error = proxy.call::<()>("panic", (1, 2)).await.expect_err("there are too many");
    page.add("too many arguments", &error);
    let error = proxy.call::<()>("panic", (1,)).await.expect_err("it takes a text");
    page.add("an argument of another type", &error);
    let error = proxy.call::<()>("panic", ()).keyword("text", "a").await.expect_err("no such name");
    page.add("an argument of another name", &error);
    let error = lab.block(SECOND).timeout(Duration::from_millis(50)).await;
    page.add("a timeout", &error.expect_err("it takes longer"));
    let error = LabProxy::slowly(SECOND).create_timeout(Duration::from_millis(50)).in_process();
    page.add("a timeout of a constructor", &error.await.expect_err("it takes longer"));
}

/// Values that cannot be sent, or read.
async fn values(page: &mut Page) {
    let lab = LabProxy::new().message_limit(1000).in_process().await.expect("it starts");
    let proxy = lab.as_proxy();
    let error = proxy.call::<u8>("echo", ("text",)).await.expect_err("it is a text");
    page.add("a value of another type", &error);
    let error = proxy.call::<u8>("echo", (300,)).await.expect_err("it is too large");
    page.add("a number out of range", &error);
    let error = proxy.call::<Proxy>("echo", (1,)).await.expect_err("it is a value");
    page.add("a value that is not an object", &error);
    let error = lab.bytes(5000).await.expect_err("it is too large");
    page.add("a response that is too large", &error);
    let error = lab.panic("x".repeat(5000)).await.expect_err("it is too large");
    page.add("arguments that are too large", &error);
    let deep = (0..40).fold(Value::from(1), |value, _| Value::List(vec![value].into()));
    page.add("a value that is too deep", &lab.echo(deep).await.expect_err("it is too deep"));
}

/// Daemons that end.
async fn endings(page: &mut Page, scripts: &Scripts) {
    let start = async || scripts.lab(LabProxy::new()).await.expect("it starts");
    let lab = start().await;
    page.replace(lab.pid(), "PID");
    page.add("a daemon that aborts", &lab.abort().await.expect_err("it aborts"));
    page.add("a call after that", &lab.log().await.expect_err("it is dead"));
    let error = start().await.exit(3).await.expect_err("it exits");
    page.add("a daemon that exits", &error);
    let lab = start().await;
    lab.shutdown().await.expect("it ends");
    page.add("a daemon that was shut down", &lab.log().await.expect_err("it has ended"));

    let lab = LabProxy::new().in_process().await.expect("it starts");
    let other = lab.clone();
    lab.consume("all".to_owned()).await.expect("it is there");
    page.add("an object that was consumed", &other.log().await.expect_err("it is gone"));

    let lab = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(LabProxy::new().in_process().into_future())
    });
    let lab = lab.await.expect("it does not panic").expect("it starts");
    page.add("a runtime that has ended", &lab.log().await.expect_err("its connection is gone"));
}

/// Errors of Python objects, those of oad and those that Python raises.
#[cfg(feature = "python")]
async fn python(page: &mut Page, scripts: &Scripts) {
    let daemon = scripts.write(
        "python-daemon",
        &format!(
            "exec {} daemon --exact --nocapture",
            std::env::current_exe().expect("it has a path").display()
        ),
    );
    let py = oad::interpreter(support::python::interpreter()).executable(&daemon);
    let py = py.await.expect("the interpreter starts");
    page.replace(py.executable().display(), "PYTHON");
    page.replace(py.version(), "VERSION");
    let source = "import os, fractions\nhalf = fractions.Fraction(1, 2)\n\
                  class Order:\n    @classmethod\n    def model_validate(cls, x):\n        \
                  raise ValueError(x)\n\
                  def die():\n    os.write(2, b'last words\\n')\n    os._exit(3)\n";
    let script = py.script("shop.py", source).await.expect("it runs");

    let error = py.import("no_such_module").await.expect_err("it does not exist");
    page.add("a module that is not installed", &error);
    let error = script.call::<()>("no_such_function", ()).await.expect_err("it does not exist");
    page.add("a name that an object does not have", &error);
    let error = script.call::<()>("Order.model_validate", (1,)).await.expect_err("it raises");
    page.add("an exception of a class method", &error);
    let error = script.getattr::<String>("half").await.expect_err("it is not text");
    page.add("a result that cannot be read", &error);
    let error = script.getattr::<String>("half").by_value().await.expect_err("it has no value");
    page.add("a result that has no value", &error);
    let error = py.eval::<i64>("missing").await.expect_err("there is no such name");
    page.add("an expression with an unknown name", &error);
    let error = script.operate::<i64>("plus", (1,)).await.expect_err("there is no such operator");
    page.add("an unknown operator", &error);
    let error = py.value(1).path_entry("/x").await.expect_err("the interpreter already runs");
    page.add("a setting of an interpreter that already runs", &error);
    let second = oad::interpreter(py.executable()).within(py.daemon()).await.expect("it starts");
    let error = oad::python_value(1)
        .within(py.daemon())
        .await
        .expect_err("the daemon has two interpreters");
    page.add("several interpreters", &error);
    drop(second);
    let missing = oad::interpreter("/nowhere/python").within(py.daemon());
    page.add("an interpreter that does not exist", &missing.await.expect_err("it does not exist"));
    let folder = oad::interpreter(scripts.0.path()).within(py.daemon());
    page.add("a folder that is not an environment", &folder.await.expect_err("it is not one"));
    let error = script.call::<()>("die", ()).await.expect_err("the interpreter exits");
    page.add("an interpreter that exits in a call", &error);
}
