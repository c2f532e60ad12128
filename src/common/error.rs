//! The error type, which is one word wide.
//!
//! Every [`Error`] says what was tried, on which daemon, why it failed and, where the
//! reader can do something, what to do. [`Error::kind`] tells whether the object itself
//! failed ([`ErrorKind::Exception`]), could not be called, did not respond in time, or
//! whether something had the wrong type. This module imports nothing of oad, so that
//! everything may import it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

mod death;
mod exception;
mod text;

pub use death::Death;
pub(crate) use death::{DeadProcess, KillReason, Status};
pub use exception::Exception;
pub(crate) use text::{Excerpt, shortened};
use text::{ForeignText, MAX_PART, OneLine, one_line};

/// The most characters of what was tried, and of the daemon's name.
const MAX_CONTEXT: usize = 500;

/// The most causes that `Debug` shows.
const MAX_CAUSES: usize = 64;

/// The result of oad's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of oad: what was tried, on which daemon, why it failed and what to do.
///
/// [`Display`](fmt::Display) is one line. What another program wrote is escaped, and
/// bounded: at most 200 characters of a text that is quoted, 1,000 of an exception's
/// message. [`Debug`](fmt::Debug), which a `main` that returns an error prints, adds the
/// rest: the kind, the object's own causes and traceback, and the last lines that a dead
/// daemon or interpreter wrote to its stderr; at most 64 KiB of each.
#[derive(Clone)]
pub struct Error(Box<ErrorFields>);

#[derive(Clone)]
struct ErrorFields {
    kind: ErrorKind,
    act: Option<String>,
    daemon: Option<String>,
    detail: String,
    advice: Option<String>,
    exception: Option<Arc<Exception>>,
    death: Option<Arc<Death>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// This program cannot be started again as a daemon: `oad::init()` was not called, or
    /// was called in a shared library.
    NotInitialized,
    /// The daemon's process could not be started, could not become a daemon, or ended
    /// before it was ready.
    Spawn,
    /// The daemon's process did not respond in time, or wrote something other than oad's
    /// handshake.
    Handshake,
    /// The daemon speaks another version of oad's protocol.
    Version,
    /// The object itself failed: [`Error::exception`] is its error or its panic.
    Exception,
    /// The daemon's process died, or the interpreter that held the object:
    /// [`Error::death`] has its exit status and the end of its stderr.
    Died,
    /// The daemon was shut down, or its last proxy dropped, before the response came.
    Closed,
    /// The object has no such method, the daemon's program no such type, or the type does
    /// not implement the interface.
    NoSuchMethod,
    /// The arguments do not match the method's parameters.
    BadArguments,
    /// The daemon does not have the object, or no longer.
    NoSuchObject,
    /// A value cannot be converted into the requested type.
    WrongType,
    /// A message is larger than the limit.
    TooLarge,
    /// A value is nested deeper than the limit.
    TooDeep,
    /// Too many of something at once.
    Limit,
    /// There was no response within the timeout.
    Timeout,
    /// The call was cancelled in the daemon.
    Cancelled,
    /// The async runtime that carried the connection to the daemon has ended.
    RuntimeEnded,
    /// A sync wait would block the thread that has to receive the response: a sync method
    /// of a proxy on the only thread of an async runtime, or `block_on` on any of its
    /// threads while a daemon starts.
    WouldDeadlock,
    /// The daemon sent something malformed, or its connection was lost although it is
    /// alive: a bug in oad, or another program on its socket.
    Protocol,
}

// === impl Error ===

impl Error {
    /// Returns the kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the object's own failure, if the object raised the error.
    #[must_use]
    pub fn exception(&self) -> Option<&Exception> {
        self.0.exception.as_deref()
    }

    /// Returns how the daemon's process died, if it did, or the interpreter that held the
    /// object, if [`Death::is_of_interpreter`].
    #[must_use]
    pub fn death(&self) -> Option<&Death> {
        self.0.death.as_deref()
    }

