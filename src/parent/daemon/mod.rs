//! The life of the child as its parent sees it: made, known, ended.
//!
//! [`Spawn`] is the builder, `launch` the beginning, `supervisor` the whole story of the
//! ending. Below are the client, which carries calls, and the process. Deliberately
//! absent: what a call means; the proxy above knows.

mod backend;
mod blocked_runtime;
mod builder;
mod channel;
mod launch;
mod shutdown_report;
mod supervisor;

pub(crate) use backend::{InProcess, StartInProcess};
pub(crate) use builder::Spawned;
pub use builder::{Spawn, daemon};
pub use channel::Channel;
pub use shutdown_report::ShutdownReport;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::common::error::{Error, Result};
use crate::common::handshake::Transport;
use crate::common::process::keeper;
use crate::common::transport::Endpoint;
use crate::common::value::Handle;
use crate::parent::client::Client;
use crate::parent::daemon::supervisor::{ExitOutcome, Supervisor, verdict};

/// How long [`Daemon::shutdown`] waits for the answer to its request before it asks on
/// the lifeline, which a daemon hears even when it is busy.
const ASK: Duration = Duration::from_millis(100);

/// How long [`Daemon::health`] waits for an answer.
const HEALTH: Duration = Duration::from_secs(1);

/// The target of the events in the life of a daemon.
const TARGET: &str = "oad::daemon";

/// How a daemon, or an object in it, is, by the daemon's own word or its silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It takes calls.
    Serving,
    /// It takes none: the daemon is ending, or the interpreter that held the object has
    /// died.
    NotServing,
    /// It lives but did not answer: it is stopped, or starved.
    Unresponsive,
}

/// A handle on a daemon: the process that holds an object. Cheap to clone; the daemon
/// ends when the last handle and the last proxy are dropped.
#[derive(Clone)]
pub struct Daemon(Arc<DaemonShared>);

struct DaemonShared {
    id: Uuid,
    pid: u32,
    name: String,
    endpoint: Endpoint,
    transport: Transport,
    client: Client,
    supervisor: Supervisor,
    grace: Duration,
    /// The process that made it. A copy made by `fork` holds no daemon, and must not end
    /// its parent's.
    owner: u32,
}

