//! Text in messages that may be long, or have more than one line.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

/// Writes text as one line, up to a limit: control characters are escaped, and `…` stands
/// for what goes beyond.
pub(super) struct OneLine<'a, 'b> {
    formatter: &'a mut fmt::Formatter<'b>,
    /// How many characters may still come; `None` if more have come.
    left: Option<usize>,
}

impl<'a, 'b> OneLine<'a, 'b> {
    pub(super) fn new(formatter: &'a mut fmt::Formatter<'b>, limit: usize) -> Self {
        OneLine { formatter, left: Some(limit) }
    }

    fn write_plain(&mut self, text: &str) -> fmt::Result {
        let Some(left) = self.left else { return Ok(()) };
        match text.char_indices().nth(left) {
            None => {
                // Without counting again what is surely within the limit.
                let count = if text.is_ascii() { text.len() } else { text.chars().count() };
                self.left = Some(left - count);
                self.formatter.write_str(text)
            }
            Some((end, _)) => {
                self.left = None;
                self.formatter.write_str(&text[..end])?;
                self.formatter.write_char('…')
            }
        }
    }
}

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Whole pieces, because nearly no text has anything to escape.
        for piece in text.split_inclusive(char::is_control) {
            if self.left.is_none() {
                break;
            }
            match piece.char_indices().next_back().filter(|(_, last)| last.is_control()) {
                Some((start, last)) => {
                    self.write_plain(&piece[..start])?;
                    self.write_plain(&last.escape_debug().to_string())?;
                }
                None => self.write_plain(piece)?,
            }
        }
        Ok(())
    }
}

/// Writes a text as one line.
pub(super) fn one_line(text: &str, limit: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    OneLine::new(f, limit).write_str(text)
}

/// The beginning of text that oad did not write, in backticks: at most 200 characters.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl Excerpt<'_> {
    pub(crate) const LIMIT: usize = 200;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", shortened(self.0, Self::LIMIT))
    }
}

/// The most bytes of one text in an error's `Debug`, such as a traceback. What oad itself
/// sends is shorter, as a rule, but another program may be at the other end.
pub(super) const MAX_DEBUG: usize = 64 * 1024;

/// Writes each line of a text below an error's message; the end of it if it is very long.
pub(super) fn write_lines(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let start = text.ceil_char_boundary(text.len().saturating_sub(MAX_DEBUG));
    if start > 0 {
        write!(f, "\n  | ({start} bytes before) …")?;
    }
    text[start..].lines().try_for_each(|line| {
        f.write_str("\n  | ")?;
        one_line(line, MAX_DEBUG, f)
    })
}

/// The last `limit` bytes of a text, in which control characters are escaped, except line
/// ends and tabs.
pub(super) fn escaped_end(text: &str, limit: usize) -> String {
    let start = text.ceil_char_boundary(text.len().saturating_sub(limit));
    let mut escaped = String::new();
    for char in text[start..].chars() {
        match char {
            '\n' | '\t' => escaped.push(char),
            char if char.is_control() => escaped.extend(char.escape_debug()),
            char => escaped.push(char),
        }
    }
    escaped.drain(..escaped.ceil_char_boundary(escaped.len().saturating_sub(limit)));
    escaped
}

/// Shows the beginning of a text as `Debug` does.
pub(super) struct DebugStart<'a>(pub(super) &'a str);

impl fmt::Debug for DebugStart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&shortened(self.0, MAX_PART), f)
    }
}

/// The first `limit` characters of a text, the last of which is `…` if there are more.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

/// The most characters of one part of an error's line, or of one of its causes.
pub(super) const MAX_PART: usize = 4 * 1024;

/// A text that oad did not write, as the cause of an error whose message has an
/// [`Excerpt`] of it. It is seen in the error's `Debug`.
#[derive(Debug)]
pub(super) struct ForeignText(String);

impl ForeignText {
    pub(super) fn new(text: &str) -> Self {
        ForeignText(shortened(text, MAX_PART))
    }
}

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        one_line(&self.0, MAX_PART, f)
    }
}

impl StdError for ForeignText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_escapes_control_characters_only() {
        let text = ForeignText::new("grüße\n\tan `\u{1b}[31m` \"alle\"\r\n").to_string();
        assert_eq!(text, "grüße\\n\\tan `\\u{1b}[31m` \"alle\"\\r\\n");
        assert_eq!(ForeignText::new("").to_string(), "");
    }

    #[test]
    fn one_line_is_cut_at_its_limit() {
        struct Cut(&'static [&'static str]);

        impl fmt::Display for Cut {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut line = OneLine::new(f, 5);
                self.0.iter().try_for_each(|text| line.write_str(text))
            }
        }

        for (parts, expected) in [
            (&["äöüäö"][..], "äöüäö"),
            (&["äöü", "äö", ""], "äöüäö"),
            (&["äöüäöü"], "äöüäö…"),
            (&["äöü", "äö", "ü", "ü"], "äöüäö…"),
            (&["abcd\nef", "g"], "abcd\\…"),
        ] {
            assert_eq!(Cut(parts).to_string(), expected);
        }
    }

    #[test]
    fn excerpt_has_at_most_200_characters() {
        let (short, long) = ("é".repeat(200), "é".repeat(201));
        assert_eq!(Excerpt(&short).to_string(), format!("`{short}`"));
        assert_eq!(Excerpt(&long).to_string(), format!("`{}…`", "é".repeat(199)));
    }
}
