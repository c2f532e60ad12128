//! What a daemon's life hangs on.

use std::io;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::common::error::Status;
use crate::common::process::{Child, Exit, Leftovers};
use crate::common::transport::IoStream;

/// What a daemon's life hangs on: a process, or a runtime within this one. It has one
/// owner, who ends it by [`Backend::reap`].
#[derive(Debug)]
pub(super) enum Backend {
    Process(Child),
    InProcess(InProcess),
}

/// A server within this process, on a runtime of its own, so that all its tasks, and
/// those of its objects, end with it. What it runs that cannot be stopped, sync code,
/// goes on to its end.
#[derive(Debug)]
pub(crate) struct InProcess {
    /// `None` once it has been let go.
    runtime: Option<Runtime>,
    /// Cancelled when the server's task has ended, or is no more to be waited for.
    ended: CancellationToken,
}

/// Starts a server within this process; this stair does not know the other. Besides the
/// server: the ends of its lifeline and of its one connection.
pub(crate) type StartInProcess =
    Box<dyn FnOnce(usize) -> io::Result<(InProcess, IoStream, IoStream)> + Send>;

// === impl Body ===

impl Backend {
    pub(super) fn pid(&self) -> u32 {
        match self {
            Backend::Process(child) => child.pid(),
            Backend::InProcess(_) => std::process::id(),
        }
    }

    /// Waits for its end.
    pub(super) async fn exited(&self) {
        match self {
            Backend::Process(child) => child.exited().await,
            Backend::InProcess(server) => server.ended.cancelled().await,
        }
    }

    /// Waits for the end of the daemon where a wrapper had started it; see
    /// [`Child::daemon_exited`].
    pub(super) async fn daemon_exited(&self) {
        match self {
            Backend::Process(child) => child.daemon_exited().await,
            Backend::InProcess(_) => std::future::pending().await,
        }
    }

    /// Watches the daemon itself where a wrapper has started it; see
    /// [`Child::watch_daemon`].
    pub(super) fn watch_daemon(&mut self, daemon: u32) -> bool {
        match self {
            Backend::Process(child) => child.watch_daemon(daemon),
            Backend::InProcess(_) => false,
        }
    }

    pub(super) fn kill(&mut self) {
        match self {
            Backend::Process(child) => child.kill(),
            Backend::InProcess(server) => server.let_go(),
        }
    }

    /// Reaps it once it has ended; gives what it may have left behind.
    pub(super) async fn reap(self) -> (Exit, Option<Leftovers>) {
        match self {
            Backend::Process(child) => {
                let (exit, leftovers) = child.reap().await;
                (exit, Some(leftovers))
            }
            Backend::InProcess(_) => {
                self.exited().await;
                (Exit { status: Status::InProcess, stderr: String::new() }, None)
            }
        }
    }
}

// === impl InProcess ===

impl InProcess {
    /// Takes over a runtime, and the task that serves on it, by the token that it cancels
    /// at its end.
    pub(crate) fn new(runtime: Runtime, ended: CancellationToken) -> Self {
        InProcess { runtime: Some(runtime), ended }
    }

    /// Ends every task at its next await, without waiting for any.
    fn let_go(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.ended.cancel();
    }
}

/// A runtime may not be dropped where it would wait for its threads.
impl Drop for InProcess {
    fn drop(&mut self) {
        self.let_go();
    }
}
