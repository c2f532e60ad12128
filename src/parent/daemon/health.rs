//! The health of a daemon and its objects.

use std::time::Duration;

use tokio::time::timeout;

use crate::common::error::Result;
use crate::common::process::keeper;
use crate::parent::client::Client;
use crate::parent::daemon::Daemon;
use crate::parent::daemon::supervisor::Supervisor;

/// How long [`Daemon::health`] waits for a response, and then for the daemon's exit if
/// the connection broke.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// The health of a daemon or of an object in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Health {
    /// It accepts calls.
    Serving,
    /// It does not accept calls: the daemon is ending, or the interpreter that held the
    /// object has died.
    NotServing,
    /// The daemon's process lives, but did not respond: it is stopped, or gets no
    /// processor time.
    Unresponsive,
}

impl Daemon {
    /// Asks the daemon for its health with the standard gRPC health service. Takes 2 s at
    /// most.
    ///
    /// The response is about the root object, the first that was made, if there is one:
    /// it is [`Health::NotServing`] when that object lived in a Python interpreter that
    /// has died. For another object, ask its proxy with
    /// [`Remote::health`](crate::Remote::health).
    ///
    /// A daemon that is stopped, or whose connection's runtime is not driven, is
    /// [`Health::Unresponsive`]. A busy object still reports [`Health::Serving`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Died`](crate::ErrorKind::Died) if the daemon has died, and
    /// [`ErrorKind::Closed`](crate::ErrorKind::Closed) if it was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn health(&self) -> Result<Health> {
        self.health_of(None).await
    }

    /// As [`health`](Daemon::health), for the object with this number.
    pub(crate) async fn health_of(&self, object: Option<u64>) -> Result<Health> {
        let (client, supervisor) = (self.0.client.clone(), self.0.supervisor.clone());
        // On the keeper, because the caller's runtime may have no timer.
        let asking = keeper()?.spawn(ask_for_health(client, supervisor, object));
        let health = asking.await.unwrap_or(Ok(Health::Unresponsive));
        health.map_err(|error| error.doing("asking for the health").on(self.to_string()))
    }
}

async fn ask_for_health(
    client: Client,
    supervisor: Supervisor,
    object: Option<u64>,
) -> Result<Health> {
    let response = tokio::select! {
        biased;
        outcome = supervisor.exited() => return Err(outcome.into_error()),
        response = timeout(HEALTH_TIMEOUT, client.health(object)) => response,
    };
    match response {
        Ok(Ok(Some(true))) => Ok(Health::Serving),
        Ok(Ok(Some(false))) => Ok(Health::NotServing),
        Ok(Err(error)) => Err(error),
        // The connection broke. If the daemon exits, that is the answer.
        Ok(Ok(None)) => match timeout(HEALTH_TIMEOUT, supervisor.exited()).await {
            Ok(outcome) => Err(outcome.into_error()),
            Err(_) => Ok(Health::Unresponsive),
        },
        Err(_) => Ok(Health::Unresponsive),
    }
}
