//! Several calls at once in one interpreter, on threads, over both ways. `OAD_PYTHON`
//! names the interpreter.

use std::time::Duration;

use futures_util::future::join_all;
use oad::{ErrorKind, Interpreter, PythonProxy, Remote as _};
use support::python::{dedent, interpreter, with};
use support::until;

mod support;

oad::test_daemon!();

const SHORT: Duration = Duration::from_millis(500);

/// Long enough for a message to arrive on a loaded machine.
const LATER: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

const SOURCE: &str = r#"
    import collections, queue, threading, time
    waiting = queue.Queue()
    barrier = threading.Barrier(4)
    lock = threading.Lock()
    order = []
    reached = []
    def meet(): return barrier.wait(20) >= 0
    def get(): reached.append(1); return waiting.get()
    def put(x): waiting.put(x)
    def name(): return threading.current_thread().name
    def note(n): order.append(n)
    def spin():
        reached.append(1)
        while True: pass
    def hold():
        reached.append(1)
        with lock: return 'held'
    def count(n):
        for i in range(n): yield i
    def pings(): return len(reached)
"#;

/// A script in an interpreter with threads, over each way.
async fn both_ways(threads: usize) -> Vec<PythonProxy> {
    let definition = || with(oad::python_script("script.py", dedent(SOURCE))).threads(threads);
    let direct = definition().await.expect("it is made");
    let over_grpc = definition().over_grpc().await.expect("it is made");
    vec![direct, over_grpc]
}

async fn reached(script: &PythonProxy, count: u64) {
    until(async || script.call::<u64>("pings", ()).await.expect("it answers") >= count).await;
}

#[tokio::test]
async fn calls_of_one_object_meet() {
    for script in both_ways(4).await {
        let met = join_all((0..4).map(|_| script.call::<bool>("meet", ()).timeout(LONG))).await;
        assert!(met.into_iter().all(|met| met.expect("they meet")));
    }
}

#[tokio::test]
async fn item_is_put_while_a_call_waits_for_it() {
    for script in both_ways(2).await {
        let get = script.call::<i64>("get", ()).timeout(LONG);
        let put = async {
            reached(&script, 1).await;
            script.call::<()>("put", (5,)).await.expect("it is put");
        };
        let (got, ()) = tokio::join!(get, put);
        assert_eq!(got.expect("it is there"), 5);
    }
}

#[tokio::test]
async fn main_thread_makes_objects_and_runs_what_asks_for_it() {
    for script in both_ways(2).await {
        let main: String = script.call("name", ()).on_main_thread().await.expect("it answers");
        assert_eq!(main, "MainThread");
        let other: String = script.call("name", ()).await.expect("it answers");
        assert_ne!(other, "MainThread");
        let py = script.interpreter();
        let source = "import threading\nname = threading.current_thread().name";
        let made = py.script("made.py", source).await.expect("it is made");
        assert_eq!(made.getattr::<String>("name").await.expect("it is there"), "MainThread");
        let name = "__import__('threading').current_thread().name";
        let main: String = py.eval(name).on_main_thread().await.expect("it answers");
        assert_eq!(main, "MainThread");
        let mut items =
            script.call_iter::<u64>("count", (1000,)).on_main_thread().await.expect("it opens");
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += item.expect("it is one");
        }
        assert_eq!(sum, 999 * 500);
    }
}

