//! The errors of calls that are not answered in time.

use std::time::Duration;

use crate::common::agent::{INTERRUPTED_ADVICE, NOT_STARTED_ADVICE};
use crate::common::error::{Error, ErrorKind};

/// The error of a call that was answered after its timeout; `failed` is how, unless it
/// has returned.
pub(super) fn expired_error(timeout: Duration, failed: Option<&Error>) -> Error {
    let is_withdrawn = failed.is_some_and(|error| {
        error.kind() == ErrorKind::Cancelled && error.detail().contains("before it began")
    });
    timeout_error(timeout, !is_withdrawn)
}

pub(super) fn timeout_error(timeout: Duration, has_started: bool) -> Error {
    let advice = if has_started { INTERRUPTED_ADVICE } else { NOT_STARTED_ADVICE };
    Error::new(ErrorKind::Timeout, format!("no response within {timeout:?}")).advise(advice)
}

/// The error of a call whose answer is still being decoded at its deadline.
pub(super) fn unread_error(timeout: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("no response within {timeout:?}"))
        .advise("the call has returned, but its large response was not read in time")
}
