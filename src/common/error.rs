//! What can go wrong, in one type one word wide.
//!
//! Every [`Error`] says what was tried, on which daemon, why it failed and, where there
//! is something to do, what to do. [`Error::kind`] sorts it: the object itself failed
//! ([`ErrorKind::Exception`]), it could not be asked, it did not answer in time, or
//! something had the wrong type. This module imports nothing of oad, so that everything
//! may import it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

mod death;
mod exception;

pub use death::Death;
pub(crate) use death::{DeadProcess, Status};
pub use exception::Exception;

/// What oad's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of oad: what was tried, on which daemon, why it failed and what to do.
///
/// [`Display`](fmt::Display) is one line; [`Debug`](fmt::Debug) — what a `main` that
/// returns an error prints — adds the object's own causes, the location of a panic and
/// the last lines that a dead daemon or interpreter wrote to its stderr.
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

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// This program cannot be started again as a daemon: `oad::init()` has not run in it.
    NotInitialized,
    /// The daemon's process could not be started, or ended before it was ready.
    Spawn,
    /// The daemon's process was started but did not answer as a daemon does, or not in
    /// time.
    Handshake,
    /// The daemon speaks another version of oad's protocol.
    Version,
    /// The object itself failed: its error or its panic is [`Error::exception`].
    Exception,
    /// The daemon's process died, or the interpreter that held the object: its exit
    /// status and last words are [`Error::death`].
    Died,
    /// The daemon was shut down, or its last proxy dropped, before the answer came.
    Closed,
    /// The object has no such method, the daemon's program no such type, or the type does
    /// not implement the interface.
    NoSuchMethod,
    /// The arguments are not what the method takes.
    BadArguments,
    /// There is no such object in the daemon, or no longer.
    NoSuchObject,
    /// A value cannot be turned into the type that is wanted.
    WrongType,
    /// A message is larger than the limit.
    TooLarge,
    /// A value is nested deeper than the limit.
    TooDeep,
    /// Too many of something at once.
    Limit,
    /// There was no answer within the deadline.
    Timeout,
    /// The call was cancelled in the daemon.
    Cancelled,
    /// The async runtime that carried the connection to the daemon has ended.
    RuntimeEnded,
    /// A sync method of a proxy was called on the one thread that carries the connection
    /// to the daemon, which would have waited for itself.
    WouldDeadlock,
    /// The daemon sent something that makes no sense, or its connection is lost although
    /// it lives: a fault of oad, or another program on its socket.
    Protocol,
}

// === impl Error ===

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The object's own failure, if it is one.
    #[must_use]
    pub fn exception(&self) -> Option<&Exception> {
        self.0.exception.as_deref()
    }

    /// How the daemon's process died, if it did; or the interpreter that held the object,
    /// if it is [`Death::is_of_interpreter`].
    #[must_use]
    pub fn death(&self) -> Option<&Death> {
        self.0.death.as_deref()
    }

    /// Whether the object itself failed, rather than oad's reaching it.
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.0.kind == ErrorKind::Exception
    }

    /// Whether the daemon's process died, or the interpreter that held the object.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.kind == ErrorKind::Died
    }

    /// Whether the answer did not come within the deadline.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether the daemon had been shut down.
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
        let mut error = Error::new(ErrorKind::Exception, exception.to_string());
        error.0.advice = exception.advice.clone();
        error.0.exception = Some(Arc::new(exception));
        error
    }

    pub(crate) fn from_death(death: Arc<Death>) -> Self {
        let mut error = Error::new(ErrorKind::Died, death.to_string());
        error.0.death = Some(death);
        error
    }

    /// Says what was tried: "calling Counter.add".
    pub(crate) fn doing(mut self, act: impl Into<String>) -> Self {
        self.0.act.get_or_insert_with(|| act.into());
        self
    }

    /// Says on which daemon: "daemon 4211 (Counter)".
    pub(crate) fn on(mut self, daemon: impl Into<String>) -> Self {
        self.0.daemon.get_or_insert_with(|| daemon.into());
        self
    }

    /// Says what the reader can do about it.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice.get_or_insert_with(|| advice.into());
        self
    }

    pub(crate) fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source.get_or_insert_with(|| Arc::new(source));
        self
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

    /// Why it failed, without what was tried and where.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        match (&inner.act, &inner.daemon) {
            (Some(act), Some(daemon)) => write!(f, "{act} on {daemon}: ")?,
            (Some(act), None) => write!(f, "{act}: ")?,
            (None, Some(daemon)) => write!(f, "{daemon}: ")?,
            (None, None) => {}
        }
        f.write_str(&inner.detail)?;
        if let Some(advice) = &inner.advice {
            write!(f, "; {advice}")?;
        }
        Ok(())
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
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
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
