//! The page of messages: collects errors, and replaces what differs from run to run.

use std::fmt::Write as _;

use oad::{Error, ErrorKind};

/// The errors seen so far, as text.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    kinds: Vec<ErrorKind>,
    /// Texts that differ from run to run, and what the page has in their place.
    replaced: Vec<(String, &'static str)>,
}

impl Page {
    /// Replaces `text` in all that is added from now on.
    pub(crate) fn replace(&mut self, text: impl ToString, name: &'static str) {
        self.replaced.push((text.to_string(), name));
    }

    /// Adds an error, as its user reads it. `Display` must be one line, and quote at most
    /// 200 characters of what another program wrote.
    pub(crate) fn add(&mut self, title: &str, error: &Error) {
        let message = self.redacted(&error.to_string());
        assert!(!message.chars().any(char::is_control), "{title} is not one line: {message:?}");
        assert!(!message.contains(&"x".repeat(201)), "{title} quotes too much: {message:?}");
        let details = self.redacted(&format!("{error:?}"));
        let details = details.strip_prefix(&message).expect("`Debug` starts with `Display`");
        writeln!(self.text, "# {title}\n{message}\n{}\n", details.trim_start())
            .expect("text grows");
        self.kinds.push(error.kind());
    }

    /// The kinds of the errors that were added.
    pub(crate) fn kinds(&self) -> &[ErrorKind] {
        &self.kinds
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn redacted(&self, text: &str) -> String {
        // Newer interpreters mark the place in a line below it.
        let is_mark = |line: &&str| {
            let line = line.trim_start_matches([' ', '|']);
            let is_place = line.contains('^') && line.chars().all(|char| "^~ ".contains(char));
            // Python 3.6 writes this line above a traceback without frames too.
            is_place || line == "Traceback (most recent call last):"
        };
        let mut text: String =
            text.split_inclusive('\n').filter(|line| !is_mark(&line.trim_end())).collect();
        for (found, name) in &self.replaced {
            text = text.replace(found, name);
        }
        for (before, name) in [
            ("daemon ", "PID"),
            ("process ", "PID"),
            ("pid ", "PID"),
            ("uptime: ", "TIME"),
            ("(pid=", "PID"),
            (".rs:", "LINE"),
            ("ended in ", "TIME"),
        ] {
            text = number_after(&text, before, name);
        }
        runs_shortened(&text)
    }
}

/// Shortens the long sequences of one character that stand for long texts.
fn runs_shortened(text: &str) -> String {
    let mut shortened = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|other| other != first).unwrap_or(rest.len());
        match run / first.len_utf8() {
            count if count > 20 => write!(shortened, "[{count} × {first}]").expect("text grows"),
            _ => shortened += &rest[..run],
        }
        rest = &rest[run..];
    }
    shortened
}

/// Replaces each number that follows `before`, with its fraction or its column.
fn number_after(text: &str, before: &str, name: &str) -> String {
    let mut pieces = text.split(before);
    let mut replaced = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let is_number = rest.len() < piece.len();
        let rest = match rest.strip_prefix(['.', ':']) {
            Some(fraction) if is_number && fraction.starts_with(|c: char| c.is_ascii_digit()) => {
                fraction.trim_start_matches(|digit: char| digit.is_ascii_digit())
            }
            _ => rest,
        };
        replaced += before;
        replaced += if is_number { name } else { "" };
        replaced += rest;
    }
    replaced
}

#[test]
fn numbers_are_replaced_with_their_fractions() {
    assert_eq!(
        number_after("daemon 12 (a), daemon x, daemon 3.", "daemon ", "PID"),
        "daemon PID (a), daemon x, daemon PID."
    );
    assert_eq!(number_after("uptime: 0.012 s", "uptime: ", "TIME"), "uptime: TIME s");
    assert_eq!(number_after("at a.rs:12:3: no", ".rs:", "LINE"), "at a.rs:LINE: no");
}
