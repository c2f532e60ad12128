//! [`Exception`] to and from its message.

use std::sync::Arc;

use crate::common::error::{Error, ErrorKind, Exception, Result};
use crate::common::value::{PythonDetails, Value};
use crate::common::wire::shorten::{cut, cut_before, note, shorten};
use crate::common::wire::value::{keyword_from_pb, keyword_to_pb, values_to_pb};
use crate::common::wire::{pb, value_from_pb, value_to_pb, values_from_pb};

/// Longer texts are cut, whatever the limit on messages. The agent cuts its own earlier.
const MAX_TEXT: usize = 8 * 1024 * 1024;
const MAX_CAUSES: usize = 64;

/// Converts an exception. One that is larger than the `limit` on messages is shortened,
/// and names the fields that were.
pub(crate) fn exception_to_pb(exception: &Exception, limit: usize) -> pb::Exception {
    let mut behind = RelatedExceptions::default();
    let mut message = behind.message(exception);
    message.behind = behind.messages;
    message.advice = exception.advice.clone().unwrap_or_default();
    let traceback = exception.traceback.as_deref().unwrap_or_default();
    message.traceback = cut_before(traceback.to_owned(), MAX_TEXT);
    message.causes = exception
        .causes
        .iter()
        .take(MAX_CAUSES)
        .map(|cause| cut(cause.clone(), MAX_TEXT))
        .collect();
    message.omitted = exception.omitted + exception.causes.len().saturating_sub(MAX_CAUSES) as u64;
    for (field, text) in [("message", exception.message()), ("traceback", traceback)] {
        if text.len() > MAX_TEXT {
            note(&mut message, field);
        }
    }
    shorten(&mut message, limit);
    message
}

/// The exceptions behind one that have been converted, each at its place.
#[derive(Default)]
struct RelatedExceptions<'a> {
    exceptions: Vec<&'a Arc<Exception>>,
    messages: Vec<pb::Exception>,
}

