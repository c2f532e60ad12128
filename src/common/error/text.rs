//! Text in messages that may be long, or have more than one line.

use std::error::Error as StdError;
use std::fmt::{self, Write as _};

/// Writes text as one line: control characters are escaped.
pub(super) struct OneLine<'a, 'b>(pub(super) &'a mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Whole pieces, because nearly no text has anything to escape.
        for piece in text.split_inclusive(char::is_control) {
            match piece.char_indices().next_back().filter(|(_, last)| last.is_control()) {
                Some((start, last)) => {
                    self.0.write_str(&piece[..start])?;
                    write!(self.0, "{}", last.escape_debug())?;
                }
                None => self.0.write_str(piece)?,
            }
        }
        Ok(())
    }
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

/// Writes each line of a text below an error's message.
pub(super) fn write_lines(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    text.lines().try_for_each(|line| {
        f.write_str("\n  | ")?;
        OneLine(f).write_str(line)
    })
}

/// The first `limit` characters of a text, the last of which is `…` if there are more.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

/// The whole of a text that oad did not write, as the cause of an error whose message has
/// an [`Excerpt`] of it. It is seen in the error's `Debug`.
#[derive(Debug)]
pub(super) struct ForeignText(pub(super) String);

impl fmt::Display for ForeignText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneLine(f).write_str(&self.0)
    }
}

impl StdError for ForeignText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_escapes_control_characters_only() {
        let text = ForeignText("grüße\n\tan `\u{1b}[31m` \"alle\"\r\n".to_owned()).to_string();
        assert_eq!(text, "grüße\\n\\tan `\\u{1b}[31m` \"alle\"\\r\\n");
        assert_eq!(ForeignText(String::new()).to_string(), "");
    }

    #[test]
    fn excerpt_has_at_most_200_characters() {
        let (short, long) = ("é".repeat(200), "é".repeat(201));
        assert_eq!(Excerpt(&short).to_string(), format!("`{short}`"));
        assert_eq!(Excerpt(&long).to_string(), format!("`{}…`", "é".repeat(199)));
    }
}
