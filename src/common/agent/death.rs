//! How the end of an interpreter is reported.

use std::sync::Arc;

use crate::common::error::{Death, Error, ErrorKind};

/// How much of the end of an interpreter's stderr an error's message contains.
const LAST_LINES: usize = 6;
const LAST_CHARACTERS: usize = 200;

/// The error of calls whose interpreter has died.
pub(crate) fn interpreter_died(program: &str, death: Death) -> Error {
    let message =
        format!("the interpreter `{program}` (process {}) died: {}", death.pid, death.status);
    let words = last_words(&death.stderr);
    let error = Error::new(ErrorKind::Died, message);
    let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
    error.with_death(Arc::new(death))
}

/// The end of what an interpreter wrote to stderr, in one line.
pub(crate) fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ");
    match words.char_indices().rev().nth(LAST_CHARACTERS - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &words[start..]),
        _ => words,
    }
}
