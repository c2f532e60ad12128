//! The limits of a session, and the options of one call.

use std::time::Duration;

use crate::common::definition::PythonOptions;
use crate::common::stream::Window;

/// How large and how deep a message may be. The daemon enforces the same limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In bytes.
    pub(crate) message: usize,
    /// In levels of nesting.
    pub(crate) depth: usize,
}

/// The options of one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallOptions {
    /// How long to wait for the response, or for the end of its stream.
    pub(crate) timeout: Option<Duration>,
    /// How many items of its stream may be in flight.
    pub(crate) window: Window,
    pub(crate) python: PythonOptions,
}
