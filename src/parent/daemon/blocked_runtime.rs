//! Detects that a future is polled by a `block_on` on a thread of an async runtime. The
//! connection to the daemon needs that thread, so it would wait for ever: if it is the
//! only one, for all it does; if there are others, for what the future wakes, because
//! tokio keeps a task that is woken on a thread for that thread.

use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often the future is woken while the runtime has not run a task that was given to
/// it.
const WAKES: usize = 100;

/// The time between two wakes.
const INTERVAL: Duration = Duration::from_millis(1);

/// Whether `runtime` does not run on the thread that polls this future.
///
/// This does not depend on time, because a runtime may be busy. It counts how often the
/// future is polled after a task was spawned on the runtime: one that runs its tasks in
/// turn would run that task after the first of these polls, or soon after.
pub(super) async fn is_blocked(runtime: &Runtime, keeper: &Runtime) -> bool {
    if runtime.id() == keeper.id() {
        return false;
    }
    let mut probe = runtime.spawn(async {});
    let (wake, mut wakes) = mpsc::channel(1);
    keeper.spawn(async move {
        loop {
            tokio::select! {
                () = wake.closed() => return,
                () = sleep(INTERVAL) => {}
            }
            // If the last wake has not been seen yet, there is no need for another.
            let _ = wake.try_send(());
        }
    });
    for _ in 0..WAKES {
        tokio::select! {
            biased;
            // It has run, or the runtime has ended, which `launch` reports.
            _ = &mut probe => return false,
            _ = wakes.recv() => {}
        }
    }
    true
}
