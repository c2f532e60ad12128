//! The life of the child as its parent sees it: start, supervision, end.
//!
//! [`Spawn`] is the builder, `launch` starts the process, `supervision` ends it, and
//! [`Daemon`] is the public handle. Below are the client, which carries calls, and the
//! process. Deliberately absent: what a call means; the proxy above knows that.

mod backend;
mod blocked_runtime;
mod builder;
#[cfg(feature = "tonic")]
mod channel;
mod doors;
mod end;
mod exit_outcome;
mod health;
#[cfg(feature = "python")]
mod interpreter_deaths;
mod launch;
mod lifeline;
mod settings;
mod shutdown_report;
mod supervision;
mod supervisor;

pub(crate) use backend::InProcess;
pub(crate) use builder::Spawned;
pub use builder::{Spawn, daemon};
#[cfg(feature = "tonic")]
pub use channel::Channel;
pub use health::Health;
pub use shutdown_report::ShutdownReport;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use uuid::Uuid;

#[cfg(feature = "python")]
use crate::common::agent::ObjectId;
#[cfg(feature = "python")]
use crate::common::definition::InterpreterFacts;
use crate::common::error::{Error, Result};
use crate::common::handshake::Transport;
use crate::common::process::keeper;
use crate::common::transport::Endpoint;
use crate::common::value::Handle;
use crate::parent::client::Client;
use crate::parent::daemon::doors::Doors;
use crate::parent::daemon::exit_outcome::ExitOutcome;
use crate::parent::daemon::supervisor::Supervisor;
#[cfg(feature = "python")]
use crate::parent::door::AgentDoor;

/// How long [`Daemon::shutdown`] waits for the response to its RPC before it also asks on
/// the lifeline, which a busy daemon still reads.
const SHUTDOWN_RPC_TIMEOUT: Duration = Duration::from_millis(100);

/// A handle on a daemon, the process that holds an object.
///
/// It is cheap to clone. The daemon ends when the last handle and the last proxy are
/// dropped. `Display` shows it as error messages do: `daemon 4211 (Counter)`.
#[derive(Clone)]
pub struct Daemon(Arc<DaemonShared>);

struct DaemonShared {
    id: Uuid,
    pid: u32,
    name: String,
    endpoint: Endpoint,
    transport: Transport,
    client: Client,
    /// The doors to its interpreters, unless calls of Python objects go by the session
    /// too.
    doors: Option<Doors>,
    supervisor: Supervisor,
    grace: Duration,
    /// The process that started the daemon. A copy of that process, made by `fork`, does
    /// not own the daemon and must not end it.
    owner: u32,
}

