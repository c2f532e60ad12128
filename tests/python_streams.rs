//! Streams of Python objects, over both ways: when an item comes, and what their end
//! closes. `OAD_PYTHON` names the interpreter.

use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use oad::{ErrorKind, PythonProxy, Remote as _, Stream};
use support::python::{dedent, with};
use support::until;

mod support;

oad::test_daemon!();

const LONG: Duration = Duration::from_secs(20);

/// A script over each way.
async fn both_ways(source: &str) -> Vec<PythonProxy> {
    let definition = || with(oad::python_script("script.py", dedent(source)));
    let direct = definition().await.expect("it is made");
    let over_grpc = definition().over_grpc().await.expect("it is made");
    vec![direct, over_grpc]
}

async fn next<T: serde::de::DeserializeOwned>(stream: &mut Stream<T>) -> T {
    let item = tokio::time::timeout(LONG, stream.next()).await.expect("it comes in time");
    item.expect("there are more").expect("it is one")
}

#[tokio::test]
async fn item_arrives_before_the_next_one_is_made() {
    let source = r#"
        import os, queue, threading, time
        waiting = queue.Queue()
        def slow():
            yield 'a'
            waiting.get()
            yield 'b'
        class Slow:
            def __init__(self): self.count = 0
            def __iter__(self): return self
            def __next__(self):
                self.count += 1
                if self.count % 2 == 0: waiting.get()
                return self.count
        def mapped(): return map(lambda x: x if x % 2 else (waiting.get(), x)[1], range(1, 9))
        def let_go(): threading.Timer(0.05, waiting.put, [None]).start()
    "#;
    for script in both_ways(source).await {
        for window in [None, Some(1), Some(100)] {
            let open = || {
                let call = script.call_iter::<String>("slow", ());
                match window {
                    None => call,
                    Some(items) => call.window(items),
                }
            };
            let mut slow = open().await.expect("it opens");
            assert_eq!(next(&mut slow).await, "a");
            if window.is_none() {
                script.call::<()>("let_go", ()).await.expect("the object is idle");
                assert_eq!(next(&mut slow).await, "b");
                assert!(slow.next().await.is_none());
            }
        }
        for call in [script.call_iter::<i64>("Slow", ()), script.call_iter::<i64>("mapped", ())] {
            let mut items = call.await.expect("it opens");
            for expected in [1, 3, 5] {
                assert_eq!(next(&mut items).await, expected);
                script.call::<()>("let_go", ()).await.expect("the object is idle");
                assert_eq!(next(&mut items).await, expected + 1);
            }
        }
    }
}

#[tokio::test]
async fn consumer_may_feed_the_generator_between_two_items() {
    let source = r#"
        import queue
        q = queue.Queue()
        def items():
            while True: yield q.get()
        put = q.put
    "#;
    for script in both_ways(source).await {
        let mut items = script.call_iter::<i64>("items", ()).await.expect("it opens");
        for n in 0..50 {
            script.call::<()>("put", (n,)).await.expect("nothing runs there");
            // A consumer that polls more than once is given one item all the same.
            let _ = items.next().now_or_never();
            tokio::task::yield_now().await;
            let item = items.next().await;
            assert_eq!(item.expect("there are more").expect("it is one"), n);
        }
    }
}

