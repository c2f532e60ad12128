//! Frames: four bytes of length, little endian, and a protobuf message.

use std::io;

use bytes::Bytes;
use prost::Message;

use crate::common::lane::chunk_head::{ChunkHead, MAX_HEAD};
use crate::common::wire::{ArrivingMessages, SessionFrame};

/// How much larger than the message limit a frame may be, in bytes: the fields around a
/// value.
pub(crate) const MAX_FRAME_OVERHEAD: usize = 64 * 1024;

/// How many bytes of room a read gets.
const READ_SIZE: usize = 64 * 1024;

/// The same while a large message arrives. What is read here of its next chunk is copied.
const READ_BETWEEN_CHUNKS: usize = 4 * 1024;

/// The bytes of chunks from this size on are read straight into their message.
const MIN_PLACED: usize = 8 * 1024;

/// How many bytes of a chunk are read at once. Memory that is touched first is cleared
/// before, and should still be in the cache when it is written.
const PLACED_AT_ONCE: usize = 256 * 1024;

const LENGTH: usize = size_of::<u32>();

/// Appends a frame to `out`.
pub(super) fn encode(message: &impl Message, out: &mut Vec<u8>) {
    let length = message.encoded_len();
    encode_length(length, out);
    message.encode(out).expect("a vector takes everything");
}

/// Appends a frame that carries a chunk to `out`, without the bytes of the chunk.
pub(super) fn encode_chunk_head(head: ChunkHead, out: &mut Vec<u8>) {
    let start = out.len();
    encode_length(0, out);
    head.encode(out);
    let length = out.len() - start - LENGTH + head.len;
    out[start..start + LENGTH].copy_from_slice(&length_bytes(length));
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&length_bytes(length));
}

fn length_bytes(length: usize) -> [u8; LENGTH] {
    u32::try_from(length).expect("messages are chunked far below").to_le_bytes()
}

/// Bytes that have been read, and the frames in them.
#[derive(Debug)]
pub(crate) struct FrameBuffer {
    /// Of these, the bytes from `start` to `end` have been read and not been taken.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The largest frame that is accepted, in bytes.
    limit: usize,
    /// The chunk whose bytes are being read into their message.
    placing: Option<Placing>,
}

#[derive(Debug)]
struct Placing {
    id: u64,
    /// How many bytes of the chunk have not been read.
    left: usize,
}

impl FrameBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        FrameBuffer { bytes: vec![0; READ_SIZE], start: 0, end: 0, limit, placing: None }
    }

    /// Decodes the next frame, or returns `None` if it has not been read completely. A
    /// chunk that has been read into its message comes as an empty one.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a frame that is too large or cannot be decoded.
    pub(crate) fn next<M: SessionFrame + Message + Default>(
        &mut self,
        arriving: &mut ArrivingMessages,
    ) -> io::Result<Option<M>> {
        if let Some(Placing { id, left }) = self.placing {
            return Ok((left == 0).then(|| {
                self.placing = None;
                M::chunk(id, Bytes::new())
            }));
        }
        let Some(length) = self.length()? else { return Ok(None) };
        if length >= MIN_PLACED && self.begin_placing(length, arriving) {
            return self.next(arriving);
        }
        let (from, to) = (self.start + LENGTH, self.start + LENGTH + length);
        let Some(frame) = self.bytes[..self.end].get(from..to) else { return Ok(None) };
        let message = M::decode(frame)
            .map_err(|error| invalid(&format!("failed to decode a frame: {error}")))?;
        self.start = to;
        Ok(Some(message))
    }

    /// Whether a whole frame has been read.
    pub(crate) fn has_frame(&self) -> bool {
        if let Some(placing) = &self.placing {
            return placing.left == 0;
        }
        let end = |length| self.start + LENGTH + length;
        matches!(self.length(), Ok(Some(length)) if self.end >= end(length))
    }

    /// Returns where to read to: the place of a chunk in its message, or room for frames,
    /// at least for the rest of the next.
    pub(crate) fn room<'a>(&'a mut self, arriving: &'a mut ArrivingMessages) -> &'a mut [u8] {
        let is_empty = arriving.is_empty();
        if let Some(Placing { id, left }) = self.placing
            && let Some(place) = arriving.place(id, left.min(PLACED_AT_ONCE))
        {
            return place;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let read_size = if is_empty { READ_SIZE } else { READ_BETWEEN_CHUNKS };
        let room = match self.length() {
            // It may be a chunk, which is placed as soon as its head has been read.
            Ok(Some(length)) if self.end - LENGTH < MAX_HEAD.min(length) => read_size,
            Ok(Some(length)) => read_size.max((LENGTH + length).saturating_sub(self.end)),
            _ => read_size,
        };
        // If nobody waits for the chunk any more, its bytes are read here and dropped.
        let room = self.placing.as_ref().map_or(room, |placing| room.min(placing.left));
        let wanted = self.end + room;
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        } else if wanted <= READ_SIZE {
            self.bytes.truncate(READ_SIZE);
            self.bytes.shrink_to(READ_SIZE);
        }
        &mut self.bytes[self.end..wanted]
    }

    /// Notes how many bytes were read to the [`room`](Self::room).
    pub(crate) fn note_read(&mut self, len: usize, arriving: &mut ArrivingMessages) {
        match &mut self.placing {
            Some(placing) => {
                placing.left -= len;
                arriving.note_placed(placing.id, len);
            }
            None => self.end += len,
        }
    }

    /// If the next frame carries a chunk of a message that is arriving, moves what has
    /// been read of it to its place in the message.
    fn begin_placing(&mut self, length: usize, arriving: &mut ArrivingMessages) -> bool {
        let frame = &self.bytes[self.start + LENGTH..self.end];
        let Some((ChunkHead { id, len }, head)) = ChunkHead::decode(frame, length) else {
            return false;
        };
        let read = &frame[head..frame.len().min(length)];
        let read_len = read.len();
        if !arriving.takes(id, len) {
            return false;
        }
        if let Some(place) = arriving.place(id, read_len) {
            place.copy_from_slice(read);
            arriving.note_placed(id, read_len);
        }
        self.start += LENGTH + head + read_len;
        self.placing = Some(Placing { id, left: len - read_len });
        true
    }

    fn length(&self) -> io::Result<Option<usize>> {
        let Some(length) = self.bytes[self.start..self.end].first_chunk::<LENGTH>() else {
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
mod tests;
