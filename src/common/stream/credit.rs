//! How many items the maker of a stream may still send.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::Notify;

/// How many items the maker of a stream may still send. One maker spends it.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    left: AtomicU32,
    /// Whether no more will be allowed.
    closed: AtomicBool,
    granted: Notify,
}

impl Credit {
    pub(crate) fn new(items: u32) -> Self {
        Credit { left: AtomicU32::new(items), ..Credit::default() }
    }

    /// Allows more. What comes from outside may be any number.
    pub(crate) fn grant(&self, items: u32) {
        let add = |left: u32| Some(left.saturating_add(items));
        // It always gives something to store.
        let _ = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        self.granted.notify_one();
    }

    /// No more will be allowed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.granted.notify_one();
    }

    /// Waits until at least one is allowed, and gives how many are; 0 if none ever will
    /// be.
    pub(crate) async fn room(&self) -> usize {
        loop {
            match self.left.load(Ordering::Acquire) {
                0 if self.closed.load(Ordering::Acquire) => return 0,
                // A word in between is kept for who asks next.
                0 => self.granted.notified().await,
                left => return left as usize,
            }
        }
    }

    /// Takes note of what is sent, which is never more than there was room for.
    pub(crate) fn spend(&self, items: usize) {
        self.left.fetch_sub(items as u32, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn maker_waits_when_all_is_spent() {
        let credit = Credit::new(2);
        assert_eq!(credit.room().now_or_never(), Some(2));
        credit.spend(2);
        assert_eq!(credit.room().now_or_never(), None);
        credit.grant(u32::MAX);
        credit.grant(u32::MAX);
        assert_eq!(credit.room().now_or_never(), Some(u32::MAX as usize));
    }

    #[test]
    fn maker_that_waits_is_told_that_no_more_is_allowed() {
        let credit = Credit::new(1);
        credit.spend(1);
        let mut room = Box::pin(credit.room());
        assert_eq!(room.as_mut().now_or_never(), None);
        credit.close();
        assert_eq!(room.now_or_never(), Some(0));
    }
}
