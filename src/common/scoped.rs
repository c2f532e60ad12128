//! Context for serde: a thread-local slot that is filled for the length of one closure.
//!
//! Serde hands no context down to a `Serialize` or `Deserialize` implementation. A
//! conversion that needs some fills a slot first, and the implementations find it there.

use std::cell::RefCell;
use std::thread::LocalKey;

/// A thread-local slot. Declare it with `thread_local!`.
pub(crate) type Slot<T> = RefCell<Option<T>>;

/// Runs `run` with `value` in the slot, and returns what is left in the slot afterwards.
///
/// Uses nest. The former content is restored even if `run` panics, because `run` may call
/// the user's code.
pub(crate) fn with_slot<T: 'static, R>(
    slot: &'static LocalKey<Slot<T>>,
    value: T,
    run: impl FnOnce() -> R,
) -> (R, Option<T>) {
    let restore = RestoreSlot { slot, outer: slot.replace(Some(value)) };
    let result = run();
    let left = slot.take();
    drop(restore);
    (result, left)
}

struct RestoreSlot<T: 'static> {
    slot: &'static LocalKey<Slot<T>>,
    outer: Option<T>,
}

impl<T> Drop for RestoreSlot<T> {
    fn drop(&mut self) {
        drop(self.slot.replace(self.outer.take()));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    thread_local! {
        static SLOT: Slot<u32> = const { RefCell::new(None) };
    }

    #[test]
    fn uses_nest_and_return_what_is_left() {
        let ((), left) = with_slot(&SLOT, 1, || {
            let ((), inner) = with_slot(&SLOT, 2, || SLOT.set(Some(3)));
            assert_eq!((inner, SLOT.take()), (Some(3), Some(1)));
        });
        assert_eq!((left, SLOT.take()), (None, None));
    }

    #[test]
    fn panic_restores_the_former_content() {
        let ((), left) = with_slot(&SLOT, 1, || {
            let panicked = catch_unwind(|| with_slot(&SLOT, 2, || panic!("on purpose")));
            assert!(panicked.is_err());
        });
        assert_eq!(left, Some(1));
    }
}
