//! Requests whose caller does not wait any more, and code that does not react.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::common::error::KillReason;

/// How long after an interruption it is repeated, because code may swallow it; then twice
/// as long each time. It is not repeated soon, because it would hit the cleanup that the
/// first one started.
const REPEAT_AFTER: Duration = Duration::from_secs(5);

/// What is said of a call that was given up, depending on how far it had come.
pub(crate) const INTERRUPTED_ADVICE: &str = "the running code was interrupted; code that \
     cannot be interrupted, such as C code, keeps the object busy until it returns or \
     `kill_when_stuck` kills the interpreter";
pub(crate) const NOT_STARTED_ADVICE: &str =
    "the call had not started: the object is busy with an earlier call";

/// What can be done about the requests that went through a door.
pub(crate) trait Interruptible {
    /// Whether it is a request's turn, as far as this end knows.
    fn is_running(&self, id: u64) -> bool;

    /// Interrupts a request, whether it runs or waits.
    fn interrupt(&self, id: u64);

    /// Kills the interpreter.
    fn kill(&self, reason: KillReason);
}

/// Watches a request whose caller does not wait; never returns. If it is stuck for
/// `kill`, it is interrupted, unless it has been already; if it is stuck for as long
/// again, its interpreter is killed. A request that waits behind another is not stuck.
pub(crate) async fn watch_stuck(
    door: &impl Interruptible,
    id: u64,
    kill: Option<Duration>,
    mut is_interrupted: bool,
) -> Infallible {
    let mut repeat_after = REPEAT_AFTER;
    let mut was_running = door.is_running(id);
    let mut stuck_at = kill.map(|grace| Instant::now() + grace);
    loop {
        let next = Instant::now() + repeat_after;
        sleep_until(stuck_at.map_or(next, |at| at.min(next))).await;
        let is_running = door.is_running(id);
        match kill.filter(|_| stuck_at.is_some_and(|at| at <= Instant::now())) {
            Some(_) if is_running && was_running && is_interrupted => {
                door.kill(KillReason::Stuck);
                stuck_at = None;
            }
            Some(grace) => {
                if is_running && was_running {
                    door.interrupt(id);
                    is_interrupted = true;
                }
                was_running = is_running;
                stuck_at = Some(Instant::now() + grace);
            }
            None => {
                door.interrupt(id);
                repeat_after *= 2;
            }
        }
    }
}
