//! Calls from threads that a runtime has for blocking work, also if these are all in use:
//! nothing of oad's waits for one of them.

use std::future::Future;
use std::time::Duration;

use support::lab::LabProxy;
use tokio::runtime::{Builder, Handle, Runtime};

mod support;

oad::test_daemon!();

/// Large enough that the response comes in chunks.
const LEN: usize = 1_200_000;

/// For what would otherwise last for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// More than the runtime has, by default.
const THREADS: usize = 600;

/// Makes so many calls, each from a blocking thread of the runtime.
async fn call_from_blocking_threads<F>(count: usize, call: impl Fn() -> F)
where
    F: Future<Output = usize> + Send + 'static,
{
    let calls = (0..count).map(|_| {
        let call = call();
        tokio::task::spawn_blocking(move || Handle::current().block_on(call))
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("it does not panic"), LEN);
    }
}

fn runtimes() -> [(Runtime, usize); 3] {
    let build = |builder: &mut Builder| builder.enable_all().build().expect("it can be built");
    [
        (build(&mut Builder::new_multi_thread()), THREADS),
        (build(Builder::new_multi_thread().max_blocking_threads(1)), 1),
        (build(Builder::new_current_thread().max_blocking_threads(1)), 1),
    ]
}

#[test]
fn calls_of_a_rust_object_end_when_all_blocking_threads_wait() {
    for (runtime, count) in runtimes() {
        runtime.block_on(async {
            let lab = LabProxy::new().await.expect("a daemon can be made");
            // One kind of response is decoded where it arrives, the other one aside.
            call_from_blocking_threads(count, || {
                let call = lab.bytes(LEN).timeout(PATIENCE);
                async move { call.await.expect("it answers").len() }
            })
            .await;
            call_from_blocking_threads(count, || {
                let call = lab.echo("x".repeat(LEN).into()).timeout(PATIENCE);
                async move { call.await.expect("it answers").as_str().map_or(0, str::len) }
            })
            .await;
        });
    }
}

#[cfg(feature = "python")]
#[test]
fn calls_of_a_python_object_end_when_all_blocking_threads_wait() {
    for (runtime, count) in runtimes() {
        runtime.block_on(async {
            let object = support::python::script("def text(n): return 'x' * n").await;
            call_from_blocking_threads(count, || {
                let call = object.call::<String>("text", (LEN,)).timeout(PATIENCE);
                async move { call.await.expect("it answers").len() }
            })
            .await;
        });
    }
}
