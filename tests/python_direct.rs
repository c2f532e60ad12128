//! The direct way to Python objects, and the other one beside it: whoever comes by either
//! finds the same objects, in one order, with one death and one end. `OAD_PYTHON` names
//! the interpreter.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use oad::value::Handle;
use oad::{ErrorKind, Health, Proxy, PythonProxy, Remote as _, Value};
use support::python::{dedent, interpreter, script, with};
use support::until;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// How many files this process has open.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("it is there").count()
}

/// All objects of a daemon, whoever holds them.
async fn objects_of(proxy: &PythonProxy) -> HashSet<Handle> {
    proxy.daemon().objects().await.expect("the daemon lives").into_iter().collect()
}

#[tokio::test]
async fn daemon_lists_what_only_the_parent_holds() {
    let py = oad::interpreter(interpreter()).await.expect("it starts");
    let list = py.value(vec![3, 1, 2]).await.expect("it is made");
    let path: PythonProxy =
        py.import("pathlib").await.expect("it is there").call("Path", ("x",)).await.expect("made");
    let found = objects_of(&list).await;
    assert!(found.contains(list.handle()) && found.contains(path.handle()), "{found:?}");
    let types: Vec<&str> = found.iter().map(Handle::type_name).collect();
    assert!(
        types.contains(&"list") && types.iter().any(|name| name.ends_with("PosixPath")),
        "{types:?}"
    );
    assert_eq!(list.health().await.expect("it answers"), Health::Serving);
    let gone = path.handle().clone();
    drop(path);
    until(async || !objects_of(&list).await.contains(&gone)).await;
}

#[tokio::test]
async fn object_of_one_way_is_itself_by_the_other() {
    let py = oad::interpreter(interpreter()).await.expect("it starts");
    let list = py.value(vec![1]).await.expect("it is made");
    // By the session, because it says only which daemon it goes into.
    let made = oad::python("builtins", "list").within(list.daemon()).arg((&list, &list));
    let pair = made.await.expect("it is made");
    let same = py.eval::<bool>("a[0] is a[1] is b").name("a", &pair).name("b", &list).await;
    assert!(same.expect("it is evaluated"));
    let first: PythonProxy = pair.get_item(0).await.expect("it is there");
    assert_eq!(first.handle(), list.handle());
    first.call::<()>("append", (2,)).await.expect("it is a list");
    let value: Vec<i64> = py.eval("x").name("x", &list).await.expect("it is a value");
    assert_eq!(value, [1, 2]);
}

#[tokio::test]
async fn operations_of_every_kind_keep_the_order_of_their_first_polls() {
    let list = with(oad::python_value(Vec::<u32>::new())).await.expect("it is made");
    let mut all = futures_util::stream::FuturesOrdered::new();
    for n in 0..200u32 {
        let list = list.clone();
        let operation: futures_util::future::BoxFuture<'static, usize> = match n % 4 {
            0 => Box::pin(async move {
                list.call::<()>("append", (n,)).await.expect("it is a list");
                0
            }),
            1 => Box::pin(async move { list.len().await.expect("it has one") }),
            2 => Box::pin(async move {
                let items =
                    list.iter::<u32>().await.expect("it has some").collect::<Vec<_>>().await;
                items.expect("it is whole").len()
            }),
            _ => Box::pin(async move {
                list.describe().await.expect("it is described");
                list.str().await.expect("it has one").matches(',').count() + 1
            }),
        };
        all.push_back(operation);
    }
    let lengths: Vec<usize> = all.collect().await;
    for (n, length) in lengths.into_iter().enumerate().filter(|(n, _)| n % 4 == 1) {
        assert_eq!(length, n / 4 + 1);
    }
}

