//! Frames on the sockets of an interpreter.
//!
//! A frame is written where it is sent, without waking a task, as long as the socket has
//! room; a task writes the rest.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use crate::common::error::{Error, ErrorKind, Result};

/// The longest frame, in either direction.
const MAX_FRAME: u32 = 1 << 30;

/// The least room that is reserved for a read.
const MIN_ROOM: usize = 8 * 1024;

/// A longer frame is not copied to be sent together with its head.
const MAX_COPY: usize = 16 * 1024;

/// The reading half of a socket.
#[derive(Debug)]
pub(super) struct FrameReader {
    socket: OwnedReadHalf,
    /// The bytes that follow the last frame.
    buffer: BytesMut,
}

/// The writing half of a socket. Once dropped, it closes when all has been written.
#[derive(Debug)]
pub(super) struct FrameWriter(Arc<WriterShared>);

#[derive(Debug)]
struct WriterShared {
    socket: OwnedWriteHalf,
    queue: Mutex<WriteQueue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct WriteQueue {
    /// Frames, some of them in two pieces.
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first piece has been written.
    written: usize,
    is_closed: bool,
}

// === impl FrameReader ===

impl FrameReader {
    pub(super) fn new(socket: OwnedReadHalf) -> Self {
        FrameReader { socket, buffer: BytesMut::new() }
    }

    /// The next frame, without its length.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a frame that is too large,
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) at the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn frame(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let len = u32::from_le_bytes(*head);
                if len > MAX_FRAME {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too large"));
                }
                let len = len as usize;
                if self.buffer.len() - 4 >= len {
                    self.buffer.advance(4);
                    return Ok(self.buffer.split_to(len).freeze());
                }
            }
            // The buffer grows with the bytes that arrive, never by an announced length.
            self.buffer.reserve(MIN_ROOM);
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

// === impl FrameWriter ===

impl FrameWriter {
    /// Must be called within the runtime of the socket. Its task ends soon after the
    /// drop, or when nobody reads any more.
    pub(super) fn start(socket: OwnedWriteHalf) -> Self {
        let shared =
            Arc::new(WriterShared { socket, queue: Mutex::default(), changed: Notify::new() });
        tokio::spawn(Arc::clone(&shared).write());
        FrameWriter(shared)
    }

    /// Sends a frame, made of a head and a tail, after those sent before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`].
    pub(super) fn send(&self, head: &[u8], tail: Vec<u8>) -> Result<()> {
        let size = head.len() + tail.len();
        let len = u32::try_from(size).ok().filter(|len| *len <= MAX_FRAME).ok_or_else(|| {
            let message = format!("the arguments take {size} bytes, more than {MAX_FRAME}");
            Error::new(ErrorKind::TooLarge, message)
        })?;
        let is_small = tail.len() <= MAX_COPY;
        let mut first = Vec::with_capacity(4 + head.len() + if is_small { tail.len() } else { 0 });
        first.extend(len.to_le_bytes());
        first.extend(head);
        let mut queue = self.0.queue();
        let is_first = queue.pieces.is_empty();
        if is_small {
            first.extend(tail);
            queue.pieces.push_back(first);
        } else {
            queue.pieces.extend([first, tail]);
        }
        if is_first && !self.0.write_some(&mut queue) {
            self.0.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        self.0.queue().is_closed = true;
        self.0.changed.notify_one();
    }
}

// === impl WriterShared ===

impl WriterShared {
    /// Writes as much as the socket takes, and returns whether that is all. Bytes that
    /// can never be written count as written: the reader and the watch report why.
    fn write_some(&self, queue: &mut WriteQueue) -> bool {
        while let Some(piece) = queue.pieces.front() {
            match self.socket.try_write(&piece[queue.written..]) {
                Ok(count) => queue.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => queue.written = piece.len(),
            }
            if queue.written == piece.len() {
                queue.pieces.pop_front();
                queue.written = 0;
            }
        }
        true
    }

    async fn write(self: Arc<Self>) {
        loop {
            let (is_done, is_closed) = {
                let mut queue = self.queue();
                (self.write_some(&mut queue), queue.is_closed)
            };
            match (is_done, is_closed) {
                (true, true) => break,
                (true, false) => self.changed.notified().await,
                // The next write meets an error again.
                (false, _) => drop(self.socket.writable().await),
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, WriteQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
