//! Writes the frames of an interpreter's socket.
//!
//! Whoever sends a frame writes it, without waking a task, as long as the socket has
//! room; a task writes the rest.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, getpid};
use tokio::net::unix::pipe;
use tokio::runtime::Handle as Runtime;

use crate::common::agent::request_frame::{NumberedFrame, RequestFrame};
use crate::common::error::Result;
use crate::common::transport::LaneSocket;

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
    frames: VecDeque<NumberedFrame>,
    /// How much of the first one has been written.
    written: usize,
    /// Nothing more will come.
    is_last: bool,
    /// In a copy of this process made by `fork`, the socket is still this one's.
    owner: Pid,
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
        self.0.push(&mut self.0.queue(), frame.into());
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
    fn push(self: &Arc<Self>, queue: &mut WriteQueue, frame: NumberedFrame) {
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
            match socket.send(&frame.slices(self.written)) {
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