#[tokio::test]
async fn death_is_reported_at_once_although_a_copy_holds_the_sockets() {
    // The C library's fork tells no Python code, so the copy keeps everything open.
    let source = r#"
        import ctypes, os, time
        def copy():
            if ctypes.PyDLL(None).fork() == 0:
                os.setsid()
                time.sleep(600)
                os._exit(0)
        def wait(): time.sleep(600)
        def pid(): return os.getpid()
    "#;
    let script = script(source).await;
    script.call::<()>("copy", ()).await.expect("it returns here");
    let pid: u32 = script.call("pid", ()).await.expect("it answers");
    let calls: Vec<_> = (0..5).map(|_| tokio::spawn(script.call::<()>("wait", ()))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let files = open_files();
    let killed = Instant::now();
    support::signal(pid, "-KILL");
    for call in calls {
        let error = call.await.expect("it does not panic").expect_err("it is dead");
        assert_eq!(error.kind(), ErrorKind::Died, "{error}");
        assert_eq!(error.death().expect("it is why").signal(), Some(9));
    }
    assert!(killed.elapsed() < SECOND, "{:?}", killed.elapsed());
    let error = script.call::<()>("wait", ()).await.expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    // The sockets are closed, although the proxy lives.
    until(async || open_files() < files).await;
    assert_eq!(script.health().await.expect("the daemon lives"), Health::NotServing);
}

#[tokio::test]
async fn interpreter_that_others_use_outlives_the_parents_last_proxy() {
    let first = with(oad::python_value("x")).await.expect("it is made");
    let daemon = first.daemon().clone();
    for _ in 0..20 {
        // Each is a use after the last one has ended, or before.
        let next = oad::python_value("y").within(&daemon).await.expect("it is made");
        assert_eq!(next.str().await.expect("it answers"), "y");
    }
    let pid = first.interpreter().pid();
    drop(first);
    until(async || support::state(pid).is_none()).await;
    assert_eq!(daemon.objects().await.expect("the daemon lives"), []);
    let files = open_files();
    let again = oad::python_value("z").interpreter(interpreter()).within(&daemon).await;
    let again = again.expect("it is made");
    assert_eq!(again.str().await.expect("it answers"), "z");
    let pid = again.interpreter().pid();
    drop(again);
    until(async || support::state(pid).is_none() && open_files() <= files).await;
}

#[tokio::test]
async fn shutdown_lets_running_calls_finish_and_refuses_later_ones() {
    let script = script("import time\ndef f(s):\n    time.sleep(s)\n    return s\n").await;
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(script.call::<f64>("f", (0.2,)))).collect();
    tokio::task::yield_now().await;
    let ending = tokio::spawn(script.shutdown());
    // A busy daemon is asked on the lifeline too, but a little later.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let late = script.call::<f64>("f", (0,)).await.expect_err("it ends");
    assert_eq!(late.kind(), ErrorKind::Closed, "{late}");
    for call in calls {
        assert_eq!(call.await.expect("it does not panic").expect("it has its answer"), 0.2);
    }
    let ended = ending.await.expect("it does not panic").expect("it ends");
    assert!(ended.is_clean() && ended.calls() == Some(3), "{ended}");
    assert_eq!(ended.abandoned(), Some(0), "{ended}");
    let late = script.call::<f64>("f", (0,)).await.expect_err("it has ended");
    assert!(late.to_string().contains("was shut down"), "{late}");
}

