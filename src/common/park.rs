//! Waits for a future in sync code, by parking the thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::task::coop::unconstrained;

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks this thread until the future is ready.
///
/// A runtime's own `block_on` panics where another runtime runs on this thread, and that
/// of `futures` where it runs already. The budget of tokio's tasks is lifted: a task that
/// has used it up is woken by its runtime, which may need this very thread.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::RwLock;

    use super::*;

    #[tokio::test]
    async fn task_whose_budget_is_used_up_is_not_kept_waiting() {
        let lock = RwLock::new(());
        for _ in 0..1000 {
            drop(wait(lock.read()));
        }
    }

    #[test]
    fn waits_nest() {
        assert_eq!(wait(async { wait(async { 7 }) }), 7);
    }
}
