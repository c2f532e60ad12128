//! The request to end a daemon. It can come from the parent, a client's `Shutdown`, a
//! signal, or the parent's death.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::common::error::{Error, ErrorKind, Result};

/// The longest grace, because an `Instant` overflows.
const MAX_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether the daemon is asked to end, and by when. A request is never withdrawn; a later
/// request can only move the deadline closer.
#[derive(Debug)]
pub(crate) struct Ending {
    deadline: watch::Sender<Option<Instant>>,
    drained: watch::Sender<Option<Drained>>,
    reported: CancellationToken,
}

/// The result of draining the daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drained {
    /// How many calls get no response.
    pub(crate) abandoned: u64,
    /// Whether every object was dropped.
    pub(crate) dropped: bool,
    /// How many interpreters could not end in order.
    pub(crate) cut_short: u64,
}

impl Ending {
    pub(super) fn new() -> Self {
        Ending {
            deadline: watch::Sender::new(None),
            drained: watch::Sender::new(None),
            reported: CancellationToken::new(),
        }
    }

    /// Asks the daemon to end. Running calls may take up to `grace` longer, at most a
    /// day.
    pub(crate) fn request(&self, grace: Duration) {
        let new = Instant::now() + grace.min(MAX_GRACE);
        self.deadline.send_if_modified(|deadline| {
            let is_closer = deadline.is_none_or(|old| new < old);
            if is_closer {
                *deadline = Some(new);
            }
            is_closer
        });
    }

    /// Waits for the request and returns the deadline for running calls.
    pub(crate) async fn requested(&self) -> Instant {
        let mut deadline = self.deadline.subscribe();
        let requested = deadline.wait_for(Option::is_some).await.expect("`self` owns the sender");
        requested.expect("`wait_for` returns once it is set")
    }

    /// Waits until the deadline has passed, even if it is moved closer meanwhile.
    pub(crate) async fn deadline_passed(&self) {
        let mut changes = self.deadline.subscribe();
        loop {
            // `wait_for` marks the value as seen, so a change right after it is not
            // missed.
            let deadline =
                *changes.wait_for(Option::is_some).await.expect("`self` owns the sender");
            let deadline = deadline.expect("`wait_for` returns once it is set");
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                _ = changes.changed() => {}
            }
        }
    }

    /// Returns the time left until the deadline; zero if there is none.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline
            .borrow()
            .map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Records that the last response has been produced, for the sessions and the parent.
    pub(crate) fn set_drained(&self, drained: Drained) {
        self.drained.send_replace(Some(drained));
    }

    /// Waits until the last response has been produced.
    pub(crate) async fn drained(&self) -> Drained {
        let mut drained = self.drained.subscribe();
        let drained = *drained.wait_for(Option::is_some).await.expect("`self` owns the sender");
        drained.expect("`wait_for` returns once it is set")
    }

    /// Records that the parent has been informed.
    pub(crate) fn set_reported(&self) {
        self.reported.cancel();
    }

    /// Waits until the parent has been informed.
    pub(crate) async fn reported(&self) {
        self.reported.cancelled().await;
    }

    pub(super) fn refuse_if_requested(&self) -> Result<()> {
        if self.deadline.borrow().is_some() {
            return Err(Error::new(
                ErrorKind::Closed,
                "the daemon is shutting down and accepts no more calls",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn closer_request_counts_and_a_later_one_does_not() {
        let ending = Ending::new();
        let start = Instant::now();
        ending.request(Duration::MAX);
        ending.request(Duration::from_secs(10));
        ending.request(Duration::from_secs(20));
        let closer = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ending.request(Duration::from_secs(2));
        };
        tokio::join!(ending.deadline_passed(), closer);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[test]
    fn nothing_starts_once_the_end_is_requested() {
        let ending = Ending::new();
        assert!(ending.refuse_if_requested().is_ok());
        ending.request(Duration::ZERO);
        assert_eq!(ending.refuse_if_requested().expect_err("it ends").kind(), ErrorKind::Closed);
    }
}
