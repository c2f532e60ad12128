//! Many callers, one main thread.

use std::future::Future;
use std::task::Poll;

use futures_util::future::maybe_done;
use oad::PythonProxy;

use crate::support::absent::absent;
use crate::support::python::script;

const TASKS: usize = 16;
const CALLS: usize = 100;

/// Polls a call for the first time, which is its place in the order. On another thread,
/// its answer may be read before that returns.
async fn send<F: Future + Unpin>(call: &mut F) {
    std::future::poll_fn(|context| {
        let _ = std::pin::Pin::new(&mut *call).poll(context);
        Poll::Ready(())
    })
    .await;
}

/// Makes calls that say whose they are and which, each after the answer to the one
/// before, or all at once.
async fn call_many(script: PythonProxy, task: usize, at_once: bool) {
    if !at_once {
        for number in 0..CALLS {
            let reply: (usize, usize) =
                script.call("note", (task, number)).await.expect("it answers");
            assert_eq!(reply, (task, number));
        }
        return;
    }
    let mut calls = Vec::new();
    for number in 0..CALLS {
        let call = script.call::<(usize, usize)>("note", (task, number));
        let mut call = Box::pin(maybe_done(call.into_future()));
        send(&mut call).await;
        calls.push(call);
    }
    for (number, mut call) in calls.into_iter().enumerate() {
        call.as_mut().await;
        let reply = call.as_mut().take_output().expect("it is done");
        assert_eq!(reply.expect("it answers"), (task, number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_tasks_on_several_threads_get_their_own_answers_and_keep_each_tasks_order() {
    let script = script(
        r#"
            seen = []
            def note(task, number):
                seen.append((task, number))
                return task, number
        "#,
    )
    .await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(call_many(script.clone(), task, task % 2 == 0)))
        .collect();
    for task in tasks {
        task.await.expect("its answers are its own");
    }
    let seen: Vec<(usize, usize)> = script.getattr("seen").await.expect("it answers");
    assert_eq!(seen.len(), TASKS * CALLS);
    for task in 0..TASKS {
        let numbers = seen.iter().filter(|(whose, _)| *whose == task).map(|(_, number)| *number);
        assert!(numbers.eq(0..CALLS), "task {task}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lock_that_a_thread_owns_is_held_from_one_call_to_another() {
    let source = r#"
        import threading
        lock = threading.RLock()
        def enter(): return lock.acquire(False)
        def leave(): lock.release()
        def others_may():
            got = []
            def ask():
                got.append(lock.acquire(False))
                if got[0]: lock.release()
            other = threading.Thread(target=ask)
            other.start()
            other.join()
            return got[0]
    "#;
    let script = script(source).await;
    let ask = |method: &'static str| {
        let script = script.clone();
        // Each from a task of its own, on whatever thread that is.
        tokio::spawn(
            async move { script.call::<Option<bool>>(method, ()).await.expect("it answers") },
        )
    };
    for (method, expected) in [
        ("enter", Some(true)),
        ("enter", Some(true)),
        ("others_may", Some(false)),
        ("leave", None),
        ("others_may", Some(false)),
        ("leave", None),
        ("others_may", Some(true)),
    ] {
        assert_eq!(ask(method).await.expect("it does not panic"), expected, "{method}");
    }
    let error = script.call::<()>("leave", ()).await.expect_err("it is left");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "RuntimeError");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn database_that_only_its_own_thread_may_use_is_used_in_many_calls() {
    let source = r#"
        try: import sqlite3
        except ImportError: sqlite3 = None
        def there(): return sqlite3 is not None
        def open():
            global base
            base = sqlite3.connect(':memory:')
            base.execute('create table t (n)')
        def add(n): base.execute('insert into t values (?)', (n,))
        def total(): return base.execute('select sum(n) from t').fetchone()[0]
    "#;
    let script = script(source).await;
    if !script.call::<bool>("there", ()).await.expect("it answers") {
        return absent("the interpreter has no sqlite3");
    }
    script.call::<()>("open", ()).await.expect("it answers");
    let adding: Vec<_> = (1..=20)
        .map(|n| {
            let script = script.clone();
            tokio::spawn(async move { script.call::<()>("add", (n,)).await })
        })
        .collect();
    for added in adding {
        added.await.expect("it does not panic").expect("it is the same thread");
    }
    assert_eq!(script.call::<u64>("total", ()).await.expect("it answers"), 210);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn signal_handler_is_set_in_one_call_and_runs_in_another() {
    let source = r#"
        import os, signal
        heard = []
        def listen(): signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
        def raise_one():
            os.kill(os.getpid(), signal.SIGUSR2)
            while not heard: pass
            return heard == [signal.SIGUSR2]
    "#;
    let script = script(source).await;
    script.call::<()>("listen", ()).await.expect("it is the main thread");
    assert!(script.call::<bool>("raise_one", ()).await.expect("it answers"));
}
