//! What comes from an interpreter.

use std::io;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::OwnedReadHalf;

use crate::child::python::frame_writer::MAX_FRAME;

/// How much room is made at least for what comes.
const ROOM: usize = 8 * 1024;

/// The reading half of a socket.
#[derive(Debug)]
pub(super) struct FrameReader {
    socket: OwnedReadHalf,
    /// What has been read beyond the last frame.
    buffer: BytesMut,
}

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
    /// Nothing is lost when the future is dropped.
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
            // It grows with what arrives, never by what was announced.
            self.buffer.reserve(ROOM);
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
