//! Reads a lane on a runtime.

use std::io;

use prost::Message;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use crate::common::lane::FrameBuffer;
use crate::common::transport::LaneSocket;
use crate::common::wire::{ArrivingMessages, SessionFrame};

/// After so many bytes, which take about 0.2 ms, the reader lets other work of its thread
/// go first. Tokio would do so after 128 reads, which may be 32 MiB.
const AT_ONCE: usize = 1024 * 1024;

/// Reads the frames of a lane on the runtime where it was made.
#[derive(Debug)]
pub(crate) struct LaneReader {
    /// A descriptor of the socket. It is no pipe, but read(2) is the same, and a receiver
    /// of a pipe is the only thing tokio registers for reading alone. A `UnixStream` is
    /// registered for writing too, and then each message that the peer has read wakes its
    /// sender once more.
    socket: pipe::Receiver,
    buffer: FrameBuffer,
    /// How many bytes were read since other work went first.
    at_once: usize,
}

impl LaneReader {
    /// Must be called on a runtime with an I/O driver.
    pub(crate) fn new(socket: &LaneSocket, limit: usize) -> io::Result<Self> {
        let socket = socket.duplicate()?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = pipe::Receiver::from_owned_fd_unchecked(socket)?;
        Ok(LaneReader { socket, buffer: FrameBuffer::new(limit), at_once: 0 })
    }

    /// Whether the next frame has been read already.
    pub(crate) fn has_frame(&self) -> bool {
        self.buffer.has_frame()
    }

    /// Reads the next frame; `None` once the peer has closed. Chunks of messages that
    /// are arriving are read into these.
    ///
    /// # Errors
    ///
    /// Those of the socket, and `InvalidData` for a frame that cannot be decoded.
    pub(crate) async fn next<M: SessionFrame + Message + Default>(
        &mut self,
        arriving: &mut ArrivingMessages,
    ) -> io::Result<Option<M>> {
        loop {
            if let Some(message) = self.buffer.next(arriving)? {
                return Ok(Some(message));
            }
            match self.socket.read(self.buffer.room(arriving)).await? {
                0 => return Ok(None),
                len => {
                    self.buffer.note_read(len, arriving);
                    self.at_once += len;
                }
            }
            if self.at_once >= AT_ONCE {
                self.at_once = 0;
                tokio::task::yield_now().await;
            }
        }
    }
}
