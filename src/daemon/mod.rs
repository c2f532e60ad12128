//! The life of the child as its parent sees it: made, known, ended.
//!
//! [`Spawn`] is the builder, `launch` the beginning, `supervisor` the whole story of the ending. Below are the client, which carries
//! calls, and the process. Deliberately absent: what a call means; the proxy above knows.

mod builder;
mod ended;
mod launch;
mod supervisor;

pub use builder::Spawn;
pub(crate) use builder::Spawned;
pub use ended::Ended;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::client::Client;
use crate::daemon::supervisor::Supervisor;
use crate::error::Result;
use crate::transport::Endpoint;

/// How long [`Daemon::shutdown`] waits for the answer to its request before it asks on the lifeline, which a daemon hears even when it is busy.
const ASK: Duration = Duration::from_millis(100);

/// A handle on a daemon: the process that holds an object. Cheap to clone; the daemon ends when the last handle and the last proxy are dropped.
#[derive(Clone)]
pub struct Daemon(Arc<Inner>);

struct Inner {
    id: Uuid,
    pid: u32,
    name: String,
    endpoint: Endpoint,
    client: Client,
    supervisor: Supervisor,
    grace: Duration,
    /// The process that made it. A copy made by `fork` holds no daemon, and must not end its parent's.
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

    /// The path of its socket, as `grpcurl -unix -plaintext <socket>` takes it. Only this user can open it.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.0.endpoint.path()
    }

    /// Ends it now, and tells how it went: calls that run may finish within the grace, the objects are dropped, their processes ended, the
    /// process reaped and its directory removed. Takes the grace and half a second at most.
    ///
    /// However often and from wherever it is called, all get the same report.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if it had died before it was asked.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it does nothing; after that the daemon ends all the same, and only the report is lost.
    pub async fn shutdown(&self) -> Result<Ended> {
        let since = Instant::now();
        let ask = AskOnDrop(self);
        // On the keeper, whose timer works wherever the caller waits.
        let client = self.0.client.clone();
        let grace = self.0.grace;
        let asking = crate::process::keeper()?
            .spawn(async move { tokio::time::timeout(ASK, client.shutdown(grace)).await.ok().and_then(Result::ok) });
        let calls = asking.await.ok().flatten();
        std::mem::forget(ask);
        self.0.supervisor.end(grace, since);
        self.0.supervisor.gone(calls).await.map_err(|error| error.doing("shutting down").on(self.to_string()))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }
}

/// Sees to it that a shutdown that is dropped while it asks goes on.
struct AskOnDrop<'a>(&'a Daemon);

impl Drop for AskOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.supervisor.end(self.0.0.grace, Instant::now());
    }
}

impl Drop for Inner {
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
        let Inner { id, pid, name, .. } = &*self.0;
        f.debug_struct("Daemon").field("pid", pid).field("name", name).field("id", id).finish_non_exhaustive()
    }
}