#[tokio::test]
async fn one_thread_keeps_the_order() {
    for script in both_ways(1).await {
        let notes = join_all((0..200).map(|n| script.call::<()>("note", (n,)))).await;
        assert!(notes.into_iter().all(|note| note.is_ok()));
        let order: Vec<u64> = script.getattr("order").await.expect("it is there");
        assert_eq!(order, (0..200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn timeout_interrupts_the_very_call() {
    for script in both_ways(3).await {
        let other = script.call::<i64>("get", ()).timeout(LONG);
        let rest = async {
            reached(&script, 1).await;
            for name in ["spin", "get"] {
                let late = script.call::<()>(name, ()).timeout(SHORT).await;
                let late = late.expect_err("it does not end");
                assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
                assert!(late.to_string().contains("the running code was interrupted"), "{late}");
            }
            drop(script.call::<()>("spin", ()).timeout(SHORT));
            script.call::<()>("put", (7,)).await.expect("it is put");
        };
        let (got, ()) = tokio::join!(other, rest);
        assert_eq!(got.expect("nothing else took it"), 7);
    }
}

#[tokio::test]
async fn thread_that_does_not_react_is_replaced() {
    for script in both_ways(1).await {
        script.call::<()>("lock.acquire", ()).await.expect("it is free");
        for _ in 0..3 {
            let held = script.call::<String>("hold", ()).timeout(SHORT).await;
            assert_eq!(held.expect_err("it is held").kind(), ErrorKind::Timeout);
        }
        assert_eq!(script.call::<u64>("pings", ()).await.expect("it answers"), 3);
        script.call::<()>("lock.release", ()).await.expect("it is held");
        let acquired = async || script.call::<bool>("lock.acquire", (false,)).await.expect("it is");
        until(acquired).await;
    }
}

#[tokio::test]
async fn waiting_call_is_withdrawn_at_its_timeout() {
    for script in both_ways(1).await {
        let get = script.call::<i64>("get", ()).timeout(LONG);
        let rest = async {
            let pings = || script.call::<u64>("pings", ()).on_main_thread();
            until(async || pings().await.expect("it answers") == 1).await;
            let late = script.call::<()>("note", (1,)).timeout(SHORT).await;
            let late = late.expect_err("it waits");
            assert!(late.to_string().contains("had not started"), "{late}");
            // The interpreter learns of the timeout by another socket than of the next
            // calls, and has the time of a second one for it.
            let later = script.call::<()>("note", (2,)).timeout(LATER).await;
            assert_eq!(later.expect_err("it waits").kind(), ErrorKind::Timeout);
            script.call::<()>("put", (1,)).on_main_thread().await.expect("it is put");
        };
        let (got, ()) = tokio::join!(get, rest);
        assert_eq!(got.expect("it is there"), 1);
        let order: Vec<u64> = script.getattr("order").await.expect("it is there");
        assert!(!order.contains(&1), "{order:?}");
    }
}

#[tokio::test]
async fn only_a_stuck_call_kills() {
    for is_direct in [true, false] {
        let definition = with(oad::python_script("script.py", dedent(SOURCE)));
        let definition = definition.threads(1).kill_when_stuck(SHORT);
        let definition = if is_direct { definition } else { definition.over_grpc() };
        let script = definition.await.expect("it is made");
        let get = script.call::<i64>("get", ()).timeout(LONG);
        let rest = async {
            let pings = || script.call::<u64>("pings", ()).on_main_thread();
            until(async || pings().await.expect("it answers") == 1).await;
            // It only waits for the thread.
            let late = script.call::<()>("note", (1,)).timeout(SHORT).await;
            assert_eq!(late.expect_err("it waits").kind(), ErrorKind::Timeout);
            tokio::time::sleep(4 * SHORT).await;
            script.call::<()>("put", (1,)).on_main_thread().await.expect("it lives");
        };
        let (got, ()) = tokio::join!(get, rest);
        assert_eq!(got.expect("it is there"), 1);
        let late = script.call::<()>("spin", ()).on_main_thread().timeout(SHORT).await;
        let late = late.expect_err("it does not end");
        assert!(late.to_string().contains("the running code was interrupted"), "{late}");
        script.call::<()>("lock.acquire", ()).await.expect("it is free");
        let held = script.call::<String>("hold", ()).timeout(SHORT).await;
        assert_eq!(held.expect_err("it is held").kind(), ErrorKind::Timeout);
        until(async || script.call::<u64>("pings", ()).await.is_err_and(|e| e.is_dead())).await;
    }
}

#[tokio::test]
async fn handles_and_streams_work_on_threads() {
    for script in both_ways(4).await {
        let sums = join_all((0..8).map(async |_| {
            let mut items = script.call_iter::<u64>("count", (100,)).await.expect("it opens");
            let mut sum = 0;
            while let Some(item) = items.next().await {
                sum += item.expect("it is one");
            }
            sum
        }));
        assert_eq!(sums.await, [4950; 8]);
        let made = join_all((0..50).map(|_| script.getattr::<PythonProxy>("waiting"))).await;
        for queue in made {
            queue.expect("it is there").call::<()>("put", (1,)).await.expect("it is put");
        }
        let size: u64 = script.call("waiting.qsize", ()).await.expect("it answers");
        assert_eq!(size, 50);
    }
}

#[tokio::test]
async fn threads_belong_to_the_interpreter() {
    let py: Interpreter = oad::interpreter(interpreter()).threads(2).await.expect("it starts");
    let error = py.value(1).threads(2).await.expect_err("it runs already");
    assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
    let other = with(oad::python_value(1)).threads(3).within(py.daemon()).await;
    let error = other.expect_err("the one that runs has others");
    assert!(error.to_string().contains("2 threads"), "{error}");
    let same = with(oad::python_value(1)).threads(2).within(py.daemon()).await;
    assert_eq!(same.expect("it fits").interpreter().pid(), py.pid());
}