#[tokio::test]
async fn shutdown_cuts_off_what_takes_longer_than_the_grace() {
    let source = "import time\ndef f(): time.sleep(600)\n";
    let made = with(oad::python_script("script.py", source)).grace(Duration::from_millis(300));
    let script = made.await.expect("it is made");
    let call = tokio::spawn(script.call::<()>("f", ()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let ended = script.shutdown().await.expect("it ends");
    assert_eq!((ended.calls(), ended.abandoned()), (Some(1), Some(1)), "{ended}");
    let error = call.await.expect("it does not panic").expect_err("it is cut off");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}

#[tokio::test]
async fn timeout_says_how_far_the_call_had_come() {
    let script = script("import time\ndef f(s): time.sleep(s)\n").await;
    let running = script.call::<()>("f", (600,)).timeout(Duration::from_millis(300));
    let waiting = script.call::<()>("f", (0,)).timeout(Duration::from_millis(100));
    let (running, waiting) = tokio::join!(running, waiting);
    let running = running.expect_err("it takes long").to_string();
    assert!(running.contains("no response within 300ms; the running code was inter"), "{running}");
    let waiting = waiting.expect_err("it does not begin").to_string();
    assert!(waiting.contains("no response within 100ms; the call had not started"), "{waiting}");
    script.call::<()>("f", (0,)).await.expect("it goes on");
}

#[tokio::test]
async fn dropped_call_is_interrupted_and_its_result_is_released() {
    let source = r#"
        import time
        class Thing: pass
        def slow():
            try: time.sleep(600)
            finally: events.append('interrupted')
        def things(): return [Thing() for _ in range(10)]
        events = []
    "#;
    let script = script(source).await;
    let call = script.call::<()>("slow", ());
    assert!(tokio::time::timeout(Duration::from_millis(100), call).await.is_err());
    let told = async || script.getattr::<Vec<String>>("events").await.expect("it is there");
    until(async || told().await == ["interrupted"]).await;
    for _ in 0..50 {
        let mut things = Box::pin(script.call::<Vec<Proxy>>("things", ()));
        let _ = futures_util::poll!(&mut things);
        drop(things);
    }
    until(async || objects_of(&script).await.len() == 1).await;
}

#[tokio::test]
async fn ten_thousand_objects_come_and_go() {
    let py = oad::interpreter(interpreter()).await.expect("it starts");
    let list = py.eval::<Vec<Proxy>>("[object() for _ in range(10000)]").await;
    let list = list.expect("they are made");
    let handles: HashSet<Handle> = list.iter().map(|proxy| proxy.handle().clone()).collect();
    assert_eq!(handles.len(), 10_000);
    assert_eq!(py.daemon().objects().await.expect("it answers").len(), 10_001);
    let same: bool = py
        .eval("all(type(x) is object for x in xs)")
        .name("xs", &list)
        .await
        .expect("they are there");
    assert!(same);
    drop(list);
    until(async || py.daemon().objects().await.expect("it answers").len() == 1).await;
}

#[tokio::test]
async fn stream_that_is_dropped_ends_its_generator_and_others_go_on() {
    let source = r#"
        events = []
        def count(n):
            try:
                for i in range(n): yield i
            finally: events.append('closed')
        def fail(n):
            yield from range(n)
            raise ValueError('at the end')
    "#;
    let script = script(&dedent(source)).await;
    let mut stream = script.call_iter::<i64>("count", (1_000_000,)).await.expect("it begins");
    for n in 0..1000 {
        assert_eq!(stream.next().await.expect("there are more").expect("it is one"), n);
    }
    drop(stream);
    let told = async || script.getattr::<Vec<String>>("events").await.expect("it is there");
    until(async || told().await == ["closed"]).await;
    let mut all = script.call_iter::<i64>("fail", (100,)).await.expect("it begins");
    let all = StreamExt::collect::<Vec<_>>(&mut all).await;
    assert_eq!(all.len(), 101);
    let error = all.last().and_then(|last| last.as_ref().err()).expect("it fails");
    assert_eq!(error.exception().expect("Python raised it").message(), "at the end");
    let late = script.call_iter::<i64>("count", (1_i64 << 40,)).timeout(Duration::from_millis(200));
    let mut late = late.await.expect("it begins");
    let late = StreamExt::collect::<Vec<_>>(&mut late).await;
    let error = late.last().and_then(|last| last.as_ref().err()).expect("it is too long");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn value_too_large_or_too_deep_fails_one_call_alone() {
    let made = with(oad::python_value(vec![1])).message_limit(10_000);
    let list = made.await.expect("it is made");
    let error = list.call::<()>("append", ("x".repeat(20_000),)).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let error = list.call::<Value>("__mul__", (20_000,)).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(list.len().await.expect("it goes on"), 1);
}
