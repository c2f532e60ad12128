//! Threads for work that may block: started when they are needed, used again, and ended
//! when they were idle for a while.
//!
//! tokio has such threads too. Where the system has no more of them, it panics, or keeps
//! the work waiting for ever. Here the caller learns of it and gets the work back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce() + Send>;

static IDLE_THREADS: IdleThreads = IdleThreads {
    state: Mutex::new(IdleState { work: VecDeque::new(), idle: 0, pid: 0 }),
    added: Condvar::new(),
};

/// Whether the last attempt to start a thread failed.
static IS_SCARCE: AtomicBool = AtomicBool::new(false);

struct IdleThreads {
    state: Mutex<IdleState>,
    added: Condvar,
}

struct IdleState {
    /// Job that idle threads are about to take.
    work: VecDeque<Job>,
    /// How many threads wait for work, or have been told to take some.
    idle: usize,
    /// The process of these threads. A fork's copy has none of them.
    pid: i32,
}

/// Runs `work` on another thread, in the current runtime's context. The returned future
/// completes with its result, or with `None` if it panicked. If the future is dropped
/// before the work has started, the work is dropped.
///
/// # Errors
///
/// The work itself, if no thread can be started.
pub(crate) fn run_aside<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
    work: F,
) -> Result<impl Future<Output = Option<T>> + Send + 'static, F> {
    let (sender, receiver) = oneshot::channel();
    start(work, move |work| {
        if !sender.is_closed() {
            // Nobody waits for it any more.
            let _ = sender.send(work());
        }
    })?;
    Ok(async move { receiver.await.ok() })
}

/// Runs `work` on another thread, in the current runtime's context, or on this thread if
/// no other can be started: for work that must be done, even if it delays others.
pub(crate) fn run_aside_or_here(work: impl FnOnce() + Send + 'static) {
    if let Err(work) = start(work, |work| work()) {
        work();
    }
}

/// Does what [`run_aside`] does, but on this thread if no other can be started.
pub(crate) async fn aside_or_here<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match run_aside(work) {
        Ok(running) => running.await,
        Err(work) => catch_unwind(AssertUnwindSafe(work)).ok(),
    }
}

/// Whether the last attempt to start a thread failed, here or where
/// [`note_started`] is called.
pub(crate) fn are_scarce() -> bool {
    IS_SCARCE.load(Ordering::Relaxed)
}

/// Records whether a thread could be started.
pub(crate) fn note_started(is_started: bool) {
    // Seldom changed, and read by many.
    if are_scarce() == is_started {
        IS_SCARCE.store(!is_started, Ordering::Relaxed);
    }
}

/// Passes `work` to `run` on another thread, or returns it.
fn start<F: Send + 'static>(work: F, run: impl FnOnce(F) + Send + 'static) -> Result<(), F> {
    // A closure that a thread could not be started with is lost, and so would be what it
    // holds.
    let slot = Arc::new(Mutex::new(Some(work)));
    let (taken, runtime) = (Arc::clone(&slot), Runtime::try_current().ok());
    let job: Job = Box::new(move || {
        let _entered = runtime.as_ref().map(Runtime::enter);
        if let Some(work) = take(&taken) {
            run(work);
        }
    });
    if IDLE_THREADS.run(job) {
        return Ok(());
    }
    take(&slot).map_or(Ok(()), Err)
}

fn this_process() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

fn take<F>(slot: &Mutex<Option<F>>) -> Option<F> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl IdleThreads {
    /// Has an idle thread, or a new one, do `work`; returns whether there is one.
    fn run(&'static self, work: Job) -> bool {
        {
            let mut state = self.state();
            if state.pid != this_process() {
                *state = IdleState { work: VecDeque::new(), idle: 0, pid: this_process() };
            }
            if state.idle > 0 {
                state.idle -= 1;
                state.work.push_back(work);
                self.added.notify_one();
                return true;
            }
        }
        let thread = std::thread::Builder::new().name("oad-blocking".to_owned());
        let is_started = thread.spawn(move || self.work(work)).is_ok();
        note_started(is_started);
        is_started
    }

    /// Does `work`, and then what comes while it is kept.
    fn work(&self, mut work: Job) {
        loop {
            // Whoever waits for the result learns of a panic.
            let _ = catch_unwind(AssertUnwindSafe(work));
            let mut state = self.state();
            state.idle += 1;
            let (mut state, _) = self
                .added
                .wait_timeout_while(state, IDLE, |state| state.work.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            match state.work.pop_front() {
                Some(next) => work = next,
                None => {
                    state.idle -= 1;
                    return;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, IdleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn result_and_panic_are_returned() {
        let running = run_aside(|| 7).ok().expect("a thread starts");
        assert_eq!(running.await, Some(7));
        let running = run_aside(|| panic!("on purpose")).ok().expect("a thread starts");
        assert_eq!(running.await, None::<()>);
    }

    #[tokio::test]
    async fn work_runs_in_the_context_of_its_runtime() {
        let running = run_aside(|| Runtime::try_current().is_ok()).ok().expect("a thread starts");
        assert_eq!(running.await, Some(true));
    }

    #[tokio::test]
    async fn many_at_once_all_run() {
        let release = Arc::new(std::sync::Barrier::new(33));
        let running: Vec<_> = (0..32)
            .map(|number| {
                let release = Arc::clone(&release);
                run_aside(move || {
                    release.wait();
                    number
                })
                .ok()
                .expect("a thread starts")
            })
            .collect();
        release.wait();
        for (number, running) in running.into_iter().enumerate() {
            assert_eq!(running.await, Some(number));
        }
    }
}
