//! [`Exception`] to and from its message.

use std::sync::Arc;

use crate::error::{Exception, Result};
use crate::value::Value;
use crate::wire::{pb, value_from_pb, value_to_pb};

/// Longer texts are cut: an exception whose message is a gigabyte must still arrive.
const MAX_TEXT: usize = 64 * 1024;
const MAX_CAUSES: usize = 64;

pub(crate) fn exception_to_pb(exception: &Exception) -> pb::Exception {
    let value = exception.value.as_ref().and_then(|value| value.downcast_ref::<Value>());
    pb::Exception {
        r#type: cut(&exception.type_name),
        message: cut(&exception.message),
        location: exception.location.as_deref().map(cut).unwrap_or_default(),
        causes: exception.causes.iter().take(MAX_CAUSES).map(|cause| cut(cause)).collect(),
        value: value.cloned().map(value_to_pb),
        traceback: exception.traceback.as_deref().map(cut).unwrap_or_default(),
    }
}

pub(crate) fn exception_from_pb(message: pb::Exception) -> Result<Exception> {
    let value = message.value.map(value_from_pb).transpose()?;
    Ok(Exception {
        type_name: message.r#type,
        message: message.message,
        location: Some(message.location).filter(|location| !location.is_empty()),
        causes: message.causes,
        value: value.map(|value| Arc::new(value) as _),
        traceback: Some(message.traceback).filter(|traceback| !traceback.is_empty()),
    })
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(MAX_TEXT)];
    format!("{kept}… ({} bytes more)", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_message_is_cut_at_a_character() {
        let text = "é".repeat(MAX_TEXT);
        let cut = cut(&text);
        assert!(cut.len() < MAX_TEXT + 64);
        assert!(cut.ends_with("é… (65536 bytes more)"), "{}", &cut[cut.len() - 40..]);
    }
}
