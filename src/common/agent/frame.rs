//! The frames on the sockets of an interpreter.
//!
//! A frame is four bytes of length, little endian, and one marshalled object. If the
//! highest bit of the length is set, it is followed by the number of parts and by the
//! length of each, in four bytes each. The parts are large bytes that the object refers
//! to; they follow it, so that they are neither copied into it nor out of it.

use bytes::Bytes;

/// The longest frame, in either direction.
pub(super) const MAX_FRAME: usize = 1 << 30;

/// Bytes of at least this many travel as a part.
pub(super) const MIN_PART: usize = 64 * 1024;

/// The most parts of a frame.
pub(super) const MAX_PARTS: usize = MAX_FRAME / MIN_PART;

/// In a frame's length: parts follow the object.
pub(super) const HAS_PARTS: u32 = 1 << 31;

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The marshalled object.
    pub(crate) object: Bytes,
    pub(super) parts: Vec<Bytes>,
}

impl Frame {
    /// How many bytes the object and the parts take.
    pub(crate) fn len(&self) -> usize {
        self.object.len() + self.parts.iter().map(Bytes::len).sum::<usize>()
    }

    /// The number of an answer: the first item of its tuple.
    pub(crate) fn id(&self) -> Option<u64> {
        match self.object.get(..6)? {
            [b'(', 3, 0, 0, 0, b'i'] => {
                Some(u32::from_le_bytes(self.object.get(6..10)?.try_into().ok()?).into())
            }
            [b'(', 3, 0, 0, 0, b'l'] => {
                let count = i32::from_le_bytes(self.object.get(6..10)?.try_into().ok()?);
                let len = usize::try_from(count).ok()?.min(4) * 2;
                let digits = self.object.get(10..10 + len)?;
                let digit = |digit: &[u8]| u64::from(u16::from_le_bytes([digit[0], digit[1]]));
                let digits = digits.chunks_exact(2).rev();
                Some(digits.fold(0, |number, next| (number << 15) | digit(next)))
            }
            _ => None,
        }
    }

    /// What follows the number.
    pub(super) fn after_id(&self) -> Option<&[u8]> {
        let number = self.object.get(5..10)?;
        let digits = match number[0] {
            b'l' => i32::from_le_bytes(number[1..].try_into().ok()?),
            _ => 0,
        };
        self.object.get(10 + 2 * usize::try_from(digits).ok()?..)
    }
}

/// A frame without parts.
impl From<Bytes> for Frame {
    fn from(object: Bytes) -> Self {
        Frame { object, parts: Vec::new() }
    }
}
