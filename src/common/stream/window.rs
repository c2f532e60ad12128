//! How far the producer of a stream may be ahead of its consumer.

/// The default of a window: how large it is at first, and how large it can become, in
/// items.
const FIRST: u32 = 64;
const MOST: u32 = 1024;

/// How many bytes of items may be in transit or wait to be taken, as far as the size of
/// the items is known from those that have arrived.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How many items of a stream may be in transit or wait to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    items: u32,
    /// How large it becomes while its consumer waits for items.
    most: u32,
    max_bytes: u64,
}

impl Window {
    /// A window that stays as it is.
    pub(crate) fn exactly(items: u32) -> Self {
        Window { items, most: items, max_bytes: u64::MAX }
    }

    /// How many items may be sent at first.
    pub(crate) fn items(self) -> u32 {
        self.items
    }

    /// How many more items may be sent, of which each has so many bytes. `has_waited`
    /// says whether the consumer has waited for items since more were granted.
    ///
    /// Granting one by one would cost a frame for each, and granting too late would make
    /// the producer wait. So it is 0 until half the window is free.
    pub(super) fn free(&mut self, in_flight: u64, item_bytes: u64, has_waited: bool) -> u32 {
        let window = self.now(item_bytes);
        if in_flight >= window - window / 2 {
            return 0;
        }
        if has_waited {
            self.items = self.items.saturating_mul(2).min(self.most);
        }
        u32::try_from(self.now(item_bytes).saturating_sub(in_flight)).unwrap_or(u32::MAX)
    }

    fn now(&self, item_bytes: u64) -> u64 {
        u64::from(self.items).min(self.max_bytes / item_bytes.max(1)).max(1)
    }
}

impl Default for Window {
    fn default() -> Self {
        Window { items: FIRST, most: MOST, max_bytes: MAX_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_grows_while_its_consumer_waits() {
        let mut window = Window::default();
        assert_eq!(window.free(32, 1, true), 0, "half of it is in use");
        assert_eq!(window.free(31, 1, false), 33);
        assert_eq!(window.free(31, 1, true), 97);
        (0..10).for_each(|_| assert!(window.free(0, 1, true) > 0));
        assert_eq!(window.items(), MOST);
    }

    #[test]
    fn large_items_are_fewer() {
        let mut window = Window::default();
        assert_eq!(window.free(0, MAX_BYTES / 8, false), 8);
        assert_eq!(window.free(4, MAX_BYTES / 8, true), 0);
        assert_eq!(window.free(0, MAX_BYTES * 2, false), 1);
        assert_eq!(window.free(1, MAX_BYTES * 2, false), 0);
    }

    #[test]
    fn exact_window_stays() {
        let mut window = Window::exactly(4);
        assert_eq!(window.free(2, 1 << 40, true), 0);
        assert_eq!(window.free(1, 1 << 40, true), 3);
        assert_eq!(window.items(), 4);
    }
}
