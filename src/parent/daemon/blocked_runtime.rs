//! Finds out that an async runtime runs nothing while a future is polled in it: somebody
//! waits for the future with `block_on` on the runtime's only thread, and the connection to
//! the daemon, which needs that thread, would wait for ever.

use std::future::pending;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often the future is woken while the runtime has not run a task that was given to it.
const WAKES: usize = 100;

/// The time between two wakes.
const INTERVAL: Duration = Duration::from_millis(1);

/// Completes if `runtime` does not run while this future is polled; never otherwise.
///
/// It does not measure time, because a runtime may be busy. It counts how often the future
/// has been polled since a task was given to the runtime: one that runs its tasks in turn
/// would have run it after the first of these polls, or soon after.
pub(super) async fn blocked(runtime: Runtime, keeper: &Runtime) {
    if runtime.metrics().num_workers() > 1 || runtime.id() == keeper.id() {
        return pending().await;
    }
    let (wake, mut wakes) = mpsc::channel(1);
    keeper.spawn(async move {
        // From this thread, because a task given to a runtime on its own thread may be
        // bound to that.
        let mut probe = runtime.spawn(async {});
        loop {
            tokio::select! {
                // It has run, or the runtime has ended, which `launch` reports.
                _ = &mut probe => return,
                () = wake.closed() => return,
                () = sleep(INTERVAL) => {}
            }
            // If the last wake has not been seen yet, there is no need for another.
            let _ = wake.try_send(());
        }
    });
    for _ in 0..WAKES {
        if wakes.recv().await.is_none() {
            return pending().await;
        }
    }
}
