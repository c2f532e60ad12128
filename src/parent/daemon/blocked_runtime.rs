//! Detects that a future is polled by a `block_on` on a thread of an async runtime. The
//! connection to the daemon needs that thread, so it would wait for ever: if it is the only
//! one, for all it does; if there are others, for what the future wakes, because tokio keeps
//! a task that is woken on a thread for that thread.

use std::future::pending;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often the future is woken while the runtime has not run a task that was given to it.
const WAKES: usize = 100;

/// The time between two wakes.
const INTERVAL: Duration = Duration::from_millis(1);

/// Completes if `runtime` does not run on the thread that polls this future; never
/// otherwise.
///
/// It does not measure time, because a runtime may be busy. It counts how often the future
/// has been polled since a task was spawned on the runtime: one that runs its tasks in turn
/// would have run that task after the first of these polls, or soon after.
pub(super) async fn blocked(runtime: Runtime, keeper: &Runtime) {
    if runtime.id() == keeper.id() {
        return pending().await;
    }
    let mut probe = runtime.spawn(async {});
    let (wake, mut wakes) = mpsc::channel(1);
    keeper.spawn(async move {
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
