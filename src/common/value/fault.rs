//! What serde is told when a conversion fails; it becomes an [`Error`] at the door.

use std::fmt;

use crate::common::error::{Error, ErrorKind};

/// A failed conversion, and the way to the place where it failed.
#[derive(Debug)]
pub(super) struct Fault {
    kind: ErrorKind,
    message: String,
    /// From the inside out, because that is the way an error travels.
    path: Vec<String>,
}

impl Fault {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Fault { kind, message: message.into(), path: Vec::new() }
    }

    pub(super) fn too_deep(limit: usize) -> Self {
        Fault::new(ErrorKind::TooDeep, format!("the value is nested deeper than {limit} levels"))
    }

    /// Says that it happened at a step below: `.name` or `[3]`.
    pub(super) fn at(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::new(error.kind(), error.detail())
    }
}

impl From<Fault> for Error {
    fn from(Fault { kind, message, path }: Fault) -> Self {
        match kind {
            // The way to it is long, and the same step over and over.
            ErrorKind::TooDeep => Error::new(kind, message)
                .advise("keep the deep part in the daemon and ask it for what you need"),
            _ if path.is_empty() => Error::new(kind, message),
            _ => Error::new(
                kind,
                format!("at {}: {message}", path.into_iter().rev().collect::<String>()),
            ),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(ErrorKind::WrongType, message.to_string())
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(ErrorKind::WrongType, message.to_string())
    }
}
