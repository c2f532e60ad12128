//! A failure raised by the object itself, carried as data.

use super::{Any, Arc, fmt};

/// A failure raised by the object itself — the `Err` of a method, or a panic — carried as data.
///
/// It is never a Rust error of the daemon's: it has crossed a process boundary. Where the error's type can be serialized, its
/// value came along and `exception.get::<E>()` gives it back.
#[derive(Clone)]
pub struct Exception {
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) traceback: Option<String>,
    /// The error's value, a `Value` in fact; this module is below that type and does not know it.
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
}

impl Exception {
    /// The name of its type, such as `std::num::ParseIntError`; `panic` for a panic.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// What it says: an error's `Display`, a panic's message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where a panic happened, as `file:line:column`.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// What the causes of the error say, nearest first (the chain of `Error::source`).
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }

    /// The traceback of a Python exception, as the interpreter writes it, with source lines.
    #[must_use]
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }

    /// Whether it is a panic.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.type_name == "panic"
    }

    pub(super) fn fmt_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.causes.iter().try_for_each(|cause| write!(f, "\n  caused in the object by: {cause}"))?;
        let mut lines = self.traceback.iter().flat_map(|traceback| traceback.lines());
        lines.try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exception { type_name, message, .. } = self;
        match &self.location {
            Some(location) if self.is_panic() => write!(f, "the object panicked at {location}: {message}"),
            _ if self.is_panic() => write!(f, "the object panicked: {message}"),
            _ => write!(f, "the object failed with {type_name}: {message}"),
        }
    }
}

/// Without the error's value, which may be anything.
impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception")
            .field("type_name", &self.type_name)
            .field("message", &self.message)
            .field("location", &self.location)
            .field("causes", &self.causes)
            .finish_non_exhaustive()
    }
}
