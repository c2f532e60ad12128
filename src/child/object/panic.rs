//! Turns a panic in an object's code into an exception with its message and location.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::common::error::{Error, Exception, Result};

thread_local! {
    /// The location of this thread's last panic. Only the hook knows it; `catch_unwind`
    /// returns only the payload.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that records the location and then calls the previous hook, so
/// panics are still printed to stderr or handled by the program. Only the first call has
/// an effect. If the program installs its own hook later, the locations are lost. Must
/// not be called while the thread panics.
pub(crate) fn record_locations() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string);
            // Fails on a thread that is ending and has dropped its thread-locals.
            let _ = LOCATION.try_with(|last| last.replace(location));
            previous(info);
        }));
    });
}

/// Runs an object's code. The object stays usable after a panic, like a local one behind
/// a lock.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| exception(payload.as_ref()))
}

/// Returns the exception for a caught panic.
pub(crate) fn exception(payload: &(dyn Any + Send)) -> Error {
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked with a payload that is not text".to_owned());
    let location = LOCATION.with_borrow_mut(Option::take);
    Error::from_exception(Exception { location, ..Exception::new("panic", message) })
}
