//! The bytes of a request.

use std::io::IoSlice;

use bytes::Bytes;

use crate::common::agent::frame::{HAS_PARTS, MAX_FRAME, MAX_PARTS};
use crate::common::error::{Error, ErrorKind, Result};

/// The bytes of a request. Its number is put in when it is sent.
#[derive(Debug)]
pub(crate) struct RequestFrame {
    /// [`HEAD`], and the operation with its fields.
    bytes: Vec<u8>,
    /// What the fields refer to.
    parts: Vec<Bytes>,
}

/// A frame that can be sent.
#[derive(Debug)]
pub(super) struct NumberedFrame {
    /// Empty if there are no parts; the length is with the object then.
    lengths: Vec<u8>,
    object: Vec<u8>,
    parts: Vec<Bytes>,
}

/// The bytes before the operation: the object's length, and the beginning of a tuple of
/// three items with a number that fits into 31 bits.
const HEAD: [u8; 14] = [0, 0, 0, 0, b'(', 3, 0, 0, 0, b'i', 0, 0, 0, 0];

/// How many slices are written at once. The kernel takes 1,024.
const MAX_SLICES: usize = 64;

// === impl RequestFrame ===

impl RequestFrame {
    /// The bytes that those of the operation are to follow.
    pub(super) fn head() -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(HEAD);
        bytes
    }

    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`].
    pub(super) fn of(bytes: Vec<u8>, parts: Vec<Bytes>) -> Result<Self> {
        let frame = RequestFrame { bytes, parts };
        let size = frame.len();
        if size > MAX_FRAME - HEAD.len() || frame.parts.len() > MAX_PARTS {
            let message = format!("the arguments take {size} bytes, more than {MAX_FRAME}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(frame)
    }

    /// How many bytes the operation and its fields take.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - HEAD.len() + self.parts.iter().map(Bytes::len).sum::<usize>()
    }

    /// What is to be sent, with the number in it.
    pub(super) fn numbered(&mut self, number: u64) -> NumberedFrame {
        let mut bytes = std::mem::take(&mut self.bytes);
        match i32::try_from(number) {
            Ok(number) => bytes[10..HEAD.len()].copy_from_slice(&number.to_le_bytes()),
            Err(_) => {
                // Digits of 15 bits, the lowest first.
                let digits = [number, number >> 15, number >> 30, number >> 45, number >> 60];
                let digits = digits.map(|digit| (digit & 0x7fff) as u16);
                let count = digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
                let mut long = vec![b'l'];
                long.extend((count as i32).to_le_bytes());
                long.extend(digits[..count].iter().flat_map(|digit| digit.to_le_bytes()));
                bytes.splice(9..HEAD.len(), long);
            }
        }
        let len = (bytes.len() - 4) as u32;
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() {
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            return bytes.into();
        }
        let lengths = [len | HAS_PARTS, parts.len() as u32];
        let lengths = lengths.into_iter().chain(parts.iter().map(|part| part.len() as u32));
        let lengths = lengths.flat_map(u32::to_le_bytes).collect();
        bytes.drain(..4);
        NumberedFrame { lengths, object: bytes, parts }
    }
}

// === impl NumberedFrame ===

impl NumberedFrame {
    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        let parts: usize = self.parts.iter().map(Bytes::len).sum();
        self.lengths.len() + self.object.len() + parts
    }

    /// The bytes from a place on, or as many of them as can be written at once.
    pub(super) fn slices(&self, mut start: usize) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(2 + self.parts.len().min(MAX_SLICES));
        let buffers = [&self.lengths[..], &self.object];
        for buffer in buffers.into_iter().chain(self.parts.iter().map(|part| &part[..])) {
            match buffer.get(start..) {
                Some(rest) if !rest.is_empty() => {
                    slices.push(IoSlice::new(rest));
                    start = 0;
                }
                _ => start -= buffer.len(),
            }
            if slices.len() == MAX_SLICES {
                break;
            }
        }
        slices
    }
}

/// A frame without parts, with its length.
impl From<Vec<u8>> for NumberedFrame {
    fn from(object: Vec<u8>) -> Self {
        NumberedFrame { lengths: Vec::new(), object, parts: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::agent::frame::{Frame, MIN_PART};
    use crate::common::agent::{AgentFrame, AgentRequest, no_handles};
    use crate::common::value::Value;

    #[test]
    fn number_of_any_size_is_put_in() {
        for number in [0, 1, i32::MAX as u64, i32::MAX as u64 + 1, 1 << 45, (1 << 62) + 5] {
            let frame = AgentRequest::describe(7).frame(&mut no_handles);
            let bytes = frame.expect("it is small").numbered(number).object;
            assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_le_bytes());
            let frame = Frame::from(Bytes::from(bytes).slice(4..));
            let read = AgentFrame::decode(&frame).expect("it is a frame");
            assert_eq!((read.id, read.word.as_str()), (number, "describe"));
            if number < 1 << 60 {
                assert_eq!(frame.id(), Some(number));
            }
        }
    }

    #[test]
    fn large_bytes_follow_the_object_and_are_not_copied() {
        let large = Bytes::from(vec![7; MIN_PART]);
        let value = Value::Bytes(crate::common::value::Bytes::from_owner(large.clone()));
        let small = Value::Bytes(vec![7; MIN_PART - 1].into());
        let request = AgentRequest::new("make").with("large", value).with("small", small);
        let mut request = request.frame(&mut no_handles).expect("it can be sent");
        assert!((2 * MIN_PART..2 * MIN_PART + 200).contains(&request.len()));
        let frame = request.numbered(1);
        assert_eq!(frame.parts.len(), 1);
        assert_eq!(frame.parts[0].as_ptr(), large.as_ptr());
        assert_eq!(frame.lengths[4..], [1, 0, 0, 0, 0, 0, 1, 0]);
        let all: Vec<u8> = frame.slices(0).iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(all.len(), frame.len());
        for start in [0, 1, 11, 12, 13, frame.len() - MIN_PART - 1, frame.len() - MIN_PART] {
            let rest: Vec<u8> =
                frame.slices(start).iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(rest, all[start..]);
        }
    }
}
