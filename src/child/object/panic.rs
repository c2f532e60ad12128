//! A panic in an object's code is an exception of that object, with its message and
//! place.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::common::error::{Error, Exception, Result};

thread_local! {
    /// Where this thread panicked last. The hook knows the place, the one who catches
    /// only the payload.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics note their place, and still be handled as before: printed to stderr, or
/// whatever the program has set. It does so once; a program that sets a hook of its own
/// later, as another may for a test, only loses the places. Not to be called by a thread
/// that panics.
pub(crate) fn note_locations() {
    static NOTED: Once = Once::new();
    NOTED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let location = info.location().map(ToString::to_string);
            // A thread that ends has no such memory any more.
            let _ = LOCATION.try_with(|last| last.replace(location));
            previous(info);
        }));
    });
}

/// Runs an object's code. The object is used again after a panic, as a local one behind a
/// lock would be.
pub(crate) fn catch<T>(run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| exception(payload.as_ref()))
}

/// What a caught panic says.
pub(crate) fn exception(payload: &(dyn Any + Send)) -> Error {
    let message = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic whose payload is not text".to_owned());
    let location = LOCATION.with_borrow_mut(Option::take);
    Error::from_exception(Exception { location, ..Exception::new("panic", message) })
}
