//! What keeps the objects alive that the values of a call refer to.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use crate::common::scoped::{Slot, with_slot};

/// References that a call holds until its response.
pub(crate) type Held = Vec<Arc<dyn Any + Send + Sync>>;

thread_local! {
    /// The references of the values that are being made.
    static HELD: Slot<Held> = const { RefCell::new(None) };
}

/// Holds a reference for the call whose values are being made; outside a call it does
/// nothing. Called by `Serialize` implementations.
pub(crate) fn hold(reference: Arc<dyn Any + Send + Sync>) {
    HELD.with_borrow_mut(|held| held.as_mut().map(|held| held.push(reference)));
}

/// Runs `make`, which makes values, and adds the references in them to `held`.
pub(crate) fn holding<T>(held: &mut Held, make: impl FnOnce() -> T) -> T {
    let (made, left) = with_slot(&HELD, std::mem::take(held), make);
    *held = left.unwrap_or_default();
    made
}
