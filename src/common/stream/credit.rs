//! Flow control: how many items the producer of a stream may still send.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// How many items the one producer of a stream may still send.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    left: AtomicU32,
    /// Whether no more will be granted.
    closed: AtomicBool,
    granted: Notify,
}

impl Credit {
    pub(crate) fn new(items: u32) -> Self {
        Credit { left: AtomicU32::new(items), ..Credit::default() }
    }

    /// Grants more items. The number may come from outside, so the sum saturates.
    pub(crate) fn grant(&self, items: u32) {
        let add = |left: u32| Some(left.saturating_add(items));
        // The closure never returns `None`, so this cannot fail.
        let _ = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        self.granted.notify_one();
    }

    /// Ends the wait for more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.granted.notify_one();
    }

    /// Waits until at least one item may be sent, and returns how many may; 0 if no more
    /// ever will.
    pub(crate) async fn room(&self) -> usize {
        loop {
            match self.left.load(Ordering::Acquire) {
                0 if self.closed.load(Ordering::Acquire) => return 0,
                // A notification in between is kept for the next waiter.
                0 => self.granted.notified().await,
                left => return left as usize,
            }
        }
    }

    /// Notes that items were sent, never more than there was room for.
    pub(crate) fn spend(&self, items: usize) {
        self.left.fetch_sub(items as u32, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn producer_waits_when_all_is_spent() {
        let credit = Credit::new(2);
        assert_eq!(credit.room().now_or_never(), Some(2));
        credit.spend(2);
        assert_eq!(credit.room().now_or_never(), None);
        credit.grant(u32::MAX);
        credit.grant(u32::MAX);
        assert_eq!(credit.room().now_or_never(), Some(u32::MAX as usize));
    }

    #[test]
    fn waiting_producer_learns_that_no_more_is_granted() {
        let credit = Credit::new(1);
        credit.spend(1);
        let mut room = Box::pin(credit.room());
        assert_eq!(room.as_mut().now_or_never(), None);
        credit.close();
        assert_eq!(room.now_or_never(), Some(0));
    }
}
