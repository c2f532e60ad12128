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
    drained: watch::Sender<Option<u64>>,
    told: CancellationToken,
}

impl Ending {
    pub(super) fn new() -> Self {
        Ending { deadline: watch::Sender::new(None), drained: watch::Sender::new(None), told: CancellationToken::new() }
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

    /// Tells the sessions and the parent that the last answer has been given, and how many calls get none.
    pub(crate) fn tell_drained(&self, abandoned: u64) {
        self.drained.send_replace(Some(abandoned));
    }

    /// Waits until the last answer has been given; gives how many calls get none.
    pub(crate) async fn drained(&self) -> u64 {
        let mut drained = self.drained.subscribe();
        let abandoned = drained.wait_for(Option::is_some).await.expect("the sender is in self");
        abandoned.unwrap_or_default()
    }

    /// Says that the parent knows it.
    pub(crate) fn note_told(&self) {
        self.told.cancel();
    }

    /// Waits until the parent knows it.
    pub(crate) async fn told(&self) {
        self.told.cancelled().await;
    }

    pub(super) fn refuse_if_requested(&self) -> Result<()> {
        if self.deadline.borrow().is_some() {
            return Err(Error::new(ErrorKind::Closed, "the daemon is ending and takes no more calls"));
        }
        Ok(())
    }
}