impl<'a> RelatedExceptions<'a> {
    fn place(&mut self, exception: &'a Arc<Exception>) -> u32 {
        let known = self.exceptions.iter().position(|known| Arc::ptr_eq(known, exception));
        let index = known.unwrap_or_else(|| {
            // A message refers to earlier places only, so those behind it come first.
            let message = self.message(exception);
            self.exceptions.push(exception);
            self.messages.push(message);
            self.messages.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(0)
    }

    /// Converts all fields except those that only the outermost exception has.
    fn message(&mut self, exception: &'a Exception) -> pb::Exception {
        let message = pb::Exception {
            r#type: cut(exception.type_name.clone(), MAX_TEXT),
            message: cut(exception.message.clone(), MAX_TEXT),
            location: cut(exception.location.clone().unwrap_or_default(), MAX_TEXT),
            value: exception
                .value
                .as_ref()
                .and_then(|value| value.downcast_ref::<Value>())
                .cloned()
                .map(value_to_pb),
            ..Default::default()
        };
        let Some(details) = PythonDetails::of(exception) else { return message };
        let message_is_argument =
            matches!(details.args.as_slice(), [Value::Text(only)] if *only == message.message);
        let args =
            if message_is_argument { Vec::new() } else { values_to_pb(details.args.clone()) };
        pb::Exception {
            mro: details.mro.clone(),
            args,
            message_is_argument,
            attributes: details.attributes.iter().cloned().map(keyword_to_pb).collect(),
            notes: details.notes.iter().map(|note| cut(note.clone(), MAX_TEXT)).collect(),
            cause: details.cause.as_ref().map_or(0, |cause| self.place(cause)),
            context: details.context.as_ref().map_or(0, |context| self.place(context)),
            suppress_context: details.suppress_context,
            group: details.group.iter().map(|exception| self.place(exception)).collect(),
            stack: cut(details.stack.clone(), MAX_TEXT),
            omitted: details.omitted,
            ..message
        }
    }
}

/// # Errors
///
/// [`ErrorKind::BadArguments`] if the message is malformed.
pub(crate) fn exception_from_pb(mut message: pb::Exception) -> Result<Exception> {
    let mut behind = Vec::new();
    for mut other in std::mem::take(&mut message.behind) {
        let details = details_from_pb(&mut other, &behind)?;
        behind.push(Arc::new(Exception { value: Some(Arc::new(details)), ..plain_from_pb(other) }));
    }
    let value = match message.value.take() {
        Some(value) => Some(Arc::new(value_from_pb(value)?) as _),
        None if message.mro.is_empty() => None,
        None => Some(Arc::new(details_from_pb(&mut message, &behind)?) as _),
    };
    Ok(Exception { value, ..plain_from_pb(message) })
}

fn details_from_pb(
    message: &mut pb::Exception,
    behind: &[Arc<Exception>],
) -> Result<PythonDetails> {
    // Only earlier ones can be referred to, so there are no cycles.
    let link = |place: u32| match place {
        0 => Ok(None),
        place => behind.get(place as usize - 1).cloned().map(Some).ok_or_else(unknown_reference),
    };
    Ok(PythonDetails {
        mro: std::mem::take(&mut message.mro),
        args: match message.message_is_argument {
            true => vec![message.message.as_str().into()],
            false => values_from_pb(std::mem::take(&mut message.args))?,
        },
        attributes: std::mem::take(&mut message.attributes)
            .into_iter()
            .map(keyword_from_pb)
            .collect::<Result<_>>()?,
        notes: std::mem::take(&mut message.notes),
        cause: link(message.cause)?,
        context: link(message.context)?,
        suppress_context: message.suppress_context,
        group: message
            .group
            .iter()
            .filter_map(|place| link(*place).transpose())
            .collect::<Result<_>>()?,
        stack: std::mem::take(&mut message.stack),
        omitted: message.omitted,
        object: None,
    })
}

fn plain_from_pb(message: pb::Exception) -> Exception {
    Exception {
        location: Some(message.location).filter(|location| !location.is_empty()),
        causes: message.causes,
        traceback: Some(message.traceback).filter(|traceback| !traceback.is_empty()),
        omitted: message.omitted,
        shortened: message.shortened,
        advice: Some(message.advice).filter(|advice| !advice.is_empty()),
        ..Exception::new(message.r#type, message.message)
    }
}

fn unknown_reference() -> Error {
    Error::new(
        ErrorKind::BadArguments,
        "an exception refers to one that does not precede it in the message",
    )
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::common::value::Range;

    fn of_python(type_name: &str, details: PythonDetails) -> Arc<Exception> {
        let details = PythonDetails { mro: vec![type_name.to_owned()], ..details };
        Arc::new(Exception { value: Some(Arc::new(details)), ..Exception::new(type_name, "why") })
    }

    fn back(exception: &Exception) -> Exception {
        let bytes = exception_to_pb(exception, usize::MAX).encode_to_vec();
        exception_from_pb(pb::Exception::decode(bytes.as_slice()).expect("it is one"))
            .expect("it is well formed")
    }

    #[test]
    fn endless_message_is_cut_at_a_character() {
        let text = "é".repeat(MAX_TEXT);
        let message = exception_to_pb(&Exception::new("panic", text), usize::MAX);
        assert!(message.message.len() < MAX_TEXT + 64);
        assert!(message.message.ends_with("é… (8388608 bytes more)"));
        assert_eq!(message.shortened, ["message"]);
    }

    #[test]
    fn exception_behind_another_in_two_ways_is_sent_once() {
        let first = of_python("First", PythonDetails::default());
        let cause = of_python(
            "Cause",
            PythonDetails { context: Some(first.clone()), ..PythonDetails::default() },
        );
        let group = vec![first.clone(), cause.clone(), first];
        let root = of_python(
            "Root",
            PythonDetails {
                cause: Some(cause),
                group,
                args: vec!["why".into()],
                ..PythonDetails::default()
            },
        );
        let message = exception_to_pb(&root, usize::MAX);
        assert_eq!((message.behind.len(), message.cause, message.group), (2, 2, vec![1, 2, 1]));
        assert!(message.args.is_empty() && message.message_is_argument);
        let back = back(&root);
        assert_eq!(back.args(), ["why".into()]);
        assert_eq!(
            back.cause().and_then(|cause| cause.context()).expect("it has one").type_name(),
            "First"
        );
        let group = back.group();
        assert_eq!(
            group.iter().map(Exception::type_name).collect::<Vec<_>>(),
            ["First", "Cause", "First"]
        );
        assert_eq!(back.cause().expect("it has one").traceback(), Some("Cause: why\n"));
    }

    #[test]
    fn parts_of_the_allowed_depth_can_be_sent_anywhere() {
        let key = || Value::Text("key".to_owned());
        let range = Value::from(Range::new(0, 5, 1).expect("it has steps"));
        let deep = (0..30).fold(range, |inner, _| Value::Map(vec![(key(), inner)]));
        let attributes = vec![("x".to_owned(), deep.clone())];
        let cause = of_python(
            "Cause",
            PythonDetails { attributes, args: vec![deep.clone()], ..PythonDetails::default() },
        );
        let root =
            of_python("Root", PythonDetails { cause: Some(cause), ..PythonDetails::default() });
        let outcome = Some(pb::call_response::Outcome::Exception(Box::new(exception_to_pb(
            &root,
            usize::MAX,
        ))));
        let result = Some(pb::session_response::Result::Call(pb::CallResponse { outcome }));
        let bytes = pb::SessionResponse { id: 1, result, detached: 0 }.encode_to_vec();
        pb::SessionResponse::decode(bytes.as_slice()).expect("it is not too deep");
        let cause = back(&root).cause().expect("it has one");
        assert_eq!((cause.attribute("x"), cause.args()), (Some(deep.clone()), vec![deep]));
    }

    #[test]
    fn exception_that_refers_to_itself_is_refused() {
        let other = pb::Exception { mro: vec!["Other".to_owned()], cause: 1, ..Default::default() };
        let root = pb::Exception { behind: vec![other], ..Default::default() };
        assert_eq!(
            exception_from_pb(root).expect_err("it never ends").kind(),
            ErrorKind::BadArguments
        );
    }
}
