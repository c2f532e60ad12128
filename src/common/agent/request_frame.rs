//! The bytes of a request.

use crate::common::error::{Error, ErrorKind, Result};

/// The longest frame, in either direction.
pub(super) const MAX_FRAME: u32 = 1 << 30;

/// The bytes of a request. Its number is put in when it is sent.
#[derive(Debug)]
pub(crate) struct RequestFrame(Vec<u8>);

/// The bytes before the operation: the frame's length, and the beginning of a tuple of
/// three items with a number that fits into 31 bits.
const HEAD: [u8; 14] = [0, 0, 0, 0, b'(', 3, 0, 0, 0, b'i', 0, 0, 0, 0];

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
    pub(super) fn of(bytes: Vec<u8>) -> Result<Self> {
        let size = bytes.len() - HEAD.len();
        if size > MAX_FRAME as usize - HEAD.len() {
            let message = format!("the arguments take {size} bytes, more than {MAX_FRAME}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(RequestFrame(bytes))
    }

    /// How many bytes the operation and its fields take.
    pub(crate) fn len(&self) -> usize {
        self.0.len() - HEAD.len()
    }

    /// The bytes to be sent, with the number in them.
    pub(in crate::common::agent) fn numbered(&mut self, number: u64) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.0);
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
        bytes[..4].copy_from_slice(&len.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::common::agent::{AgentFrame, AgentRequest, id_of, no_handles};

    #[test]
    fn number_of_any_size_is_put_in() {
        for number in [0, 1, i32::MAX as u64, i32::MAX as u64 + 1, 1 << 45, (1 << 62) + 5] {
            let frame = AgentRequest::describe(7).frame(&mut no_handles);
            let bytes = frame.expect("it is small").numbered(number);
            assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_le_bytes());
            let frame = AgentFrame::decode(&bytes[4..]).expect("it is a frame");
            assert_eq!((frame.id, frame.word.as_str()), (number, "describe"));
            if number < 1 << 60 {
                assert_eq!(id_of(&bytes[4..]), Some(number));
            }
        }
    }
}
