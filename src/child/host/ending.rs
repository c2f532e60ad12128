//! The request to end, whoever made it: the parent, a client's shutdown, a signal, or the
//! parent's death.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::common::error::{Error, ErrorKind, Result};

/// The longest grace there is. Time cannot be added to without end.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether the daemon is to end, and by when. Once requested it is never taken back; a
/// later request can only bring it nearer.
#[derive(Debug)]
pub(crate) struct Ending {
    deadline: watch::Sender<Option<Instant>>,
    drained: watch::Sender<Option<Drained>>,
    told: CancellationToken,
}

/// How the drain went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drained {
    /// How many calls get no answer.
    pub(crate) abandoned: u64,
    /// Whether the objects were all dropped.
    pub(crate) dropped: bool,
}

impl Ending {
    pub(super) fn new() -> Self {
        Ending {
            deadline: watch::Sender::new(None),
            drained: watch::Sender::new(None),
            told: CancellationToken::new(),
        }
    }

    /// Asks the daemon to end: calls that run now may still take `grace`, a day at most.
    pub(crate) fn request(&self, grace: Duration) {
        let new = Instant::now() + grace.min(LONGEST);
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
            // What is seen here is marked as seen, so that a change right after it is not
            // missed.
            let deadline = *changes.wait_for(Option::is_some).await.expect("the sender is in self");
            tokio::select! {
                () = tokio::time::sleep_until(deadline.expect("it was waited for")) => return,
                _ = changes.changed() => {}
            }
        }
    }

    /// How long it is until the deadline, as it is now; nothing if there is none.
    pub(crate) fn left(&self) -> Duration {
        self.deadline
            .borrow()
            .map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Tells the sessions and the parent that the last answer has been given.
    pub(crate) fn tell_drained(&self, drained: Drained) {
        self.drained.send_replace(Some(drained));
    }

    /// Waits until the last answer has been given.
    pub(crate) async fn drained(&self) -> Drained {
        let mut drained = self.drained.subscribe();
        let drained = *drained.wait_for(Option::is_some).await.expect("the sender is in self");
        drained.expect("it was waited for")
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
            return Err(Error::new(
                ErrorKind::Closed,
                "the daemon is ending and takes no more calls",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nearer_request_counts_and_a_later_one_does_not() {
        let ending = Ending::new();
        let start = Instant::now();
        ending.request(Duration::MAX);
        ending.request(Duration::from_secs(10));
        ending.request(Duration::from_secs(20));
        let nearer = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            ending.request(Duration::from_secs(2));
        };
        tokio::join!(ending.deadline_passed(), nearer);
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }

    #[test]
    fn nothing_is_begun_once_the_end_is_requested() {
        let ending = Ending::new();
        assert!(ending.refuse_if_requested().is_ok());
        ending.request(Duration::ZERO);
        assert_eq!(ending.refuse_if_requested().expect_err("it ends").kind(), ErrorKind::Closed);
    }
}
