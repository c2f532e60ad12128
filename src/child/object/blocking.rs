//! Where an object's sync code runs: on the very thread that has come to it, which hands
//! its other work to another.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many threads may hand their other work over at the same time. To wake another
/// thread for a call, and this one for its answer, costs more than most calls take.
const IN_PLACE: usize = 64;
static LEFT: Semaphore = Semaphore::const_new(IN_PLACE);

/// How many more may run, on threads of their own if they can; one more waits. Handing
/// over takes a thread of the same pool, which must not run dry.
const ON_OTHER_THREADS: usize = 1000;
static ON_OTHER_THREADS_LEFT: Semaphore = Semaphore::const_new(ON_OTHER_THREADS);

/// How many threads the daemon's runtime must allow for blocking work: these calls, who
/// takes work over, and some for decoding and drops.
pub(crate) const BLOCKING_THREADS: usize = IN_PLACE + ON_OTHER_THREADS + 64;

/// Runs sync code here if there is a place now; gives it back if there is none.
pub(crate) fn try_in_place<T, F: FnOnce() -> T>(run: F) -> Result<T, F> {
    match (can_hand_over(), LEFT.try_acquire()) {
        (true, Ok(_place)) => Ok(tokio::task::block_in_place(run)),
        _ => Err(run),
    }
}

/// Runs sync code here, which cannot be moved to another thread. It waits only when so
/// much waits already that threads must be spared.
pub async fn in_place<T>(run: impl FnOnce() -> T) -> T {
    if !can_hand_over() {
        // The runtime of a test, which has nobody to hand anything to.
        return run();
    }
    let _place = match LEFT.try_acquire() {
        Ok(place) => place,
        Err(_) => place_on_other_threads().await,
    };
    tokio::task::block_in_place(run)
}

/// A place for code that runs on a thread of its own, or has another do this one's work.
pub(crate) async fn place_on_other_threads() -> SemaphorePermit<'static> {
    ON_OTHER_THREADS_LEFT.acquire().await.expect("the semaphore is never closed")
}

fn can_hand_over() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
}
