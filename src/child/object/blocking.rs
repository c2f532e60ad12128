//! Where an object's sync code runs: on the thread that received the call, which first
//! hands its other work to another thread.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::common::threads::are_scarce;

/// How many threads may hand over their other work at the same time. Waking another
/// thread for a call, and this one for its result, costs more than most calls take.
const MAX_IN_PLACE: usize = 64;
static IN_PLACE_PERMITS: Semaphore = Semaphore::const_new(MAX_IN_PLACE);

/// How many more calls may run, on threads of their own where possible; further calls
/// wait. Handing over work takes a thread of the same pool, which must not run dry.
const MAX_ON_OTHER_THREADS: usize = 1000;
static OTHER_THREAD_PERMITS: Semaphore = Semaphore::const_new(MAX_ON_OTHER_THREADS);

/// How many threads the daemon's runtime needs for blocking work: for these calls, for
/// the threads that take over work, and some for decoding and drops.
pub(crate) const BLOCKING_THREADS: usize = MAX_IN_PLACE + MAX_ON_OTHER_THREADS + 64;

/// Returns a permit for sync code that runs on a thread that nobody waits for longer than
/// a moment; `None` if so many calls block already that threads are scarce.
pub(crate) fn try_in_place_permit() -> Option<SemaphorePermit<'static>> {
    IN_PLACE_PERMITS.try_acquire().ok()
}

/// Runs sync code on this thread if a permit is available; returns the code otherwise.
pub(crate) fn try_in_place<T, F: FnOnce() -> T>(run: F) -> Result<T, F> {
    // Without a thread that takes over this one's other work, all of that would wait.
    if are_scarce() {
        return Err(run);
    }
    match (can_hand_over(), IN_PLACE_PERMITS.try_acquire()) {
        (true, Ok(_permit)) => Ok(tokio::task::block_in_place(run)),
        _ => Err(run),
    }
}

/// Runs sync code that must stay on this thread. It waits for a permit only if so many
/// calls block already that threads are scarce.
pub async fn in_place<T>(run: impl FnOnce() -> T) -> T {
    if !can_hand_over() {
        // A single-threaded runtime, as in tests, cannot hand over work.
        return run();
    }
    let _permit = match IN_PLACE_PERMITS.try_acquire() {
        Ok(permit) => permit,
        Err(_) => other_thread_permit().await,
    };
    tokio::task::block_in_place(run)
}

/// Returns a permit for code that runs on its own thread, or hands over this thread's
/// work.
pub(crate) async fn other_thread_permit() -> SemaphorePermit<'static> {
    OTHER_THREAD_PERMITS.acquire().await.expect("the semaphore is never closed")
}

fn can_hand_over() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
}