    /// Returns `true` if the object raised the error, `false` if the call did not reach
    /// it.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.0.kind == ErrorKind::Exception
    }

    /// Returns `true` if the daemon's process died, or the interpreter that held the
    /// object.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.kind == ErrorKind::Died
    }

    /// Returns `true` if there was no response within the timeout.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns `true` if the daemon had been shut down.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.kind == ErrorKind::Closed
    }

    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Error(Box::new(ErrorFields {
            kind,
            act: None,
            daemon: None,
            detail: detail.into(),
            advice: None,
            exception: None,
            death: None,
            source: None,
        }))
    }

    pub(crate) fn from_exception(exception: Exception) -> Self {
        let mut error = Error::new(ErrorKind::Exception, exception.summary());
        error.0.advice = exception.advice.clone();
        error.0.exception = Some(Arc::new(exception));
        error
    }

    pub(crate) fn from_death(death: Arc<Death>) -> Self {
        let mut error = Error::new(ErrorKind::Died, death.to_string());
        error.0.death = Some(death);
        error
    }

    /// The error for any unusable handle: a stale one, a guessed one, one of another
    /// daemon, or one of an object that was taken. It does not reveal which.
    pub(crate) fn no_such_object() -> Self {
        Error::new(ErrorKind::NoSuchObject, "the daemon has no object with this handle").advise(
            "the object was released or consumed by a method, or the handle belongs to another \
             daemon",
        )
    }

    /// Adds what was tried: "calling Counter.add".
    pub(crate) fn doing(mut self, act: impl Into<String>) -> Self {
        self.0.act.get_or_insert_with(|| act.into());
        self
    }

    /// Adds on which daemon: "daemon 4211 (Counter)".
    pub(crate) fn on(mut self, daemon: impl Into<String>) -> Self {
        self.0.daemon.get_or_insert_with(|| daemon.into());
        self
    }

    /// Adds what the reader can do about it.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice.get_or_insert_with(|| advice.into());
        self
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source.get_or_insert_with(|| Arc::new(source));
        self
    }

    /// Keeps more of a text of which the message has an [`Excerpt`].
    pub(crate) fn quoting(self, text: Option<String>) -> Self {
        match text.filter(|text| text.chars().nth(Excerpt::LIMIT).is_some()) {
            Some(text) => self.because(ForeignText::new(&text)),
            None => self,
        }
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Replaces why it failed.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// Replaces what the reader can do about it.
    pub(crate) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    pub(crate) fn with_death(mut self, death: Arc<Death>) -> Self {
        self.0.death.get_or_insert(death);
        self
    }

    /// Returns why it failed, without what was tried and on which daemon.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorFields { act, daemon, detail, advice, .. } = &*self.0;
        // Each part has a limit of its own, so that a long one hides no other.
        match (act, daemon) {
            (Some(act), Some(daemon)) => {
                one_line(act, MAX_CONTEXT, f)?;
                f.write_str(" on ")?;
                one_line(daemon, MAX_CONTEXT, f)?;
                f.write_str(": ")?;
            }
            (Some(context), None) | (None, Some(context)) => {
                one_line(context, MAX_CONTEXT, f)?;
                f.write_str(": ")?;
            }
            (None, None) => {}
        }
        one_line(detail, MAX_PART, f)?;
        match advice {
            Some(advice) => {
                f.write_str("; ")?;
                one_line(advice, MAX_PART, f)
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{:?}]", self.0.kind)?;
        if let Some(exception) = &self.0.exception {
            exception.fmt_details(f)?;
        }
        if let Some(death) = &self.0.death {
            death.fmt_details(f)?;
        }
        let mut source = self.source();
        for _ in 0..MAX_CAUSES {
            let Some(cause) = source else { break };
            f.write_str("\n  caused by: ")?;
            write!(OneLine::new(f, MAX_PART), "{cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests;
