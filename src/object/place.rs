//! Where an object's sync code runs: on the very thread that has come to it, which hands its other work to another.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// How many threads may hand their other work over at the same time. To wake another thread for a call, and this one for its answer, costs more
/// than most calls take.
pub(crate) const IN_PLACE: usize = 64;
static LEFT: Semaphore = Semaphore::const_new(IN_PLACE);

/// Runs sync code here if there is a place now; gives it back if there is none.
pub(crate) fn try_in_place<T, F: FnOnce() -> T>(run: F) -> Result<T, F> {
    match (can_hand_over(), LEFT.try_acquire()) {
        (true, Ok(_place)) => Ok(tokio::task::block_in_place(run)),
        _ => Err(run),
    }
}

/// Runs sync code here, as soon as there is a place.
pub async fn in_place<T>(run: impl FnOnce() -> T) -> T {
    if !can_hand_over() {
        // The runtime of a test, which has nobody to hand anything to.
        return run();
    }
    let _place = LEFT.acquire().await.expect("the semaphore is never closed");
    tokio::task::block_in_place(run)
}

fn can_hand_over() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
}
