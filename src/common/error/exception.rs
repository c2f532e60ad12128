//! A failure raised by the object itself, carried as data.

use super::text::{DebugStart, Excerpt, MAX_PART, one_line, shortened, write_lines};
use super::{Any, Arc, MAX_CAUSES, fmt};

/// The most characters of an exception's message that the message of an error has.
const SUMMARY: usize = 1000;

/// A failure raised by the object itself, carried as data: the `Err` of a method, a
/// panic, or a Python exception.
///
/// It was sent from another process, so it is not the Rust error itself. If the error's
/// type can be serialized, its value was sent too, and `exception.get::<E>()` returns it.
#[derive(Clone)]
pub struct Exception {
    pub(crate) type_name: String,
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) causes: Vec<String>,
    pub(crate) traceback: Option<String>,
    /// How many exceptions in its chain were left out.
    pub(crate) omitted: u64,
    /// The fields of its message that were shortened.
    pub(crate) shortened: Vec<String>,
    /// What the reader of its error can do about it.
    pub(crate) advice: Option<String>,
    /// The error's value, which is a `Value`, or the `PythonDetails` of a Python
    /// exception; this module is below those types and does not know them.
    pub(crate) value: Option<Arc<dyn Any + Send + Sync>>,
}

impl Exception {
    /// An exception with nothing but a type and a message.
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

    /// Returns the name of its type, such as `std::num::ParseIntError`; `panic` for a
    /// panic.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns its message: an error's `Display`, or a panic's message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns where a panic happened, as `file:line:column`.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Returns the messages of the causes, nearest first: the chain of `Error::source`;
    /// for a Python exception, the exceptions it was raised from, or else those that were
    /// being handled, as in its traceback. They are complete if
    /// [`omitted`](Self::omitted) is 0.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }

    /// Returns how many causes were left out: a Python exception keeps 63, any other 64.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Returns the fields that were shortened or left out, because the exception would
    /// have exceeded [`message_limit`](crate::Spawn::message_limit), or a text 8 MiB.
    /// They are named as in `oad.v1.Exception`: `traceback`, `attributes`, `args`,
    /// `value`, `behind`, `causes`, `notes`, `mro`, `message`. Nearly all exceptions have
    /// none.
    pub fn shortened(&self) -> impl Iterator<Item = &str> {
        self.shortened.iter().map(String::as_str)
    }

    /// Returns the traceback of a Python exception, formatted by the interpreter, with
    /// source lines.
    #[must_use]
    pub fn traceback(&self) -> Option<&str> {
        self.traceback.as_deref()
    }

    /// Returns `true` if it is a panic.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.type_name == "panic"
    }

    /// What an error says of it: the message, shortened if it is very long.
    pub(super) fn summary(&self) -> String {
        let message = shortened(&self.message, SUMMARY);
        let short = |name| shortened(name, Excerpt::LIMIT);
        match &self.location {
            Some(location) if self.is_panic() => {
                format!("the object panicked at {}: {message}", short(location))
            }
            _ if self.is_panic() => format!("the object panicked: {message}"),
            _ => format!("the object failed with {}: {message}", short(&self.type_name)),
        }
    }

    pub(super) fn fmt_details(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_whole = self.message.chars().nth(SUMMARY).is_none() && !self.message.contains('\n');
        // A traceback ends with the message.
        if !is_whole && self.traceback.is_none() {
            f.write_str("\n  its whole message:")?;
            write_lines(&self.message, f)?;
        }
        for cause in self.causes.iter().take(MAX_CAUSES) {
            f.write_str("\n  caused in the object by: ")?;
            one_line(cause, MAX_PART, f)?;
        }
        let omitted = self.omitted + self.causes.len().saturating_sub(MAX_CAUSES) as u64;
        if omitted > 0 {
            write!(f, "\n  and {omitted} more causes, which were left out")?;
        }
        if !self.shortened.is_empty() {
            f.write_str("\n  shortened to fit the message limit: ")?;
            one_line(&self.shortened.join(", "), Excerpt::LIMIT, f)?;
        }
        self.traceback.iter().try_for_each(|traceback| write_lines(traceback, f))
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(&self.summary(), MAX_PART, f)
    }
}

/// Leaves out the error's value, which may be confidential. Texts are cut.
impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |texts: &[String]| -> Vec<String> {
            texts.iter().take(MAX_CAUSES).map(|text| shortened(text, MAX_PART)).collect()
        };
        f.debug_struct("Exception")
            .field("type_name", &DebugStart(&self.type_name))
            .field("message", &DebugStart(&self.message))
            .field("location", &self.location.as_deref().map(DebugStart))
            .field("causes", &some(&self.causes))
            .field("omitted", &self.omitted)
            .field("shortened", &some(&self.shortened))
            .finish_non_exhaustive()
    }
}