impl Daemon {
    /// Returns the UUID of the daemon.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Returns the process id of the daemon.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Returns the address that the daemon listens on.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Returns the path of the daemon's Unix socket, which only this user can open:
    /// `grpcurl -plaintext -unix <socket>`.
    ///
    /// It is `None` if the daemon listens elsewhere; see [`endpoint`](Daemon::endpoint).
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.0.endpoint.socket()
    }

    /// Returns a shell command that calls the daemon with grpcurl.
    ///
    /// Append `list`, `describe` or a method such as `oad.v1.Objects/Describe`. Insert
    /// flags such as `-d` before the address, which is the last word.
    ///
    /// **The command for a daemon on [`localhost`](Spawn::localhost) contains its
    /// token**: whoever reads it can do everything with the daemon that this program can.
    /// The token is in an environment variable of grpcurl, because any user of the
    /// machine can see the arguments of a process.
    ///
    /// Nobody else can reach a daemon [in this process](Spawn::in_process). For such a
    /// daemon the command is a shell comment that says so.
    ///
    /// ```no_run
    /// # async fn example() -> oad::Result<()> {
    /// let daemon = oad::daemon().localhost().await?;
    /// println!("{} list", daemon.grpcurl());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn grpcurl(&self) -> String {
        let endpoint = &self.0.endpoint;
        match (self.0.transport.token(), endpoint.socket()) {
            (Some(token), _) => format!(
                "OAD_TOKEN={} grpcurl -plaintext -expand-headers \
                 -H 'authorization: Bearer ${{OAD_TOKEN}}' {endpoint}",
                token.reveal()
            ),
            (None, Some(socket)) => {
                format!("grpcurl -plaintext -unix {}", shell_word(&socket.to_string_lossy()))
            }
            (None, None) => {
                format!(
                    "# {self} runs inside the process that started it; grpcurl cannot reach it:"
                )
            }
        }
    }

    /// Ends the daemon and returns a report.
    ///
    /// Running calls may finish within the grace. Then the objects are dropped, their
    /// processes ended, the daemon's process reaped, and its directory removed. This
    /// takes the grace and 1 s at most.
    ///
    /// If it is called several times, every caller gets the same report.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if the daemon died before it received
    /// the request; [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) in a copy of this
    /// process made by `fork`, which does not own the daemon.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before its first poll has no effect. After that the daemon
    /// ends all the same, and only the report is lost.
    pub async fn shutdown(&self) -> Result<ShutdownReport> {
        // On the keeper, because the caller's runtime may have no timer.
        let keeper = keeper()?;
        let request = ShutdownRequest { daemon: self, since: Instant::now() };
        let (client, grace) = (self.0.client.clone(), self.0.grace);
        let rpc = async move { timeout(SHUTDOWN_RPC_TIMEOUT, client.shutdown(grace)).await };
        // If it fails, the lifeline still delivers the request.
        let _ = keeper.spawn(rpc).await;
        drop(request);
        let outcome = self.0.supervisor.cleaned_up().await;
        // A caller that has the report must not be able to send anything any more, so
        // this does not wait until the task that fails all calls has run.
        let error = outcome.clone().into_error();
        self.0.client.refuse(&error);
        if let Some(doors) = &self.0.doors {
            doors.refuse(&error);
        }
        match outcome {
            ExitOutcome::ShutDown(report) => Ok(report),
            ExitOutcome::Died(death) => {
                Err(Error::from_death(death).doing("shutting down").on(self.to_string()))
            }
        }
    }

    /// Waits until the daemon has ended and everything it left behind is cleaned up, and
    /// returns how it ended.
    ///
    /// The future does not keep the daemon alive: when the last proxy is dropped
    /// meanwhile, the daemon ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if the daemon exited unexpectedly.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub fn closed(&self) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<> {
        let (supervisor, name) = (self.0.supervisor.clone(), self.to_string());
        async move {
            match supervisor.cleaned_up().await {
                ExitOutcome::ShutDown(report) => Ok(report),
                ExitOutcome::Died(death) => Err(Error::from_death(death).on(name)),
            }
        }
    }

    /// Does the same, and fails when the interpreter of an object has died.
    #[cfg(feature = "python")]
    pub(crate) fn closed_to(
        &self,
        object: &Handle,
    ) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<> {
        let (supervisor, name, closed) =
            (self.0.supervisor.clone(), self.to_string(), self.closed());
        let id = ObjectId::of(object.id());
        async move {
            let Some(id) = id else { return closed.await };
            tokio::select! {
                closed = closed => closed,
                error = supervisor.interpreter_died(id.interpreter) => Err(error.on(name)),
            }
        }
    }

    #[cfg(not(feature = "python"))]
    pub(crate) fn closed_to(
        &self,
        _: &Handle,
    ) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<> {
        self.closed()
    }

    /// Asks the daemon for all objects in it, whoever made them: first the Rust objects,
    /// then those of each interpreter, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if the daemon has died, and
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if it was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn objects(&self) -> Result<Vec<Handle>> {
        let objects = tokio::select! {
            biased;
            outcome = self.0.supervisor.exited() => Err(outcome.into_error()),
            objects = self.0.client.objects() => objects,
        };
        objects.map_err(|error| error.doing("asking for the objects").on(self.to_string()))
    }

    /// Whether this process is a copy, made by `fork`, of the one that started the
    /// daemon.
    pub(crate) fn is_forked_copy(&self) -> bool {
        self.0.owner != std::process::id()
    }

    /// Returns the door to the interpreter of a Python object; `None` if its calls go by
    /// the session. The object must be kept until this returns.
    #[cfg(feature = "python")]
    pub(crate) async fn door(
        &self,
        object: &Handle,
        facts: &InterpreterFacts,
    ) -> Option<AgentDoor> {
        let id = ObjectId::of(object.id())?;
        self.0.doors.as_ref()?.open(id.interpreter, facts).await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }
}

/// Quotes a text so that a shell takes it for one word.
fn shell_word(text: &str) -> Cow<'_, str> {
    match text.chars().all(|char| char.is_ascii_alphanumeric() || "/._-+:@".contains(char)) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}

/// A shutdown that was requested by RPC. When the RPC is over, or the future is dropped,
/// the request is repeated on the lifeline.
struct ShutdownRequest<'a> {
    daemon: &'a Daemon,
    since: Instant,
}

impl Drop for ShutdownRequest<'_> {
    fn drop(&mut self) {
        let shared = &self.daemon.0;
        shared.supervisor.end(shared.grace, self.since);
    }
}

impl Drop for DaemonShared {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            self.supervisor.end(self.grace, Instant::now());
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "daemon {} ({})", self.0.pid, self.0.name)
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DaemonShared { id, pid, name, .. } = &*self.0;
        f.debug_struct("Daemon")
            .field("pid", pid)
            .field("name", name)
            .field("id", id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_word_to_a_shell_whatever_it_contains() {
        assert_eq!(shell_word("/run/user/1000/oad-12ab/s"), "/run/user/1000/oad-12ab/s");
        assert_eq!(shell_word("/tmp/my dir's $HOME/s"), r"'/tmp/my dir'\''s $HOME/s'");
    }
}
