//! The request to end, whoever made it: the parent, a client's shutdown, or the parent's death.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};

/// Whether the daemon is to end, and by when. Once requested it is never taken back; a later request can only bring it nearer.
#[derive(Debug)]
pub(crate) struct Ending {
    deadline: watch::Sender<Option<Instant>>,
    drained: CancellationToken,
}

impl Ending {
    pub(super) fn new() -> Self {
        Ending { deadline: watch::Sender::new(None), drained: CancellationToken::new() }
    }

    /// Asks the daemon to end: calls that run now may still take `grace`.
    pub(crate) fn request(&self, grace: Duration) {
        let new = Instant::now() + grace;
        self.deadline.send_if_modified(|deadline| {
            let nearer = deadline.is_none_or(|old| new < old);
            if nearer {
                *deadline = Some(new);
            }
            nearer
        });
    }

    /// Waits for the request; gives the moment by which calls must be done.
    pub(crate) async fn requested(&self) -> Instant {
        let mut deadline = self.deadline.subscribe();
        let requested = deadline.wait_for(Option::is_some).await.expect("the sender is in self");
        requested.expect("it was waited for")
    }

    /// Waits until the deadline has passed, also when it is brought nearer meanwhile.
    pub(crate) async fn deadline_passed(&self) {
        let mut changes = self.deadline.subscribe();
        loop {
            let deadline = self.requested().await;
            changes.mark_unchanged();
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                _ = changes.changed() => {}
            }
        }
    }

    /// Tells the sessions that the last answer has been given.
    pub(crate) fn tell_drained(&self) {
        self.drained.cancel();
    }

    /// Waits until the last answer has been given.
    pub(crate) async fn drained(&self) {
        self.drained.cancelled().await;
    }

    pub(super) fn refuse_if_requested(&self) -> Result<()> {
        if self.deadline.borrow().is_some() {
            return Err(Error::new(ErrorKind::Closed, "the daemon is ending and takes no more calls"));
        }
        Ok(())
    }
}
