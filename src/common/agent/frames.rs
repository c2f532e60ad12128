//! Frames on the sockets of an interpreter: four bytes of length, little endian, and one
//! marshalled object.
//!
//! Whoever sends a frame writes it, without waking a task, as long as the socket has
//! room; a task writes the rest.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use rustix::process::{Pid, getpid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::runtime::Handle as Runtime;

use crate::common::agent::request_frame::{MAX_FRAME, RequestFrame};
use crate::common::error::Result;
use crate::common::transport::LaneSocket;

/// The least room that is reserved for a read.
const MIN_ROOM: usize = 8 * 1024;

/// Reads the frames of a socket.
#[derive(Debug)]
pub(crate) struct FrameReader {
    /// Registered for reading alone; see [`LaneReader`](crate::common::lane::LaneReader).
    socket: pipe::Receiver,
    /// The bytes that follow the last frame.
    buffer: BytesMut,
}

/// Writes the frames of a socket. Once dropped, it closes when all has been written.
#[derive(Debug)]
pub(crate) struct FrameWriter(Arc<WriterShared>);

#[derive(Debug)]
struct WriterShared {
    runtime: Runtime,
    queue: Mutex<WriteQueue>,
}

#[derive(Debug)]
struct WriteQueue {
    /// `None` once it has been closed.
    socket: Option<LaneSocket>,
    /// Frames that the socket had no room for.
    frames: VecDeque<Vec<u8>>,
    /// How much of the first one has been written.
    written: usize,
    /// Nothing more will come.
    is_last: bool,
    /// In a copy of this process made by `fork`, the socket is still this one's.
    owner: Pid,
}

// === impl FrameReader ===

impl FrameReader {
    /// Must be called within the runtime that is to read.
    pub(crate) fn new(socket: &LaneSocket) -> io::Result<Self> {
        let socket = socket.duplicate()?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = pipe::Receiver::from_owned_fd_unchecked(socket)?;
        Ok(FrameReader { socket, buffer: BytesMut::new() })
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
    pub(crate) async fn frame(&mut self) -> io::Result<Bytes> {
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

/// The number of an answer: the first item of its tuple.
pub(crate) fn id_of(frame: &[u8]) -> Option<u64> {
    match frame.get(..6)? {
        [b'(', 3, 0, 0, 0, b'i'] => {
            Some(u32::from_le_bytes(frame.get(6..10)?.try_into().ok()?).into())
        }
        [b'(', 3, 0, 0, 0, b'l'] => {
            let count = i32::from_le_bytes(frame.get(6..10)?.try_into().ok()?);
            let digits = frame.get(10..10 + usize::try_from(count).ok()?.min(4) * 2)?;
            let digit = |digit: &[u8]| u64::from(u16::from_le_bytes([digit[0], digit[1]]));
            Some(digits.chunks_exact(2).rev().fold(0, |number, next| (number << 15) | digit(next)))
        }
        _ => None,
    }
}

// === impl FrameWriter ===

impl FrameWriter {
    /// `runtime` writes what the socket has no room for.
    pub(crate) fn new(socket: LaneSocket, runtime: Runtime) -> Self {
        let queue = WriteQueue {
            socket: Some(socket),
            frames: VecDeque::new(),
            written: 0,
            is_last: false,
            owner: getpid(),
        };
        FrameWriter(Arc::new(WriterShared { runtime, queue: Mutex::new(queue) }))
    }

    /// Sends a frame after those sent before, with the number that `number` returns then,
    /// so that the order of the numbers is that of the frames.
    ///
    /// # Errors
    ///
    /// What `number` fails with; nothing is sent then.
    pub(crate) fn send<T>(
        &self,
        mut frame: RequestFrame,
        number: impl FnOnce() -> Result<(u64, T)>,
    ) -> Result<T> {
        let mut queue = self.0.queue();
        let (number, registered) = number()?;
        self.0.push(&mut queue, frame.numbered(number));
        Ok(registered)
    }

    /// Sends a frame that is not answered.
    pub(crate) fn post(&self, mut frame: RequestFrame) {
        let frame = frame.numbered(0);
        self.0.push(&mut self.0.queue(), frame);
    }

    /// Closes the socket at once. What was not written, and what follows, is lost.
    pub(crate) fn close(&self) {
        let mut queue = self.0.queue();
        queue.socket = None;
        queue.frames.clear();
    }

    /// Sends a value that is no request.
    pub(crate) fn send_value(&self, value: &[u8]) {
        let length = u32::try_from(value.len()).expect("the agent's text is small");
        let frame = [&length.to_le_bytes(), value].concat();
        self.0.push(&mut self.0.queue(), frame);
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_last = true;
        queue.close_after_last();
    }
}

// === impl WriterShared ===

impl WriterShared {
    fn push(self: &Arc<Self>, queue: &mut WriteQueue, frame: Vec<u8>) {
        let is_first = queue.frames.is_empty();
        queue.frames.push_back(frame);
        if is_first && !queue.write_some() {
            self.runtime.spawn(Arc::clone(self).write_rest());
        }
    }

    async fn write_rest(self: Arc<Self>) {
        loop {
            let Some(socket) = self.queue().socket.clone() else { return };
            // A descriptor of its own, registered for writing alone and only now.
            let room = socket.duplicate().and_then(pipe::Sender::from_owned_fd_unchecked);
            match room {
                // The next write meets an error again.
                Ok(room) => drop(room.writable().await),
                // No descriptor is left, so the requests cannot be sent.
                Err(_) => socket.close(),
            }
            drop(socket);
            let mut queue = self.queue();
            if queue.write_some() {
                return queue.close_after_last();
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, WriteQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteQueue {
    /// Writes as much as the socket takes, and returns whether that is all. Bytes that
    /// can never be written count as written: the reader and the watch report why.
    fn write_some(&mut self) -> bool {
        while let Some(frame) = self.frames.front() {
            let Some(socket) = &self.socket else {
                self.frames.clear();
                return true;
            };
            match socket.send(&[IoSlice::new(&frame[self.written..])]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.written = frame.len(),
            }
            if self.written == frame.len() {
                self.frames.pop_front();
                self.written = 0;
            }
        }
        true
    }

    fn close_after_last(&mut self) {
        if self.is_last
            && self.frames.is_empty()
            && let Some(socket) = self.socket.take()
            && self.owner == getpid()
        {
            socket.close_writing();
        }
    }
}
