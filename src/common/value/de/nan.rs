//! A `NaN` that is read as `None`, for a caller that has asked for it.

use std::cell::Cell;

use crate::common::value::Value;

thread_local! {
    static IS_NONE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `read`, in which a `NaN` is read as `None` if that is asked for.
pub(crate) fn reading_nan_as_none<T>(is_asked: bool, read: impl FnOnce() -> T) -> T {
    /// A guard, because code of the user's may panic.
    struct BeforeOnDrop(bool);

    impl Drop for BeforeOnDrop {
        fn drop(&mut self) {
            IS_NONE.set(self.0);
        }
    }

    let _before = BeforeOnDrop(IS_NONE.replace(is_asked));
    read()
}

/// Whether the value is a `NaN` that is to be read as `None`.
pub(super) fn is_none(value: &Value) -> bool {
    IS_NONE.get() && value.as_f64().is_some_and(f64::is_nan)
}
