//! The frame buffer, fed with bytes as they arrive.

use tokio::runtime::Handle as Runtime;

use super::*;
use crate::common::buffer_pool::BufferPool;
use crate::common::wire::{CHUNK_SIZE, pb};

const LIMIT: usize = 3 * CHUNK_SIZE;

fn arriving() -> ArrivingMessages {
    ArrivingMessages::new(100_000_000, BufferPool::new(Runtime::current()))
}

fn request(id: u64) -> pb::SessionRequest {
    pb::SessionRequest { id, operation: None, detached: 3 }
}

/// Reads bytes as a socket would hand them out: at most `size` at once, and never more
/// than there is room for. Returns the ids of the frames, and the messages.
fn read(sent: &[u8], size: usize, arriving: &mut ArrivingMessages) -> (Vec<u64>, Vec<Bytes>) {
    let mut buffer = FrameBuffer::new(LIMIT);
    let (mut ids, mut messages, mut rest) = (Vec::new(), Vec::new(), sent);
    while !rest.is_empty() {
        let room = buffer.room(arriving);
        let len = size.min(room.len()).min(rest.len());
        room[..len].copy_from_slice(&rest[..len]);
        rest = &rest[len..];
        buffer.note_read(len, arriving);
        let mut has_frame = buffer.has_frame();
        while let Some(frame) = buffer.next::<pb::SessionRequest>(arriving).expect("it is one") {
            assert!(has_frame || frame.operation.is_some(), "only a chunk can be a surprise");
            match frame.into_chunk() {
                Ok((id, data)) => messages.extend(arriving.push(id, &data)),
                Err(frame) => ids.push(frame.id),
            }
            has_frame = buffer.has_frame();
        }
        assert!(!has_frame);
    }
    (ids, messages.into_iter().map(|message| message.expect("it fits")).collect())
}

#[tokio::test]
async fn frames_are_read_back_however_they_arrive() {
    let mut sent = Vec::new();
    (0..100).for_each(|id| encode(&request(id), &mut sent));
    for size in [1, 2, 3, 7, 1000] {
        let (ids, _) = read(&sent, size, &mut arriving());
        assert_eq!(ids, (0..100).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn chunks_are_read_into_their_messages_however_they_arrive() {
    let parts = [MIN_PLACED, 1, CHUNK_SIZE, MIN_PLACED - 1, 2 * CHUNK_SIZE, READ_SIZE];
    let message = |id: u64| -> Bytes {
        (0..parts.iter().sum::<usize>()).map(|at| (at as u64 * 7 + id) as u8).collect()
    };
    let (mut sent, mut messages) = (Vec::new(), [message(1), message(2)]);
    for part in parts {
        for (id, message) in (1..).zip(&mut messages) {
            let data = message.split_to(part);
            // Written by head and by bytes, or as any other frame.
            match id {
                1 => {
                    encode_chunk_head(ChunkHead { id, len: part }, &mut sent);
                    sent.extend_from_slice(&data);
                }
                _ => encode(&pb::SessionRequest::chunk(id, data), &mut sent),
            }
            encode(&request(id), &mut sent);
        }
    }
    for size in [11, 1000, READ_SIZE + 1, usize::MAX] {
        let mut arriving = arriving();
        for id in [1, 2] {
            arriving.start(id, message(id).len() as u64).expect("it is within the limit");
        }
        let (ids, read) = read(&sent, size, &mut arriving);
        assert_eq!(ids, [1, 2].repeat(parts.len()));
        assert!(read == [message(1), message(2)]);
    }
}

#[tokio::test]
async fn chunks_that_do_not_fit_are_read_as_frames() {
    let mut sent = Vec::new();
    for (id, len) in [(1, CHUNK_SIZE), (2, CHUNK_SIZE), (3, 1)] {
        encode(&pb::SessionRequest::chunk(id, Bytes::from(vec![1; len])), &mut sent);
        encode(&request(id), &mut sent);
    }
    let mut arriving = arriving();
    arriving.start(2, CHUNK_SIZE as u64 - 1).expect("it is within the limit");
    let mut buffer = FrameBuffer::new(LIMIT);
    let (mut rest, mut refused) = (&sent[..], 0);
    while !rest.is_empty() {
        let room = buffer.room(&mut arriving);
        let len = room.len().min(rest.len());
        room[..len].copy_from_slice(&rest[..len]);
        rest = &rest[len..];
        buffer.note_read(len, &mut arriving);
        while let Some(frame) = buffer.next::<pb::SessionRequest>(&mut arriving).expect("it is one")
        {
            if let Ok((id, data)) = frame.into_chunk() {
                refused += usize::from(matches!(arriving.push(id, &data), Some(Err(_))));
            }
        }
    }
    assert_eq!(refused, 1, "the second is refused, and nobody waits for the others");
}

#[tokio::test]
async fn buffer_is_small_again_after_a_large_frame() {
    let mut sent = Vec::new();
    encode(&pb::SessionRequest::chunk(1, Bytes::from(vec![1; 2 * CHUNK_SIZE])), &mut sent);
    let (mut buffer, mut arriving) = (FrameBuffer::new(LIMIT), arriving());
    while !buffer.has_frame() {
        let room = buffer.room(&mut arriving);
        let len = room.len().min(sent.len());
        room[..len].copy_from_slice(&sent[..len]);
        sent.drain(..len);
        buffer.note_read(len, &mut arriving);
    }
    assert!(buffer.next::<pb::SessionRequest>(&mut arriving).expect("it is one").is_some());
    assert_eq!(buffer.room(&mut arriving).len(), READ_SIZE);
    assert_eq!(buffer.bytes.len(), READ_SIZE);
}

#[tokio::test]
async fn frame_over_the_limit_is_refused() {
    let (mut buffer, mut arriving) = (FrameBuffer::new(LIMIT), arriving());
    let length = (LIMIT as u32 + 1).to_le_bytes();
    buffer.room(&mut arriving)[..LENGTH].copy_from_slice(&length);
    buffer.note_read(LENGTH, &mut arriving);
    assert!(buffer.next::<pb::SessionRequest>(&mut arriving).is_err());
}
