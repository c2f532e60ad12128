//! How the end of an interpreter is reported.

use std::sync::Arc;

use crate::common::error::{Death, Error, ErrorKind};

/// How much of the end of an interpreter's stderr an error's message contains.
const LAST_LINES: usize = 6;
const LAST_CHARACTERS: usize = 200;
const PATH_CHARACTERS: usize = 40;

/// The error of calls whose interpreter has died.
pub(crate) fn interpreter_died(program: &str, death: Death) -> Error {
    let message =
        format!("the interpreter `{program}` (process {}) died: {}", death.pid, death.how());
    let words = last_words(&death.stderr);
    let error = Error::new(ErrorKind::Died, message);
    let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
    error.with_death(Arc::new(death))
}

/// How Python reports a crash; the most recent frames come first.
const FATAL: &str = "Fatal Python error: ";

/// The end of what an interpreter wrote to stderr, in one line. Of the report of a crash
/// it is the beginning, without what comes before the frames.
pub(crate) fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(start) = lines.iter().rposition(|line| line.starts_with(FATAL)) {
        let is_heading = |line: &&&str| !line.ends_with("(most recent call first):");
        let words: Vec<String> = lines[start..]
            .iter()
            .filter(is_heading)
            .take(LAST_LINES)
            .map(|line| with_short_path(line))
            .collect();
        let words = words.join(" | ");
        return match words.char_indices().nth(LAST_CHARACTERS) {
            Some((end, _)) => format!("{}…", words[..end].rsplit_once(' ').map_or("", |cut| cut.0)),
            None => words,
        };
    }
    let words = lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ");
    match words.char_indices().rev().nth(LAST_CHARACTERS - 1) {
        Some((start, _)) if start > 0 => {
            let cut = &words[start..];
            // At a word, if there is one.
            let is_word = words[..start].ends_with(' ');
            let whole = if is_word { None } else { cut.split_once(' ') };
            format!("…{}", whole.map_or(cut, |(_, whole)| whole))
        }
        _ => words,
    }
}

/// A frame such as `File "/a/long/path/to/module.py", line 3 in f`, with no more than the
/// end of its path, so that there is room for more frames.
fn with_short_path(line: &str) -> String {
    let long = |path: &str| path.chars().count() > PATH_CHARACTERS;
    match line.strip_prefix("File \"").and_then(|rest| rest.split_once('"')) {
        Some((path, rest)) if long(path) => {
            let cut = path.char_indices().rev().nth(PATH_CHARACTERS - 1).map_or(0, |(cut, _)| cut);
            let end = path[cut..].find('/').map_or(cut, |slash| cut + slash);
            format!("File \"…{}\"{rest}", &path[end..])
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_begin_with_a_word() {
        assert_eq!(last_words("one\n\n  two\n"), "one | two");
        assert_eq!(last_words(&"abc ".repeat(60)), format!("…{}", "abc ".repeat(50).trim()));
        assert_eq!(last_words(&"abcdef ".repeat(60)), format!("…{}", "abcdef ".repeat(28).trim()));
        assert_eq!(last_words(&"x".repeat(300)), format!("…{}", "x".repeat(200)));
    }

    #[test]
    fn last_words_of_a_crash_are_its_first_frames() {
        let frames: String = (0..50).map(|n| format!("  File \"a.py\", line {n} in f\n")).collect();
        let report = format!(
            "noise\nFatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call \
             first):\n{frames}"
        );
        let words = last_words(&report);
        assert!(
            words.starts_with(
                "Fatal Python error: Segmentation fault | File \"a.py\", line 0 in f | "
            ),
            "{words}"
        );
        assert!(words.chars().count() <= LAST_CHARACTERS + 1, "{words}");
        let long = format!(
            "Fatal Python error: Aborted\n\n  File \"/{}/b.py\", line 3 in f",
            "a/".repeat(200)
        );
        let words = last_words(&long);
        assert!(words.ends_with("/b.py\", line 3 in f"), "{words}");
    }
}
