//! Python code that does not come to its end, or does what nobody should: whom it holds
//! up, and what ends it. `OAD_PYTHON` names the interpreter.

use std::time::Duration;

use oad::{ErrorKind, PythonProxy, Remote as _};
use support::python::{dedent, script, with};

mod support;

oad::test_daemon!();

const GRACE: Duration = Duration::from_millis(300);

/// Holds the interpreter so that nothing can interrupt it, for about a second; before
/// that it makes a file.
const HOLDS: &str = r#"
    def hold(begun):
        open(begun, 'w').close()
        return sum(range(5 * 10 ** 7))
"#;

async fn killed_when_stuck(source: &str) -> PythonProxy {
    with(oad::python_script("stuck.py", dedent(source)))
        .kill_when_stuck(GRACE)
        .await
        .expect("it is made")
}

#[tokio::test]
async fn call_that_waits_behind_another_is_no_reason_to_kill() {
    let stuck = killed_when_stuck(HOLDS).await;
    // In the interpreter of the first, which is asked for alike.
    let other = with(oad::python("", "str"))
        .arg("text")
        .kill_when_stuck(GRACE)
        .within(stuck.daemon())
        .await
        .expect("it is made");
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let begun = folder.path().join("begun");
    let holding = stuck.call::<u64>("hold", (&begun,));
    let waiting = async {
        while !begun.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let late = other
            .call::<String>("upper", ())
            .timeout(Duration::from_millis(50))
            .await
            .expect_err("it waits");
        assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    };
    let (held, ()) = tokio::join!(holding, waiting);
    assert_eq!(held.expect("it was let be"), (5 * 10_u64.pow(7) - 1) * 5 * 10_u64.pow(7) / 2);
    assert_eq!(other.call::<String>("upper", ()).await.expect("it answers"), "TEXT");
}

#[tokio::test]
async fn object_that_does_not_let_itself_be_let_go_of_is_stuck() {
    let source = r#"
        import time
        class Slow:
            def __del__(self):
                while True:
                    try: time.sleep(60)
                    except BaseException: pass
        def f(): return 1
    "#;
    let stuck = killed_when_stuck(source).await;
    let slow: PythonProxy = stuck.call("Slow", ()).await.expect("it is made");
    drop(slow);
    // The first may overtake the news that the object is not wanted any more.
    let error = loop {
        if let Err(error) = stuck.call::<u64>("f", ()).await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    assert!(error.to_string().contains("killed by signal 9 (SIGKILL)"), "{error}");
}

#[tokio::test]
async fn letting_go_that_takes_too_long_is_interrupted_before_it_is_killed() {
    let source = r#"
        import time
        class Slow:
            def __del__(self): time.sleep(60)
        def f(): return 1
    "#;
    let stuck = killed_when_stuck(source).await;
    let slow: PythonProxy = stuck.call("Slow", ()).await.expect("it is made");
    drop(slow);
    assert_eq!(stuck.call::<u64>("f", ()).await.expect("it was interrupted"), 1);
}

#[tokio::test]
async fn making_that_is_given_up_holds_up_nobody() {
    let daemon = oad::daemon().await.expect("a daemon starts");
    let holds = "import ctypes\nctypes.PyDLL(None).sleep(30)\n";
    let given_up = with(oad::python_script("holds.py", dedent(holds))).within(&daemon);
    let late =
        given_up.create_timeout(Duration::from_millis(300)).await.expect_err("it takes long");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    let text = with(oad::python("", "str")).arg("text").within(&daemon).await.expect("it is made");
    assert_eq!(text.str().await.expect("it answers"), "text");
    support::wait_until(Duration::from_secs(10), || match support::children(daemon.pid()).len() {
        1 => Ok(()),
        more => Err(format!("{more} interpreters")),
    });
}

#[tokio::test]
async fn object_that_closes_its_agents_sockets_is_blamed_and_keeps_its_files() {
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let source = r#"
        import os
        kept = []
        def close(folder):
            os.closerange(3, 1000)
            kept.extend(open(os.path.join(folder, str(n)), 'w') for n in range(40))
    "#;
    let closing = script(source).await;
    let error = closing.call::<()>("close", (folder.path(),)).await.expect_err("it cannot answer");
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    assert!(
        error.to_string().contains("the object closed or replaced the sockets of its agent"),
        "{error}"
    );
    // The agent may have found out before all of them were opened.
    for file in std::fs::read_dir(folder.path()).expect("it is there") {
        assert_eq!(file.and_then(|file| file.metadata()).expect("it is there").len(), 0);
    }
}

#[tokio::test]
async fn value_over_the_limit_is_refused_before_it_is_carried() {
    let limit = 100_000;
    let large = with(oad::python_script(
        "large.py",
        "def items(n): return [None] * n\ndef text(n): return 'x' * n\n",
    ));
    let large = large.message_limit(limit).await.expect("it is made");
    let error = large.call::<Vec<()>>("items", (limit + 1,)).await.expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(
        error.to_string().contains("keep it by handle"),
        "it is the interpreter that refuses it: {error}"
    );
    let error = large.call::<String>("text", (limit + 1,)).await.expect_err("it is too large");
    assert!(error.to_string().contains("keep it by handle"), "{error}");
    assert_eq!(
        large.call::<String>("text", (limit - 1000,)).await.expect("it fits").len(),
        limit - 1000
    );
}

#[tokio::test]
async fn names_of_a_script_hide_builtin_ones() {
    let daemon = script("def set(items): return [1, *items]\n").await;
    let mine = with(oad::python("", "set"))
        .arg(vec![2])
        .within(daemon.daemon())
        .await
        .expect("it is made");
    assert_eq!(mine.type_name(), "list");
    assert_eq!(mine.str().await.expect("it answers"), "[1, 2]");
    let builtin = with(oad::python("builtins", "set"))
        .arg(vec![2])
        .within(daemon.daemon())
        .await
        .expect("it is made");
    assert_eq!(builtin.type_name(), "set");
}

#[tokio::test]
async fn timeout_says_how_far_the_call_had_come() {
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let holds = script(HOLDS).await;
    let begun = folder.path().join("begun");
    let late = async |text: &str| {
        // On a machine with much to do the daemon's word may come too late, and the
        // caller is not kept for it.
        for _ in 0..100 {
            let call = holds.call::<u64>("hold", (&begun,)).timeout(Duration::from_millis(100));
            let error = call.await.expect_err("it is late");
            assert_eq!(error.kind(), ErrorKind::Timeout);
            if error.to_string().contains(text) {
                return;
            }
        }
        panic!("no timeout says that {text}");
    };
    late("the object busy until it returns").await;
    late("the object is busy with an earlier call").await;
    assert_eq!(
        holds.call::<u64>("hold", (&begun,)).await.expect("it is free again"),
        1_249_999_975_000_000
    );
}
