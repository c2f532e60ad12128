//! The thread of a parent that starts, watches and reaps every child.

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

/// The runtime of the connections of daemons that are not bound to a caller's runtime, on
/// a thread that is started once and lives as long as the process.
///
/// It is not the keeper's, because the libraries that speak HTTP/2 emit events, and a
/// subscriber that blocks must not stop the keeper.
///
/// # Errors
///
/// [`ErrorKind::Limit`] if the thread cannot be started now.
pub(crate) fn connection_runtime() -> Result<Handle> {
    static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.clone());
    }
    let started = start("oad-connections").map_err(not_started)?;
    Ok(runtime.insert(started).clone())
}

/// The runtime of the keeper thread, which is started once and lives as long as the
/// process.
///
/// Children are started on it because their death signal is bound to the thread that
/// started them, and watched on it because a caller's runtime may end before they do.
///
/// # Errors
///
/// [`ErrorKind::Limit`] if the thread cannot be started now, which may go better later;
/// [`ErrorKind::Spawn`] if this process is a fork's copy, which has no threads.
pub(crate) fn keeper() -> Result<&'static Handle> {
    static KEEPER: OnceLock<Keeper> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    if KEEPER.get().is_none() {
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if KEEPER.get().is_none() {
            let handle = start("oad-keeper").map_err(not_started)?;
            let keeper = Keeper { handle, pid: std::process::id() };
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

fn start(name: &str) -> io::Result<Handle> {
    // Blocking work is rare and short; its threads need not stay.
    let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(IDLE).build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}

fn not_started(error: io::Error) -> Error {
    Error::new(ErrorKind::Limit, format!("failed to start a thread of oad's own: {error}"))
        .because(error)
        .advise("check the limits of this process on threads and memory (`ulimit -a`)")
}
