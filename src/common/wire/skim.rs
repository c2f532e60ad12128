//! Looks at an encoded message without decoding it.

use prost::{Message, decode_length_delimiter};

use crate::common::wire::pb;

/// The wire types of protobuf.
const VARINT: usize = 0;
const EIGHT_BYTES: usize = 1;
const LENGTH_DELIMITED: usize = 2;
const FOUR_BYTES: usize = 5;

/// A message that is mostly one or a few large byte strings.
pub(crate) trait Skim: Message {
    /// The numbers of the fields that lead to its values.
    const VALUES: &'static [usize];
}

impl Skim for pb::Arguments {
    const VALUES: &'static [usize] = &[1];
}

/// The response of a call.
impl Skim for pb::SessionResponse {
    const VALUES: &'static [usize] = &[3, 1];
}

/// The numbers of the fields that lead from a value to its bytes, or to those of an
/// array.
const BYTES: [&[usize]; 2] = [&[7], &[26, 4]];

/// How many bytes of an encoded message are copied when it is decoded, at most. Bytes and
/// arrays are not, if they are values of their own; those within others count as copied.
pub(crate) fn copied_by_decoding<M: Skim>(message: &[u8]) -> usize {
    let uncopied = |path: &&[usize]| uncopied(message, M::VALUES, path);
    message.len() - BYTES.iter().map(uncopied).sum::<usize>()
}

/// How many bytes are in the fields at the end of two paths.
fn uncopied(message: &[u8], path: &[usize], then: &[usize]) -> usize {
    let (number, path, then) = match (path, then) {
        ([number, path @ ..], then) => (number, path, then),
        ([], [number, then @ ..]) => (number, path, then),
        ([], []) => return message.len(),
    };
    let (mut rest, mut sum) = (message, 0);
    while let Some((found, content)) = next_field(&mut rest) {
        if found == *number {
            sum += uncopied(content, path, then);
        }
    }
    sum
}

/// Takes the next field: its number, and its content if that has a length in front.
/// `None` at the end and if the message is malformed.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(usize, &'a [u8])> {
    if rest.is_empty() {
        return None;
    }
    let key = decode_length_delimiter(&mut *rest).ok()?;
    let len = match key & 7 {
        VARINT => {
            decode_length_delimiter(&mut *rest).ok()?;
            0
        }
        EIGHT_BYTES => 8,
        FOUR_BYTES => 4,
        LENGTH_DELIMITED => decode_length_delimiter(&mut *rest).ok()?,
        _ => return None,
    };
    let content = rest.split_off(..len)?;
    Some((key >> 3, if key & 7 == LENGTH_DELIMITED { content } else { &[] }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::{Array, Value};
    use crate::common::wire::{arguments_to_pb, value_to_pb};

    #[test]
    fn bytes_and_arrays_are_not_copied() {
        let values = [
            Value::Bytes(vec![1; 1000].into()),
            Value::Int(3),
            Value::Array(Array::from_slice(&[1.5; 125])),
            Value::Text("x".repeat(1000)),
            Value::Float(1.5),
        ];
        let arguments = arguments_to_pb(values.to_vec(), vec![("name".into(), Value::Null)]);
        let encoded = arguments.encode_to_vec();
        assert_eq!(copied_by_decoding::<pb::Arguments>(&encoded), encoded.len() - 2000);
        for (value, uncopied) in values.into_iter().zip([1000, 0, 1000, 0, 0]) {
            let outcome = Some(pb::call_response::Outcome::Value(value_to_pb(value)));
            let result = pb::session_response::Result::Call(pb::CallResponse { outcome });
            let response = pb::SessionResponse { id: 300, result: Some(result), detached: 0 };
            let encoded = response.encode_to_vec();
            let copied = copied_by_decoding::<pb::SessionResponse>(&encoded);
            assert_eq!(copied, encoded.len() - uncopied);
        }
    }

    #[test]
    fn malformed_messages_count_as_copied() {
        for message in [&[0xff; 20][..], &[10, 200, 1], &[0x0b], &[10]] {
            assert_eq!(copied_by_decoding::<pb::Arguments>(message), message.len());
        }
    }
}
