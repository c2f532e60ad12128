//! The head of a frame that carries a chunk: everything before the chunk's bytes.
//!
//! It is written and read apart from the bytes, so that these go straight from their
//! message into the socket, and from there into the message that they become a part of. A
//! chunk that is encoded in another way is read as any other frame.

use prost::{decode_length_delimiter, encode_length_delimiter, length_delimiter_len};

use crate::common::wire::{CHUNK_FIELD, DATA_FIELD, ID_FIELD};

/// The most bytes that a head has: three keys and three numbers.
pub(super) const MAX_HEAD: usize = 3 + 3 * 10;

const ID_KEY: u8 = (ID_FIELD << 3) as u8;
const CHUNK_KEY: u8 = (CHUNK_FIELD << 3) as u8 | LENGTH_DELIMITED;
const DATA_KEY: u8 = (DATA_FIELD << 3) as u8 | LENGTH_DELIMITED;
const LENGTH_DELIMITED: u8 = 2;

/// The head of a frame that carries a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkHead {
    /// The id of the operation whose message the chunk is a part of.
    pub(super) id: u64,
    /// How many bytes follow.
    pub(super) len: usize,
}

impl ChunkHead {
    /// Appends the head, without the length of the frame.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let chunk = 1 + length_delimiter_len(self.len) + self.len;
        for (key, number) in [(ID_KEY, self.id as usize), (CHUNK_KEY, chunk), (DATA_KEY, self.len)]
        {
            out.push(key);
            encode_length_delimiter(number, out).expect("a vector takes everything");
        }
    }

    /// Reads the head of a frame of `frame_len` bytes from its beginning, and returns how
    /// long it is; `None` if the frame is another, or its head is not complete.
    pub(super) fn decode(beginning: &[u8], frame_len: usize) -> Option<(Self, usize)> {
        let mut rest = beginning.get(..MAX_HEAD.min(frame_len))?;
        let [id, chunk, len] = [ID_KEY, CHUNK_KEY, DATA_KEY].map(|key| {
            rest = rest.strip_prefix(&[key])?;
            let number = decode_length_delimiter(&mut rest).ok()?;
            Some((number, beginning.len().min(MAX_HEAD.min(frame_len)) - rest.len()))
        });
        let ((id, _), (chunk, at_chunk), (len, head)) = (id?, chunk?, len?);
        let is_whole = chunk.checked_add(at_chunk) == Some(frame_len)
            && len.checked_add(head) == Some(frame_len);
        is_whole.then_some((ChunkHead { id: id as u64, len }, head))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message as _;

    use super::*;
    use crate::common::wire::{SessionFrame, pb};

    fn frame<F: SessionFrame + prost::Message>(id: u64, len: usize) -> Vec<u8> {
        F::chunk(id, Bytes::from(vec![1; len])).encode_to_vec()
    }

    #[test]
    fn head_is_the_beginning_of_the_frame() {
        for (id, len) in [(1, 100), (127, 128), (1 << 40, 70_000), (u64::MAX, 3 << 20)] {
            let encoded = frame::<pb::SessionRequest>(id, len);
            assert_eq!(encoded, frame::<pb::SessionResponse>(id, len));
            let mut head = Vec::new();
            ChunkHead { id, len }.encode(&mut head);
            assert_eq!(head, encoded[..head.len()]);
            let read = ChunkHead::decode(&encoded[..MAX_HEAD], encoded.len());
            assert_eq!(read, Some((ChunkHead { id, len }, head.len())));
            assert_eq!(head.len() + len, encoded.len());
        }
    }

    #[test]
    fn other_frames_have_no_such_head() {
        let chunk = frame::<pb::SessionRequest>(1, 100);
        let items = pb::session_request::Operation::Items(pb::Items {
            values: vec![pb::Value::default(); 100],
            ..Default::default()
        });
        let items = pb::SessionRequest { id: 1, operation: Some(items), detached: 0 };
        for (bytes, len) in [
            (items.encode_to_vec(), items.encoded_len()),
            // Not long enough, and with more behind the chunk.
            (chunk[..MAX_HEAD - 1].to_vec(), chunk.len()),
            (chunk.clone(), chunk.len() + 1),
            (vec![0xff; 200], 200),
            (chunk[2..].to_vec(), chunk.len() - 2),
        ] {
            assert_eq!(ChunkHead::decode(&bytes, len), None);
        }
    }
}
