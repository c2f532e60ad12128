//! Where calls are made from, and how they are timed.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};

use crate::row::Round;

/// How many calls are in flight at once, where several are.
pub(crate) const IN_FLIGHT: u64 = 64;

/// Where calls are made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A spawned task of a runtime with several threads.
    SpawnedTask,
    /// The future that is given to `block_on`.
    RootFuture,
    /// A thread outside of the runtime, which blocks until the call returns.
    BlockedThread,
}

/// A client of something that returns the number that it is called with.
pub(crate) trait Echo: Clone + Send + Sync + 'static {
    fn same(&self, number: u64) -> impl Future<Output = u64> + Send;
}

/// A runtime with as many threads as most programs of this machine have.
pub(crate) fn multi_thread() -> Arc<Runtime> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    Arc::new(runtime.expect("the runtime can be made"))
}

/// A runtime with one thread at the other end of a peer's socket is common, and favours
/// it.
pub(crate) fn current_thread() -> Arc<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    Arc::new(runtime.expect("the runtime can be made"))
}

/// Times calls that are made one after the other.
pub(crate) fn one_by_one<'a>(
    runtime: &Arc<Runtime>,
    place: Place,
    echo: impl Echo,
    calls: u64,
) -> Round<'a> {
    let runtime = runtime.clone();
    Box::new(move || {
        let measuring = time_calls(echo.clone(), calls);
        match place {
            Place::SpawnedTask => run_spawned(&runtime, measuring),
            Place::RootFuture => runtime.block_on(measuring),
            Place::BlockedThread => (0..calls)
                .map(|number| {
                    let start = Instant::now();
                    let same = futures::executor::block_on(echo.same(number));
                    checked(start, same, number)
                })
                .collect(),
        }
    })
}

/// Runs a future as a task of the runtime.
pub(crate) fn run_spawned<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    runtime.block_on(runtime.spawn(future)).expect("the task does not panic")
}

async fn time_calls(echo: impl Echo, calls: u64) -> Vec<f64> {
    let mut times = Vec::new();
    for number in 0..calls {
        let start = Instant::now();
        let same = echo.same(number).await;
        times.push(checked(start, same, number));
    }
    times
}

/// Returns how long a call took, after the clock has been read.
fn checked(start: Instant, same: u64, number: u64) -> f64 {
    let duration = start.elapsed();
    assert_eq!(same, number, "a call returned something else");
    duration.as_secs_f64()
}

/// Measures the rate of calls of which a fixed number is always in flight.
pub(crate) fn in_flight<'a>(runtime: &Arc<Runtime>, echo: impl Echo, calls: u64) -> Round<'a> {
    let runtime = runtime.clone();
    Box::new(move || {
        let echo = echo.clone();
        let duration = run_spawned(&runtime, async move {
            let start = Instant::now();
            join_all((0..IN_FLIGHT).map(|_| async {
                for number in 0..calls / IN_FLIGHT {
                    assert_eq!(echo.same(number).await, number);
                }
            }))
            .await;
            start.elapsed()
        });
        vec![rate(calls, duration)]
    })
}

/// Measures the rate of calls that are all sent before the first response is read.
pub(crate) fn pipelined<'a>(runtime: &Arc<Runtime>, echo: impl Echo, calls: u64) -> Round<'a> {
    let runtime = runtime.clone();
    Box::new(move || {
        let echo = echo.clone();
        let duration = run_spawned(&runtime, async move {
            let start = Instant::now();
            let numbers = join_all((0..calls).map(|number| echo.same(number))).await;
            let duration = start.elapsed();
            assert!(numbers.into_iter().eq(0..calls), "a call returned something else");
            duration
        });
        vec![rate(calls, duration)]
    })
}

/// Operations per second.
pub(crate) fn rate(count: u64, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64()
}
