//! The one thread that oad adds to a parent. It starts, watches and reaps every child.

use std::future::pending;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};

use crate::common::error::{Error, ErrorKind, Result};

/// How long an idle thread for blocking work is kept.
const IDLE: Duration = Duration::from_millis(100);

struct Keeper {
    handle: Handle,
    pid: u32,
}

/// The runtime of the keeper thread, which is started once and lives as long as the
/// process.
///
/// Children are started on it because their death signal is bound to the thread that
/// started them, and watched on it because a caller's runtime may end before they do.
///
/// # Errors
///
/// [`ErrorKind::Spawn`] if the thread cannot be started now, which may go better later;
/// or if this process is a fork's copy, which has no threads.
pub(crate) fn keeper() -> Result<&'static Handle> {
    static KEEPER: OnceLock<Keeper> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    if KEEPER.get().is_none() {
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if KEEPER.get().is_none() {
            let keeper = start().map_err(|error| {
                Error::new(ErrorKind::Spawn, format!("failed to start oad's own thread: {error}"))
                    .because(error)
            })?;
            // Nobody else sets it while the lock is held.
            let _ = KEEPER.set(keeper);
        }
    }
    let keeper = KEEPER.get().expect("it was set above");
    if keeper.pid != std::process::id() {
        let message =
            format!("this process is a fork of process {}, without its threads", keeper.pid);
        return Err(Error::new(ErrorKind::Spawn, message)
            .advise("start daemons before the fork, or exec a program after it"));
    }
    Ok(&keeper.handle)
}

fn start() -> io::Result<Keeper> {
    // Blocking work is rare and short; its threads need not stay.
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(IDLE).build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("oad-keeper".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(Keeper { handle, pid: std::process::id() })
}
