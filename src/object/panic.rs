//! A panic in an object's code is an exception of that object, with its message and place.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use crate::error::{Error, Exception, Result};

thread_local! {
    /// Where this thread panicked last. The hook knows the place, the one who catches only the payload.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics note their place, and still be printed to stderr as before. For a process that is a daemon, once.
pub(crate) fn note_locations() {
    let previous = take_hook();
    set_hook(Box::new(move |info| {
        let location = info.location().map(ToString::to_string);
        LOCATION.with_borrow_mut(|last| *last = location);
        previous(info);
    }));
}

/// Runs an object's code. The object is used again after a panic, as a local one behind a lock would be.
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
    let type_name = "panic".to_owned();
    Error::from_exception(Exception { type_name, message, location, causes: Vec::new(), value: None })
}
