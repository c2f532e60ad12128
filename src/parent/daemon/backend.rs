//! What a daemon runs in.

use std::io;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::common::error::Status;
use crate::common::process::{Child, Exit, Leftovers};
use crate::common::transport::IoStream;

/// What a daemon runs in: a process of its own, or a runtime in this process. It has one
/// owner, which ends it with [`Backend::reap`].
#[derive(Debug)]
pub(super) enum Backend {
    Process(Child),
    InProcess(InProcess),
}

/// A server in this process, on a runtime of its own.
///
/// All its tasks, and those of its objects, end with that runtime. Sync code cannot be
/// stopped and runs to its end.
#[derive(Debug)]
pub(crate) struct InProcess {
    /// `None` after it was shut down.
    runtime: Option<Runtime>,
    /// Cancelled when the server's task has ended, or when nobody needs to wait for it
    /// any more.
    ended: CancellationToken,
}

/// Starts a server in this process; the parent's wing does not know the child's.
///
/// Returns the server, the parent's end of its lifeline, and that of its one connection.
pub(crate) type StartInProcess =
    Box<dyn FnOnce(usize) -> io::Result<(InProcess, IoStream, IoStream)> + Send>;

// === impl Backend ===

impl Backend {
    pub(super) fn pid(&self) -> u32 {
        match self {
            Backend::Process(child) => child.pid(),
            Backend::InProcess(_) => std::process::id(),
        }
    }

    /// Whether nothing but this program's own code has started it.
    #[cfg(feature = "python")]
    pub(super) fn runs_this_program(&self) -> bool {
        match self {
            Backend::Process(child) => child.runs_this_program(),
            Backend::InProcess(_) => true,
        }
    }

    /// Waits until it has ended.
    pub(super) async fn exited(&self) {
        match self {
            Backend::Process(child) => child.exited().await,
            Backend::InProcess(server) => server.ended.cancelled().await,
        }
    }

    /// Waits until the daemon has ended, if a wrapper started it; see
    /// [`Child::daemon_exited`].
    pub(super) async fn daemon_exited(&self) {
        match self {
            Backend::Process(child) => child.daemon_exited().await,
            Backend::InProcess(_) => std::future::pending().await,
        }
    }

    /// Watches the daemon itself, if a wrapper started it; see [`Child::watch_daemon`].
    pub(super) fn watch_daemon(&mut self, daemon: u32) -> bool {
        match self {
            Backend::Process(child) => child.watch_daemon(daemon),
            Backend::InProcess(_) => false,
        }
    }

    /// Notes an interpreter of the daemon; see [`Child::note_interpreter`].
    #[cfg(feature = "python")]
    pub(super) fn note_interpreter(&mut self, pid: u32) {
        match self {
            Backend::Process(child) => child.note_interpreter(pid),
            // It is reaped within this process.
            Backend::InProcess(_) => {}
        }
    }

    pub(super) fn kill(&mut self) {
        match self {
            Backend::Process(child) => child.kill(),
            Backend::InProcess(server) => server.shut_down(),
        }
    }

    /// Reaps it after it has ended, and returns what it may have left behind.
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
    /// Takes over the runtime of a server. The server's task cancels `ended` when it
    /// ends.
    pub(crate) fn new(runtime: Runtime, ended: CancellationToken) -> Self {
        InProcess { runtime: Some(runtime), ended }
    }

    /// Ends every task at its next await, without waiting for any of them.
    fn shut_down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.ended.cancel();
    }
}

/// Dropping the runtime itself would block until its threads have ended.
impl Drop for InProcess {
    fn drop(&mut self) {
        self.shut_down();
    }
}
