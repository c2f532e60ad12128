//! A failure raised by the object itself, carried as data.

use super::{Any, Arc, fmt};

/// A failure raised by the object itself — the `Err` of a method, or a panic — carried as
/// data.
///
/// It is never a Rust error of the daemon's: it has crossed a process boundary. Where the
/// error's type can be serialized, its value came along and `exception.get::<E>()` gives
/// it back.
#[derive(Clone)]
pub struct Exception {
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) traceback: Option<String>,
    /// How many exceptions behind it were left out.
    pub(crate) omitted: u64,
    /// The fields of its message that were shortened.
    pub(crate) shortened: Vec<String>,
    /// What the reader of its error can do about it.
    pub(crate) advice: Option<String>,
    /// The error's value, a `Value` in fact, or the `PythonDetails` of a Python
    /// exception; this module is below those types and does not know them.
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
}

impl Exception {
    /// One of which nothing else is known.
    pub(crate) fn new(type_name: impl Into<String>, message: impl Into<String>) -> Self {
        Exception {
            type_name: type_name.into(),
            message: message.into(),
            location: None,
            causes: Vec::new(),
            traceback: None,
            omitted: 0,
            shortened: Vec::new(),
            advice: None,
            value: None,
        }
    }

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

    /// What the causes of the error say, nearest first: the chain of `Error::source`; for
    /// a Python exception, what it was raised from, or else what was being handled, as in
    /// its traceback. [`omitted`](Self::omitted) tells whether these are all.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }

    /// How many exceptions behind this one were left out: of a Python exception 63 are
    /// told, of another 64.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// What was shortened or left out because it would have been larger than
    /// [`message_limit`](crate::Spawn::message_limit), or a text than 8 MiB. They are the
    /// names of the fields in `oad.v1.Exception`: `traceback`, `attributes`, `args`,
    /// `value`, `behind`, `causes`, `notes`, `mro`, `message`. It is empty for nearly all
    /// exceptions.
    pub fn shortened(&self) -> impl Iterator<Item = &str> {
        self.shortened.iter().map(String::as_str)
    }

    /// The traceback of a Python exception, as the interpreter writes it, with source
    /// lines.
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
        self.causes
            .iter()
            .try_for_each(|cause| write!(f, "\n  caused in the object by: {cause}"))?;
        if self.omitted > 0 {
            write!(f, "\n  and {} more behind it were left out", self.omitted)?;
        }
        if !self.shortened.is_empty() {
            write!(f, "\n  shortened to fit the message limit: {}", self.shortened.join(", "))?;
        }
        let mut lines = self.traceback.iter().flat_map(|traceback| traceback.lines());
        lines.try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exception { type_name, message, .. } = self;
        match &self.location {
            Some(location) if self.is_panic() => {
                write!(f, "the object panicked at {location}: {message}")
            }
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
            .field("omitted", &self.omitted)
            .field("shortened", &self.shortened)
            .finish_non_exhaustive()
    }
}