impl Daemon {
    /// The UUID that names it.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The path of its Unix socket, as `grpcurl -plaintext -unix <socket>` takes it; only
    /// this user can open it. `None` if it listens elsewhere; see
    /// [`endpoint`](Daemon::endpoint).
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.0.endpoint.socket()
    }

    /// The command line by which grpcurl reaches it, for a shell: append `list`,
    /// `describe` or a method such as `oad.v1.Objects/Describe`. Flags such as `-d`
    /// belong before the address, which is its last word.
    ///
    /// **Of a daemon on [`localhost`](Spawn::localhost) it holds the token**: whoever
    /// reads the line can do all that this program can with the daemon. The token stands
    /// in front, as an environment variable of grpcurl's, because its arguments are there
    /// for everybody on the machine to see.
    ///
    /// A daemon [`in_process`](Spawn::in_process) cannot be reached by anybody else; its
    /// line is a shell's comment that says so.
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
                "OAD_TOKEN={} grpcurl -plaintext -expand-headers -H 'authorization: Bearer ${{OAD_TOKEN}}' {endpoint}",
                token.reveal()
            ),
            (None, Some(socket)) => {
                format!("grpcurl -plaintext -unix {}", shell_word(&socket.to_string_lossy()))
            }
            (None, None) => {
                format!("# {self} lives in the process that made it, where grpcurl does not reach:")
            }
        }
    }

    /// Ends it now, and tells how it went: calls that run may finish within the grace,
    /// the objects are dropped, their processes ended, the process reaped and its
    /// directory removed. Takes the grace and a second at most.
    ///
    /// However often and from wherever it is called, all get the same report.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if it died before it had heard that it
    /// was asked; [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) in a copy of this process
    /// made by `fork`, which holds no daemon.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it does nothing; after that the daemon ends all the
    /// same, and only the report is lost.
    pub async fn shutdown(&self) -> Result<ShutdownReport> {
        // On the keeper, whose timer works wherever the caller waits.
        let keeper = keeper()?;
        let ask = ShutdownRequest { daemon: self, since: Instant::now() };
        let (client, grace) = (self.0.client.clone(), self.0.grace);
        let asking = keeper.spawn(async move { timeout(ASK, client.shutdown(grace)).await });
        // Whatever came of it, the lifeline says it too.
        let _ = asking.await;
        drop(ask);
        let outcome = self.0.supervisor.gone().await;
        // Whoever has the report must not be able to send anything any more, so this does
        // not wait for the news to get around.
        self.0.client.refuse(&verdict(outcome.clone()));
        match outcome {
            ExitOutcome::Ended(ended) => Ok(ended),
            ExitOutcome::Died(death) => {
                Err(Error::from_death(death).doing("shutting down").on(self.to_string()))
            }
        }
    }

    /// Waits until the daemon is gone, for whatever reason, and tells which. It keeps
    /// nothing alive: a daemon whose last proxy is dropped meanwhile ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if nobody had asked it to end.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub fn closed(&self) -> impl Future<Output = Result<ShutdownReport>> + Send + 'static + use<> {
        let (supervisor, name) = (self.0.supervisor.clone(), self.to_string());
        async move {
            match supervisor.gone().await {
                ExitOutcome::Ended(ended) => Ok(ended),
                ExitOutcome::Died(death) => Err(Error::from_death(death).on(name)),
            }
        }
    }

    /// Asks which objects live in the daemon, whoever has made them; the oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) or
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if there is nobody to ask any
    /// more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn objects(&self) -> Result<Vec<Handle>> {
        let objects = tokio::select! {
            biased;
            outcome = self.0.supervisor.exited() => Err(verdict(outcome)),
            objects = self.0.client.objects() => objects,
        };
        objects.map_err(|error| error.doing("asking for the objects").on(self.to_string()))
    }

    /// Asks the daemon how it is, by the standard health service; takes two seconds at
    /// most.
    ///
    /// It answers for its root object, the one that was made first, if it has one: when
    /// that lives in a Python interpreter which has died, it is [`Health::NotServing`].
    /// How another object is [`Remote::health`](crate::Remote::health) of its proxy
    /// tells.
    ///
    /// A daemon that is stopped, or whose connection's runtime is not driven, is
    /// [`Health::Unresponsive`]; an object that is busy is not: it takes no part in the
    /// answer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) or
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if there is nobody to ask any
    /// more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing.
    pub async fn health(&self) -> Result<Health> {
        self.health_of(None).await
    }

    /// Asks the same of one object, by its number.
    pub(crate) async fn health_of(&self, object: Option<u64>) -> Result<Health> {
        let (client, supervisor) = (self.0.client.clone(), self.0.supervisor.clone());
        // On the keeper, whose timer works wherever the caller waits.
        let asking = keeper()?.spawn(async move {
            tokio::select! {
                biased;
                outcome = supervisor.exited() => Err(verdict(outcome)),
                health = timeout(HEALTH, client.health(object)) => match health {
                    Ok(Ok(Some(true))) => Ok(Health::Serving),
                    Ok(Ok(Some(false))) => Ok(Health::NotServing),
                    Ok(Err(error)) => Err(error),
                    // A connection that has just broken is not the daemon's word; its
                    // exit would be.
                    Ok(Ok(None)) => match timeout(HEALTH, supervisor.exited()).await {
                        Ok(outcome) => Err(verdict(outcome)),
                        Err(_) => Ok(Health::Unresponsive),
                    },
                    Err(_) => Ok(Health::Unresponsive),
                },
            }
        });
        let health = asking.await.unwrap_or(Ok(Health::Unresponsive));
        health.map_err(|error| error.doing("asking for the health").on(self.to_string()))
    }

    /// Whether this process is a copy, made by `fork`, of the one that made the daemon.
    pub(crate) fn is_copy(&self) -> bool {
        self.0.owner != std::process::id()
    }

    /// The connection to it, for clients that tonic has generated; their services are
    /// those that the daemon's program adds by [`init_with`](crate::init_with).
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel::new(self.0.client.channel(), self.clone())
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }
}

/// A text as a shell takes it for one word.
fn shell_word(text: &str) -> Cow<'_, str> {
    match text.chars().all(|char| char.is_ascii_alphanumeric() || "/._-+:@".contains(char)) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
    }
}

/// A shutdown that is being asked for by RPC. When the asking is over, or the future
/// dropped, the lifeline is asked too.
struct ShutdownRequest<'a> {
    daemon: &'a Daemon,
    since: Instant,
}

impl Drop for ShutdownRequest<'_> {
    fn drop(&mut self) {
        let inner = &self.daemon.0;
        inner.supervisor.end(inner.grace, self.since);
    }
}

impl Drop for DaemonShared {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            self.supervisor.end(self.grace, Instant::now());
        }
    }
}

/// As messages name it: `daemon 4211 (Counter)`.
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
    fn text_is_one_word_to_a_shell_whatever_it_holds() {
        assert_eq!(shell_word("/run/user/1000/oad-12ab/s"), "/run/user/1000/oad-12ab/s");
        assert_eq!(shell_word("/tmp/my dir's $HOME/s"), r"'/tmp/my dir'\''s $HOME/s'");
    }
}
