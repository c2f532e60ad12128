//! The error type of conversions inside serde; it becomes an [`Error`] at the door.

use std::fmt;

use crate::common::error::{Error, ErrorKind};

/// A failed conversion, and the path to the place where it failed.
#[derive(Debug)]
pub(super) struct Fault {
    kind: ErrorKind,
    message: String,
    advice: Option<String>,
    /// From the inside out, because that is how an error travels.
    path: Vec<String>,
}

impl Fault {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Fault { kind, message: message.into(), advice: None, path: Vec::new() }
    }

    pub(super) fn wrong_type(message: impl Into<String>) -> Self {
        Fault::new(ErrorKind::WrongType, message)
    }

    pub(super) fn too_deep(limit: usize) -> Self {
        Fault::new(ErrorKind::TooDeep, format!("the value is nested deeper than {limit} levels"))
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Fault { advice: Some(advice.into()), ..self }
    }

    /// Adds a step to the path: `.name` or `[3]`.
    pub(super) fn at(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        // An error of a conversion has no call and no daemon yet: only the reason and
        // advice.
        Fault::new(error.kind(), error.to_string())
    }
}

impl From<Fault> for Error {
    fn from(Fault { kind, message, advice, path }: Fault) -> Self {
        let error = match kind {
            // The path would be long, and the same step over and over.
            ErrorKind::TooDeep => {
                return Error::new(kind, message)
                    .advise("keep the deep part in the daemon and ask it for what you need");
            }
            _ if path.is_empty() => Error::new(kind, message),
            _ => {
                let path: String = path.into_iter().rev().collect();
                Error::new(kind, format!("at `{path}`: {message}"))
            }
        };
        match advice {
            Some(advice) => error.advise(advice),
            None => error,
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
        Fault::wrong_type(message.to_string())
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::wrong_type(message.to_string())
    }
}

/// The error for something that is not of the type it should be.
pub(super) fn wrong_type(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::WrongType, message)
}

/// The error for a text that is not in the `format` of what it should be.
pub(super) fn malformed(text: &str, what: &str, format: &str) -> Error {
    wrong_type(format!("`{}` is not {what}: expected `{format}`", Excerpt(text)))
}

/// How many bytes of a text that is not oad's own an error message quotes.
const MAX_EXCERPT: usize = 200;

/// The beginning of a text, on one line.
pub(super) struct Excerpt<'a>(pub(super) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.floor_char_boundary(MAX_EXCERPT)];
        let more = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "{}{more}", shown.escape_debug())
    }
}
