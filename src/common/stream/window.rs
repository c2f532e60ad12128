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
    demand: Demand,
}

/// Whether the producer may be ahead at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// It may be ahead by the window, from the start.
    Ahead,
    /// It may do nothing until the stream is open, because only then is known which of
    /// the other two it is.
    Withheld,
    /// It may make an item when the consumer waits for one.
    Each,
}

impl Window {
    /// A window that begins with fewer items, which may be large.
    pub(crate) fn starting_at(items: u32) -> Self {
        Window { items, ..Window::default() }
    }

    /// A window that stays as it is.
    pub(crate) fn exactly(items: u32) -> Self {
        Window { items, most: items, max_bytes: u64::MAX, demand: Demand::Ahead }
    }

    /// Whether the caller has said how many items may be made ahead.
    pub(crate) fn is_exact(self) -> bool {
        self.max_bytes == u64::MAX
    }

    /// The window of a stream of which is not known yet how its items are made.
    pub(crate) fn withheld(self) -> Self {
        Window { demand: Demand::Withheld, ..self }
    }

    /// The window of a stream that has been opened, which says whether its items are made
    /// on demand. It counts only if the window was withheld.
    pub(crate) fn opened(self, is_on_demand: bool) -> Self {
        match self.demand {
            Demand::Withheld if is_on_demand => Window { demand: Demand::Each, ..self },
            _ => self,
        }
    }

    /// How many items are allowed before the stream is open.
    pub(crate) fn granted(self) -> u32 {
        if self.demand == Demand::Ahead { self.items } else { 0 }
    }

    /// How many items more are to be allowed when the stream is open.
    pub(super) fn to_grant(self) -> u32 {
        if self.demand == Demand::Withheld { self.items } else { 0 }
    }

    pub(super) fn is_on_demand(self) -> bool {
        self.demand == Demand::Each
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
        if self.is_on_demand() {
            return 0;
        }
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
        Window { items: FIRST, most: MOST, max_bytes: MAX_BYTES, demand: Demand::Ahead }
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
