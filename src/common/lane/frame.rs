//! Frames: four bytes of length, little endian, and a protobuf message.

use std::io;

use prost::Message;

/// How much larger than the message limit a frame may be, in bytes: the fields around a
/// value.
pub(crate) const MAX_FRAME_OVERHEAD: usize = 64 * 1024;

/// How many bytes of room a read gets.
const READ_SIZE: usize = 64 * 1024;

const LENGTH: usize = size_of::<u32>();

/// Appends a frame to `out`.
pub(super) fn encode(message: &impl Message, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH]);
    message.encode(out).expect("a vector takes everything");
    let length = u32::try_from(out.len() - start - LENGTH).expect("messages are chunked far below");
    out[start..start + LENGTH].copy_from_slice(&length.to_le_bytes());
}

/// Bytes that have been read, and the frames in them.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
    /// Where the first frame starts that has not been taken.
    start: usize,
    /// The largest frame that is accepted, in bytes.
    limit: usize,
}

impl FrameBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        FrameBuffer { bytes: Vec::with_capacity(READ_SIZE), start: 0, limit }
    }

    /// Decodes the next frame, or returns `None` if it has not been read completely.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a frame that is too large or cannot be decoded.
    pub(crate) fn next<M: Message + Default>(&mut self) -> io::Result<Option<M>> {
        let Some(length) = self.length()? else { return Ok(None) };
        let (from, to) = (self.start + LENGTH, self.start + LENGTH + length);
        let Some(frame) = self.bytes.get(from..to) else { return Ok(None) };
        let message = M::decode(frame)
            .map_err(|error| invalid(&format!("failed to decode a frame: {error}")))?;
        self.start = to;
        Ok(Some(message))
    }

    /// Whether a whole frame has been read.
    pub(crate) fn has_frame(&self) -> bool {
        let end = |length| self.start + LENGTH + length;
        matches!(self.length(), Ok(Some(length)) if self.bytes.len() >= end(length))
    }

    /// Returns the buffer to read into, with room in it, at least for the rest of the
    /// next frame.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let wanted = self.length().ok().flatten().map_or(0, |length| LENGTH + length);
        let missing = wanted.saturating_sub(self.bytes.len());
        self.bytes.reserve(missing.max(READ_SIZE));
        &mut self.bytes
    }

    fn length(&self) -> io::Result<Option<usize>> {
        let Some(length) = self.bytes[self.start..].first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        match u32::from_le_bytes(*length) as usize {
            length if length > self.limit => {
                Err(invalid(&format!("a frame of {length} bytes is over the limit")))
            }
            length => Ok(Some(length)),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::wire::pb;

    fn request(id: u64) -> pb::SessionRequest {
        pb::SessionRequest { id, operation: None, detached: 3 }
    }

    #[test]
    fn frames_are_read_back_however_they_arrive() {
        let mut sent = Vec::new();
        (0..100).for_each(|id| encode(&request(id), &mut sent));
        for size in [1, 2, 3, 7, 1000] {
            let mut buffer = FrameBuffer::new(1000);
            let mut read = Vec::new();
            for part in sent.chunks(size) {
                buffer.room().extend_from_slice(part);
                while let Some(request) = buffer.next::<pb::SessionRequest>().expect("it is one") {
                    read.push(request.id);
                }
                assert!(!buffer.has_frame());
            }
            assert_eq!(read, (0..100).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn frame_over_the_limit_is_refused() {
        let mut buffer = FrameBuffer::new(1000);
        buffer.room().extend_from_slice(&1001_u32.to_le_bytes());
        assert!(buffer.next::<pb::SessionRequest>().is_err());
    }
}
