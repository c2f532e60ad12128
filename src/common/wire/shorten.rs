//! Shortens the message of an exception until it fits the limit on messages: the parts
//! that matter least go first.

use prost::Message as _;

use crate::common::wire::pb;
use crate::common::wire::pb::value::Kind;

/// The bytes around an exception in its response, and of the names of shortened fields.
const AROUND: usize = 256;
/// The limit is never taken to be less than this. All steps together leave less, and a
/// failure may take as much too.
const LEAST: usize = 4 * 1024;
/// A single value that is larger is replaced by its size, before all values are omitted.
const LARGE: usize = 1024;
const SHORT: usize = 512;

type Step = fn(&mut pb::Exception, usize);

/// The steps, each with the field that it shortens. A step receives the number of excess
/// bytes.
const STEPS: [(&str, Step); 14] = [
    ("traceback", |exception, excess| {
        let kept = exception.traceback.len().saturating_sub(excess + AROUND);
        exception.traceback = match kept {
            ..LARGE => String::new(),
            _ => cut_before(std::mem::take(&mut exception.traceback), kept),
        };
    }),
    ("traceback", |exception, _| exception.behind.iter_mut().for_each(|other| other.stack.clear())),
    ("attributes", |exception, _| {
        each(exception, |one| {
            let attributes = one.attributes.iter_mut();
            attributes.filter_map(|one| one.value.as_mut()).for_each(show_if_large)
        })
    }),
    ("attributes", |exception, _| each(exception, |one| one.attributes.clear())),
    ("args", |exception, _| each(exception, |one| one.args.iter_mut().for_each(show_if_large))),
    ("args", |exception, _| each(exception, |one| one.args.clear())),
    ("value", |exception, _| exception.value = None),
    ("behind", |exception, _| {
        for other in &mut exception.behind {
            other.notes.clear();
            shorten_names(other);
            shorten_message(other, SHORT);
        }
    }),
    ("causes", |exception, _| {
        let causes = std::mem::take(&mut exception.causes);
        exception.causes = causes.into_iter().map(|cause| cut(cause, SHORT)).collect();
    }),
    ("behind", |exception, _| {
        exception.omitted += exception.behind.len() as u64;
        exception.behind.clear();
        exception.group.clear();
        (exception.cause, exception.context) = (0, 0);
    }),
    ("causes", |exception, _| {
        // The causes of a Python exception are among those behind it, counted already.
        if exception.mro.is_empty() {
            exception.omitted += exception.causes.len() as u64;
        }
        exception.causes.clear();
    }),
    ("notes", |exception, _| exception.notes.clear()),
    ("mro", |exception, _| shorten_names(exception)),
    ("message", |exception, excess| {
        let kept = exception.message.len().saturating_sub(excess + AROUND);
        shorten_message(exception, kept);
    }),
];

/// Shortens an exception to `limit` bytes, and notes the shortened fields.
pub(super) fn shorten(exception: &mut pb::Exception, limit: usize) {
    let room = limit.saturating_sub(AROUND).max(LEAST - AROUND);
    for (field, step) in STEPS {
        let len = exception.encoded_len();
        if len <= room {
            return;
        }
        step(exception, len - room);
        if exception.encoded_len() < len {
            note(exception, field);
        }
    }
}

/// Notes that a field was shortened.
pub(super) fn note(exception: &mut pb::Exception, field: &str) {
    if !exception.shortened.iter().any(|known| known == field) {
        exception.shortened.push(field.to_owned());
    }
}

fn each(exception: &mut pb::Exception, step: fn(&mut pb::Exception)) {
    exception.behind.iter_mut().for_each(step);
    step(exception);
}

/// Shortens the names of types, and the location.
fn shorten_names(exception: &mut pb::Exception) {
    // One name stays, because it marks a Python exception.
    exception.mro.truncate(1);
    for name in exception.mro.iter_mut().chain([&mut exception.r#type, &mut exception.location]) {
        *name = cut(std::mem::take(name), SHORT);
    }
}

fn shorten_message(exception: &mut pb::Exception, limit: usize) {
    if exception.message.len() > limit {
        exception.message = cut(std::mem::take(&mut exception.message), limit);
        exception.message_is_argument = false;
    }
}

fn show_if_large(value: &mut pb::Value) {
    let len = value.encoded_len();
    if len > LARGE {
        value.kind = Some(Kind::Text(format!("<{len} bytes omitted>")));
    }
}

pub(super) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let kept = text.floor_char_boundary(limit);
        let more = text.len() - kept;
        text.truncate(kept);
        text.push_str(&format!("… ({more} bytes more)"));
    }
    text
}

/// Keeps the end, which is the most useful part of a traceback.
pub(super) fn cut_before(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let start = text.ceil_char_boundary(text.len() - limit);
        text.replace_range(..start, &format!("({start} bytes before) …"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large() -> pb::Exception {
        let text = "é".repeat(20_000);
        let value = pb::Value { kind: Some(Kind::Text(text.clone())) };
        let one = pb::Exception {
            r#type: text.clone(),
            message: text.clone(),
            location: text.clone(),
            mro: vec![text.clone(); 3],
            args: vec![value.clone(); 3],
            attributes: vec![pb::Keyword { name: "x".into(), value: Some(value.clone()) }],
            notes: vec![text.clone(); 3],
            stack: text.clone(),
            ..Default::default()
        };
        let behind = vec![one.clone(); 63];
        let causes = vec![text.clone(); 63];
        let stack = String::new();
        pb::Exception {
            behind,
            causes,
            traceback: text,
            stack,
            value: Some(value),
            cause: 1,
            group: vec![2, 3],
            ..one
        }
    }

    #[test]
    fn exception_fits_any_limit_and_names_what_was_shortened() {
        for power in 0..26 {
            let (whole, mut exception, limit) = (large(), large(), 1usize << power);
            shorten(&mut exception, limit);
            let len = exception.encoded_len() + AROUND;
            assert!(len <= limit.max(LEAST) + AROUND, "{len} of {limit}");
            assert_eq!(
                exception.shortened.is_empty(),
                exception == whole,
                "{:?}",
                exception.shortened
            );
            assert!(
                !exception.r#type.is_empty()
                    && !exception.message.is_empty()
                    && !exception.mro.is_empty()
            );
            assert!(
                exception.omitted as usize + exception.behind.len() == 63,
                "{}",
                exception.omitted
            );
        }
    }

    #[test]
    fn most_useful_parts_stay_longest() {
        let exception = pb::Exception {
            message: "m".repeat(40_000),
            message_is_argument: true,
            traceback: format!("first\n{}\nlast", "t".repeat(50_000)),
            ..Default::default()
        };
        let shortened = |limit| {
            let mut exception = exception.clone();
            shorten(&mut exception, limit);
            exception
        };
        assert_eq!(shortened(100_000), exception);
        let short = shortened(60_000);
        assert_eq!((&short.message, short.message_is_argument), (&exception.message, true));
        assert!(
            short.traceback.starts_with('(') && short.traceback.ends_with("t\nlast"),
            "{}",
            short.traceback
        );
        assert_eq!(short.shortened, ["traceback"]);
        let short = shortened(20_000);
        assert_eq!((short.traceback.as_str(), short.message_is_argument), ("", false));
        assert!(short.message.len() > 19_000 && short.message.ends_with(" bytes more)"));
        assert_eq!(short.shortened, ["traceback", "message"]);
    }
}
