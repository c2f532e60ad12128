//! What the values of a call name, and what must not go before the call is answered.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use crate::common::scoped::{Slot, with_slot};

/// What is held for a call, until it is answered.
pub(crate) type Held = Vec<Arc<dyn Any + Send + Sync>>;

thread_local! {
    /// What the values name that are being made.
    static HELD: Slot<Held> = const { RefCell::new(None) };
}

/// Keeps what a value names; for the `Serialize` of what names something. Outside of a
/// call there is nothing to keep it for.
pub(crate) fn hold(named: Arc<dyn Any + Send + Sync>) {
    HELD.with_borrow_mut(|held| held.as_mut().map(|held| held.push(named)));
}

/// Makes values, and adds what they name to `held`.
pub(crate) fn holding<T>(held: &mut Held, make: impl FnOnce() -> T) -> T {
    let (made, left) = with_slot(&HELD, std::mem::take(held), make);
    *held = left.unwrap_or_default();
    made
}
