//! Looks once in a millisecond, while calls run, whether one of them keeps its thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::debug;

/// How long a call may keep its thread: between one and two of these.
const TICK: Duration = Duration::from_millis(1);

/// After so many ticks without a call the monitor sleeps until there is one.
const IDLE_TICKS: u32 = 20;

/// What the monitor looks at.
pub(super) trait Watched: Send + Sync {
    /// The call that keeps the thread at the moment, by a number that is never used
    /// again; 0 if there is none.
    fn current_call(&self) -> u64;

    /// How many calls there have been.
    fn calls(&self) -> u64;

    /// Has another thread do what the thread of this call had to do besides.
    fn hand_over(self: Arc<Self>, call: u64);
}

struct WatchedLane {
    watched: Weak<dyn Watched>,
    /// The call that was there at the last look.
    call: u64,
}

static WATCHED: Mutex<Vec<WatchedLane>> = Mutex::new(Vec::new());
static THREAD: OnceLock<Thread> = OnceLock::new();
static IS_AWAKE: AtomicBool = AtomicBool::new(false);

/// Starts the thread, if it does not run yet.
pub(super) fn start() -> std::io::Result<()> {
    let _starting = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if THREAD.get().is_none() {
        let started = thread::Builder::new().name("oad-monitor".to_owned()).spawn(run)?;
        // Nobody else sets it while the lock is held.
        let _ = THREAD.set(started.thread().clone());
    }
    Ok(())
}

/// Watches something, as long as it lives.
pub(super) fn watch(watched: &Arc<dyn Watched>) -> std::io::Result<()> {
    start()?;
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(WatchedLane { watched: Arc::downgrade(watched), call: 0 });
    Ok(())
}

/// Wakes the monitor if it sleeps. Called after a call is
/// [current](Watched::current_call).
pub(super) fn note_call() {
    // Sequentially consistent with the monitor's last look: either it sees the call, or
    // this sees that it sleeps.
    if !IS_AWAKE.load(Ordering::SeqCst)
        && !IS_AWAKE.swap(true, Ordering::SeqCst)
        && let Some(thread) = THREAD.get()
    {
        thread.unpark();
    }
}

fn run() {
    let (mut idle, mut before) = (0, 0);
    loop {
        if !IS_AWAKE.load(Ordering::SeqCst) {
            thread::park();
            continue;
        }
        thread::sleep(TICK);
        let (calls, is_busy) = look();
        idle = if calls == before && !is_busy { idle + 1 } else { 0 };
        before = calls;
        if idle >= IDLE_TICKS {
            idle = 0;
            IS_AWAKE.store(false, Ordering::SeqCst);
            if look().1 {
                IS_AWAKE.store(true, Ordering::SeqCst);
            }
        }
    }
}

/// Looks at all; returns how many calls there have been, and whether one is there now.
fn look() -> (u64, bool) {
    let (mut calls, mut is_busy) = (0_u64, false);
    let mut lasting = Vec::new();
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|entry| {
        let Some(watched) = entry.watched.upgrade() else { return false };
        let call = watched.current_call();
        calls = calls.wrapping_add(watched.calls());
        is_busy |= call != 0;
        if call != 0 && call == entry.call {
            lasting.push((watched, call));
        }
        entry.call = call;
        true
    });
    for (watched, call) in lasting {
        debug!(call, "a call keeps its thread, so another goes on");
        watched.hand_over(call);
    }
    (calls, is_busy)
}
