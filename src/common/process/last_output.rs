//! The end of what a process wrote to stderr, as the report of its exit shows it.

/// How much of it is shown, in bytes.
pub(super) const SHOWN: usize = 4 * 1024;

/// How Python's `faulthandler`, and Python itself, begin to report a crash.
const FATAL: &str = "Fatal Python error: ";

/// How the frames of oad's own code in an interpreter begin in such a report.
const OWN_FRAMES: [&str; 2] = ["File \"<oad agent>\"", "File \"<string>\""];

/// Returns the end of a text whose beginning `is_cut` off: whole lines, if possible, that
/// do not begin with the frames of something older. The report of a crash of Python is
/// shown from its beginning, because the most recent frames come first there.
pub(super) fn end_of(text: &str, is_cut: bool) -> String {
    let begins = |(start, _): &(usize, &str)| *start == 0 || text[..*start].ends_with('\n');
    match text.rmatch_indices(FATAL).find(begins) {
        Some((start, _)) => {
            let report = without_own_frames(&text[start..]);
            let room = SHOWN.saturating_sub(report.len());
            let before = last_lines(&text[..start], is_cut, room);
            cut_lines(&(before + &report))
        }
        None => last_lines(text, is_cut, SHOWN),
    }
}

/// The last lines of a text that fit.
fn last_lines(text: &str, is_cut: bool, room: usize) -> String {
    if !is_cut && text.len() <= room {
        return text.to_owned();
    }
    let start = text.ceil_char_boundary(text.len().saturating_sub(room));
    let is_whole = (start == 0 && !is_cut) || text[..start].ends_with('\n');
    let text = &text[start..];
    let lines = match text.split_once('\n') {
        _ if is_whole => text,
        Some((_, lines)) if !lines.is_empty() => lines,
        // One long line.
        _ => return text.split_once(' ').map_or(text, |(_, words)| words).to_owned(),
    };
    // The frames of a backtrace are indented, in Rust and in Python.
    let frames = lines.split_inclusive('\n').take_while(|line| line.starts_with([' ', '\t']));
    let rest = &lines[frames.map(str::len).sum::<usize>()..];
    if rest.is_empty() { lines.to_owned() } else { rest.to_owned() }
}

/// A report of a crash without oad's own frames, and without threads that have no others.
fn without_own_frames(report: &str) -> String {
    let is_own = |line: &&str| OWN_FRAMES.iter().any(|own| line.trim_start().starts_with(own));
    let is_thread = |line: &str| line.ends_with("(most recent call first):\n");
    let lines: Vec<&str> = report.split_inclusive('\n').filter(|line| !is_own(line)).collect();
    let has_frames = |place: usize| lines.get(place + 1).is_some_and(|next| next.starts_with(' '));
    let kept = |(place, line): &(usize, &&str)| !is_thread(line) || has_frames(*place);
    lines.iter().enumerate().filter(kept).map(|(_, line)| *line).collect()
}

/// The first lines of a text that fit.
fn cut_lines(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(SHOWN - 4)];
    let end = head.rfind('\n').map_or(head.len(), |end| end + 1);
    format!("{}…\n", &head[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_shown_whole() {
        assert_eq!(end_of("  one\ntwo", false), "  one\ntwo");
        assert_eq!(end_of("", false), "");
    }

    #[test]
    fn long_text_begins_with_a_whole_line() {
        let lines: String = (0..1000).map(|n| format!("line number {n}\n")).collect();
        let end = end_of(&lines, false);
        assert!(end.starts_with("line number ") && end.ends_with("line number 999\n"), "{end}");
        assert!(end.len() <= SHOWN && end.len() > SHOWN - 40, "{}", end.len());
        assert_eq!(end_of("f a line\nlast", true), "last");
        let words = "word ".repeat(2000);
        assert!(end_of(&words, true).starts_with("word "), "one long line");
        assert_eq!(end_of(&"x".repeat(9000), true).len(), SHOWN);
        assert!(end_of(&"ü".repeat(9000), true).len() <= SHOWN);
    }

    #[test]
    fn long_text_does_not_begin_with_frames() {
        let frames =
            "   7: core::panicking::panic\n             at /rustc/library:1:2\n".repeat(200);
        let text =
            format!("thread 'main' panicked:\nolder\n{frames}thread 'main' panicked:\nnewer");
        assert_eq!(end_of(&text, false), "thread 'main' panicked:\nnewer");
        assert!(end_of(&frames, true).starts_with("   7: "), "there is nothing else");
    }

    #[test]
    fn crash_of_python_is_shown_from_its_beginning() {
        let own = "  File \"<oad agent>\", line 1200 in call\n".repeat(10);
        let report = format!(
            "Fatal Python error: Segmentation fault\n\n\
             Thread 0x1 (most recent call first):\n{own}\n\
             Current thread 0x2 (most recent call first):\n  File \"a.py\", line 3 in f\n{own}  \
             File \"<string>\", line 60 in bootstrap\n"
        );
        let expected = "Fatal Python error: Segmentation fault\n\n\nCurrent thread 0x2 \
                        (most recent call first):\n  File \"a.py\", line 3 in f\n";
        assert_eq!(end_of(&report, false), expected);
        let noise = "noise\n".repeat(3000);
        let end = end_of(&format!("{noise}{report}"), true);
        assert!(end.starts_with("noise\n") && end.ends_with(expected), "{end}");
        let deep = "  File \"a.py\", line 3 in f\n".repeat(1000);
        let end = end_of(&format!("Fatal Python error: Aborted\n\n{deep}"), false);
        assert!(end.starts_with("Fatal Python error: Aborted\n") && end.ends_with("in f\n…\n"));
        assert!(end.len() <= SHOWN);
        assert_eq!(end_of("not a Fatal Python error: x", false), "not a Fatal Python error: x");
    }
}
