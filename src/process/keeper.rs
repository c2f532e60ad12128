//! The one thread of oad's own in a parent: it starts every child, watches it, and reaps it.

use std::future::pending;
use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

use crate::error::{Error, ErrorKind, Result};

struct Keeper {
    handle: Handle,
    pid: u32,
}

/// The runtime of the keeper thread, which is started once and lives as long as the process.
///
/// Children are started on it because their death signal is bound to the thread that started them, and watched on it because a caller's
/// runtime may end before they do.
pub(crate) fn keeper() -> Result<&'static Handle> {
    static KEEPER: OnceLock<io::Result<Keeper>> = OnceLock::new();
    let failed = |message: String| Error::new(ErrorKind::Spawn, message);
    match KEEPER.get_or_init(start) {
        Ok(keeper) if keeper.pid == std::process::id() => Ok(&keeper.handle),
        Ok(keeper) => {
            Err(failed(format!("this process was forked from {}, whose threads it does not have", keeper.pid))
                .advise("start daemons before the fork, or exec after it"))
        }
        Err(error) => Err(failed(format!("oad's own thread could not be started: {error}"))),
    }
}

fn start() -> io::Result<Keeper> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name("oad-keeper".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(Keeper { handle, pid: std::process::id() })
}