#[tokio::test]
async fn containers_are_read_fast_and_whole() {
    for script in both_ways("def f(n): return iter(range(n))\nnumbers = list(range(5000))\n").await
    {
        let since = Instant::now();
        let numbers: Vec<i64> = script
            .call_iter::<i64>("f", (20_000,))
            .await
            .expect("it opens")
            .collect()
            .await
            .expect("numbers");
        assert_eq!(numbers.len(), 20_000);
        assert!(since.elapsed() < LONG, "{:?}", since.elapsed());
        let list: PythonProxy = script.getattr("numbers").await.expect("it is there");
        let items = list.iter::<i64>().await.expect("it opens").map(|item| item.expect("a number"));
        assert_eq!(items.collect::<Vec<_>>().await, (0..5000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn end_of_a_stream_closes_only_what_it_alone_owns() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("lines");
    std::fs::write(&path, "one\ntwo\nthree\nfour\n").expect("there is room");
    let source = r#"
        import io
        closed = []
        def numbers():
            try:
                for n in range(1000): yield n
            finally: closed.append('numbers')
        kept = numbers()
        class Cursor:
            def __init__(self): self.is_closed = False
            def close(self): self.is_closed = True
            def __iter__(self): return self
            def __next__(self): return 1
        cursor = Cursor()
    "#;
    for script in both_ways(source).await {
        let file: PythonProxy =
            script.call("io.open", (&path,)).await.expect("the file can be opened");
        let mut lines = file.iter::<String>().await.expect("it opens");
        assert_eq!(next(&mut lines).await, "one\n");
        drop(lines);
        assert_eq!(file.call::<String>("readline", ()).await.expect("it is open"), "two\n");
        let mut rest = file.iter::<String>().await.expect("it opens");
        assert_eq!(next(&mut rest).await, "three\n");

        // A generator that something else refers to goes on, as after a `break`.
        let kept: PythonProxy = script.getattr("kept").await.expect("it is there");
        let mut first = kept.iter::<i64>().await.expect("it opens");
        assert_eq!(next(&mut first).await, 0);
        drop((first, kept));
        let kept: PythonProxy = script.getattr("kept").await.expect("it is there");
        let mut second = kept.iter::<i64>().await.expect("it opens");
        assert_eq!(next(&mut second).await, 1);
        let cursor: PythonProxy = script.getattr("cursor").await.expect("it is there");
        let mut one = cursor.iter::<i64>().await.expect("it opens");
        assert_eq!(next(&mut one).await, 1);
        drop(one);
        assert!(!cursor.getattr::<bool>("is_closed").await.expect("it answers"));

        let closed = async || script.getattr::<Vec<String>>("closed").await.expect("it answers");
        assert_eq!(closed().await, [""; 0]);
        // What the stream alone owns is closed.
        let mut own = script.call_iter::<i64>("numbers", ()).await.expect("it opens");
        assert_eq!(next(&mut own).await, 0);
        drop(own);
        until(async || closed().await == ["numbers"]).await;
    }
}

#[tokio::test]
async fn stream_that_fails_or_ends_leaves_its_iterator_to_others() {
    let source = r#"
        class Twice:
            def __init__(self): self.turn = 0
            def __iter__(self): return self
            def __next__(self):
                self.turn += 1
                if self.turn % 3 == 0: raise ValueError(self.turn)
                return self.turn
        twice = Twice()
    "#;
    for script in both_ways(source).await {
        let twice: PythonProxy = script.getattr("twice").await.expect("it is there");
        for begin in [1, 4] {
            let mut items = twice.iter::<i64>().await.expect("it opens");
            assert_eq!((next(&mut items).await, next(&mut items).await), (begin, begin + 1));
            let error = items.next().await.expect("a failure").expect_err("it fails");
            assert_eq!(error.exception().expect("Python raised it").type_name(), "ValueError");
            assert!(items.next().await.is_none());
        }
    }
}

#[tokio::test]
async fn streams_that_are_open_and_not_read_do_not_delay_the_shutdown() {
    let source = r#"
        def endless():
            n = 0
            while True:
                yield n
                n += 1
        numbers = list(range(5000))
    "#;
    let definition = || with(oad::python_script("script.py", dedent(source))).grace(LONG * 2);
    for script in [definition(), definition().over_grpc()] {
        let script = script.await.expect("it is made");
        let mut endless = script.call_iter::<i64>("endless", ()).await.expect("it opens");
        assert_eq!(next(&mut endless).await, 0);
        let ahead = script.call_iter::<i64>("endless", ()).window(10).await.expect("it opens");
        let list: PythonProxy = script.getattr("numbers").await.expect("it is there");
        let numbers = list.iter::<i64>().await.expect("it opens");
        let report = tokio::time::timeout(LONG, script.daemon().shutdown()).await;
        let report = report.expect("nothing is waited for").expect("it ends");
        assert!(report.is_clean(), "{report}");
        for stream in [endless, ahead, numbers] {
            let error = stream.collect::<Vec<_>>().await.expect_err("it was cut short");
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        }
    }
}
