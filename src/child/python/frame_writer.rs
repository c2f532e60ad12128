//! What goes to an interpreter over one of its sockets.
//!
//! A frame is written where it is sent, without a wake-up of anybody, as long as the
//! socket takes it; what it does not take waits for a task.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;

use crate::common::error::{Error, ErrorKind, Result};

/// A longer frame is refused, from either side.
pub(super) const MAX_FRAME: u32 = 1 << 30;

/// A longer frame is not copied to be sent with its head.
const TOGETHER: usize = 16 * 1024;

/// The writing half of a socket. Dropped, it is closed once all has been written.
#[derive(Debug)]
pub(super) struct FrameWriter(Arc<WriterShared>);

#[derive(Debug)]
struct WriterShared {
    socket: OwnedWriteHalf,
    waiting: Mutex<QueuedFrame>,
    news: Notify,
}

#[derive(Debug, Default)]
struct QueuedFrame {
    /// Frames, some of them in two pieces.
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first has been written.
    written: usize,
    is_closed: bool,
}

impl FrameWriter {
    /// Must be called within the runtime of the socket. Its task ends soon after the
    /// drop, or when nobody reads any more.
    pub(super) fn start(socket: OwnedWriteHalf) -> Self {
        let inner =
            Arc::new(WriterShared { socket, waiting: Mutex::default(), news: Notify::new() });
        tokio::spawn(Arc::clone(&inner).write());
        FrameWriter(inner)
    }

    /// Sends a frame, which has a head and a tail, after those that were sent before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`].
    pub(super) fn send(&self, head: &[u8], tail: Vec<u8>) -> Result<()> {
        let too_large = || {
            Error::new(
                ErrorKind::TooLarge,
                "the arguments are larger than a frame to the interpreter may be",
            )
        };
        let len = head.len() + tail.len();
        let len = u32::try_from(len).ok().filter(|len| *len <= MAX_FRAME).ok_or_else(too_large)?;
        let is_small = tail.len() <= TOGETHER;
        let mut first = Vec::with_capacity(4 + head.len() + if is_small { tail.len() } else { 0 });
        first.extend(len.to_le_bytes());
        first.extend(head);
        let mut waiting = self.0.waiting();
        let is_first = waiting.pieces.is_empty();
        if is_small {
            first.extend(tail);
            waiting.pieces.push_back(first);
        } else {
            waiting.pieces.extend([first, tail]);
        }
        if is_first && !self.0.write_some(&mut waiting) {
            self.0.news.notify_one();
        }
        Ok(())
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        self.0.waiting().is_closed = true;
        self.0.news.notify_one();
    }
}

impl WriterShared {
    /// Writes what the socket takes; whether that is all. What can never be written
    /// counts as written: the reader and the watch tell why.
    fn write_some(&self, waiting: &mut QueuedFrame) -> bool {
        while let Some(piece) = waiting.pieces.front() {
            match self.socket.try_write(&piece[waiting.written..]) {
                Ok(count) => waiting.written += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(_) => waiting.written = piece.len(),
            }
            if waiting.written == piece.len() {
                waiting.pieces.pop_front();
                waiting.written = 0;
            }
        }
        true
    }

    async fn write(self: Arc<Self>) {
        loop {
            let (is_done, is_closed) = {
                let mut waiting = self.waiting();
                (self.write_some(&mut waiting), waiting.is_closed)
            };
            match (is_done, is_closed) {
                (true, true) => break,
                (true, false) => self.news.notified().await,
                // An error is met again by the next write.
                (false, _) => drop(self.socket.writable().await),
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, QueuedFrame> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
