//! Coroutines, asynchronous generators and objects of an event loop, over both ways.
//! `OAD_PYTHON` names the interpreter.

use std::time::Duration;

use futures_util::future::join_all;
use oad::{ErrorKind, PythonProxy, Stream, Value};
use support::python::{dedent, with};
use support::until;

mod support;

oad::test_daemon!();

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(20);

const SOURCE: &str = r#"
    import asyncio, threading, types
    left, gates, loops = [], {}, []
    async def wait(name):
        await gates.setdefault(name, asyncio.Event()).wait()
        return name
    async def open_gate(name): gates.setdefault(name, asyncio.Event()).set()
    async def forever():
        left.append('begun')
        try: await asyncio.sleep(60)
        finally: left.append('ended')
    async def swallow():
        left.append('begun')
        while True:
            try: await asyncio.sleep(60)
            except asyncio.CancelledError: left.append('swallowed')
    async def fail(): raise ValueError('no')
    async def nothing(): left.append('done')
    def main(): return threading.current_thread() is threading.main_thread()
    def seen(): return list(left)
    async def count(n):
        try:
            for i in range(n):
                yield i
                if i == 2: await wait('third')
        finally:
            left.append('closed')
    async def rows(): return [1, 2, 3]
    class Session:
        def __init__(self): self.thread, self.queue = threading.get_ident(), asyncio.Queue()
        async def __aenter__(self): left.append('entered'); return self
        async def __aexit__(self, *error): left.append('exited')
        def is_at_home(self): return threading.get_ident() == self.thread
        async def get(self): return await self.queue.get()
        def put(self, x): self.queue.put_nowait(x)
    async def connect(): return Session()
"#;

/// A script over each way, without and with threads.
async fn all_ways() -> Vec<PythonProxy> {
    let definition =
        |threads| with(oad::python_script("script.py", dedent(SOURCE))).threads(threads);
    let mut scripts = Vec::new();
    for threads in [0, 2] {
        scripts.push(definition(threads).await.expect("it is made"));
        scripts.push(definition(threads).over_grpc().await.expect("it is made"));
    }
    scripts
}

async fn seen(script: &PythonProxy) -> Vec<String> {
    script.call("seen", ()).await.expect("it answers")
}

async fn next(stream: &mut Stream<u64>) -> Option<u64> {
    let item = tokio::time::timeout(LONG, stream.next()).await.expect("it comes in time");
    item.map(|item| item.expect("it is one"))
}

#[tokio::test]
async fn requested_type_decides_whether_a_coroutine_is_awaited() {
    for script in all_ways().await {
        assert_eq!(script.call::<Vec<u64>>("rows", ()).await.expect("it is"), [1, 2, 3]);
        let value: Value = script.call("rows", ()).await.expect("it is awaited");
        assert_eq!(value, vec![1, 2, 3].into());
        script.call::<()>("nothing", ()).await.expect("it is awaited");
        assert_eq!(seen(&script).await, ["done"]);
        let coroutine: PythonProxy = script.call("rows", ()).await.expect("it stays");
        assert!(coroutine.repr().await.expect("it has one").starts_with("<coroutine"));
        let py = script.interpreter();
        let rows: Vec<u64> =
            py.eval("later").name("later", &coroutine).await.expect("it is awaited");
        assert_eq!(rows, [1, 2, 3]);
        let rows: PythonProxy = script.call("rows", ()).awaited().await.expect("it is awaited");
        assert_eq!(rows.len().await.expect("it is a list"), 3);
        let error = script.call::<u64>("fail", ()).await.expect_err("it raises");
        assert_eq!(error.exception().expect("it is one").type_name(), "ValueError");
    }
}

#[tokio::test]
async fn thousands_are_in_flight_while_calls_go_on() {
    for script in all_ways().await {
        let waiting = join_all((0..2000).map(|_| script.call::<String>("wait", ("all",))));
        let rest = async {
            for _ in 0..20 {
                script.call::<bool>("main", ()).await.expect("it answers");
            }
            script.call::<()>("open_gate", ("all",)).await.expect("it opens");
        };
        let (waited, ()) = tokio::join!(waiting, rest);
        assert!(waited.into_iter().all(|name| name.expect("it is open") == "all"));
    }
}

#[tokio::test]
async fn timeout_and_drop_cancel_the_task() {
    for script in all_ways().await {
        let late = script.call::<()>("forever", ()).timeout(SHORT).await;
        let late = late.expect_err("it does not end");
        assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
        until(async || seen(&script).await == ["begun", "ended"]).await;
        {
            let call = script.call::<()>("forever", ());
            tokio::pin!(call);
            let begun = async {
                until(async || seen(&script).await.len() == 3).await;
            };
            tokio::select! {
                _ = &mut call => panic!("it does not end"),
                () = begun => {}
            }
        }
        until(async || seen(&script).await.len() == 4).await;
    }
}

#[tokio::test]
async fn swallowed_cancellation_is_busy_and_stuck() {
    for is_direct in [true, false] {
        let definition = with(oad::python_script("script.py", dedent(SOURCE)));
        let definition = definition.kill_when_stuck(SHORT);
        let definition = if is_direct { definition } else { definition.over_grpc() };
        let script = definition.await.expect("it is made");
        // Others that wait are not stuck.
        let waiting = script.call::<String>("wait", ("never",));
        let rest = async {
            until(async || script.call::<bool>("main", ()).await.is_ok()).await;
            let late = script.call::<()>("swallow", ()).timeout(SHORT).await;
            let late = late.expect_err("it does not end");
            assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
            assert!(late.to_string().contains("keeps the object busy"), "{late}");
        };
        let (waited, ()) = tokio::join!(waiting, rest);
        assert_eq!(waited.expect_err("it is killed").kind(), ErrorKind::Died);
    }
}

#[tokio::test]
async fn asynchronous_generators_are_streams() {
    for script in all_ways().await {
        let mut items = script.call_iter::<u64>("count", (5,)).await.expect("it opens");
        for n in 0..3 {
            // The third is there before the fourth can be made.
            assert_eq!(next(&mut items).await, Some(n));
        }
        script.call::<()>("open_gate", ("third",)).await.expect("it opens");
        assert_eq!(next(&mut items).await, Some(3));
        assert_eq!(next(&mut items).await, Some(4));
        assert_eq!(next(&mut items).await, None);
        assert_eq!(seen(&script).await, ["closed"]);
        let mut items = script.call_iter::<u64>("count", (5,)).await.expect("it opens");
        assert_eq!(next(&mut items).await, Some(0));
        drop(items);
        until(async || seen(&script).await.len() == 2).await;
        // What a coroutine returns can be iterated too.
        let mut items = script.call_iter::<u64>("rows", ()).await.expect("it opens");
        assert_eq!(next(&mut items).await, Some(1));
    }
}

#[tokio::test]
async fn object_of_the_loop_is_used_on_it() {
    for script in all_ways().await {
        let session: PythonProxy = script.call("connect", ()).awaited().await.expect("it connects");
        let entered: PythonProxy = session.operate("enter", ()).await.expect("it is entered");
        assert_eq!(entered.handle(), session.handle());
        assert!(session.call::<bool>("is_at_home", ()).await.expect("it answers"));
        let get = session.call::<u64>("get", ()).timeout(LONG);
        let put = session.call::<()>("put", (7,));
        let (got, put) = tokio::join!(get, put);
        put.expect("it is put");
        assert_eq!(got.expect("it is there"), 7);
        session.operate::<()>("exit", ()).await.expect("it is left");
        assert_eq!(seen(&script).await, ["entered", "exited"]);
    }
}
