//! How an interpreter starts, is interrupted, and ends.

use super::*;

/// The interpreters below a daemon.
fn interpreters(daemon: u32) -> Vec<u32> {
    support::children(daemon)
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
        let error = oad::python("", "str")
            .interpreter(interpreter)
            .await
            .expect_err("it is not an interpreter");
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
    let ended = daemon.shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
    until(async || support::state(found[0]).is_none_or(|state| state == 'Z')).await;
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
