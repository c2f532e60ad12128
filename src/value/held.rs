//! What the values of a call name, and what must not go before the call is answered.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

/// What is held for a call, until it is answered.
pub(crate) type Held = Vec<Arc<dyn Any + Send + Sync>>;

thread_local! {
    /// What the values name that are being made.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Keeps what a value names; for the `Serialize` of what names something. Outside of a call there is nothing to keep it for.
pub(crate) fn hold(named: Arc<dyn Any + Send + Sync>) {
    HELD.with_borrow_mut(|held| held.as_mut().map(|held| held.push(named)));
}

/// Makes values, and adds what they name to `held`.
pub(crate) fn holding<T>(held: &mut Held, make: impl FnOnce() -> T) -> T {
    let outer = HELD.replace(Some(std::mem::take(held)));
    let _restore = Restore(held, outer);
    make()
}

/// Also when the making panics: it is somebody's own code too.
struct Restore<'a>(&'a mut Held, Option<Held>);

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        *self.0 = HELD.replace(self.1.take()).unwrap_or_default();
    }
}
