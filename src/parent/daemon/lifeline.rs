//! The parent's end of a daemon's lifeline.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf, ReadHalf, split};
use tokio::net::UnixStream;

use crate::common::handshake::{DaemonMessage, read_frame};
use crate::common::transport::{DescriptorReader, IoStream, SocketWriter};

/// The parent's end of the daemon's fd 0, or of the stream that replaces it in this
/// process.
pub(super) struct Lifeline {
    pub(super) reader: BufReader<LifelineReader>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Reads a lifeline. Descriptors can arrive only from another process.
#[derive(Debug)]
pub(super) enum LifelineReader {
    Process(DescriptorReader),
    InProcess(ReadHalf<IoStream>),
}

impl Lifeline {
    pub(super) fn of_process(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        let reader = LifelineReader::Process(DescriptorReader::new(reader));
        let writer = Box::new(SocketWriter::new(writer));
        Lifeline { reader: BufReader::new(reader), writer }
    }

    pub(super) fn in_process(stream: IoStream) -> Self {
        let (reader, writer) = split(stream);
        let reader = LifelineReader::InProcess(reader);
        Lifeline { reader: BufReader::new(reader), writer: Box::new(writer) }
    }

    /// Waits for the daemon's next message. `None` means that the lifeline is closed, or
    /// that something unreadable arrived, after which nothing more is read.
    ///
    /// # Cancel safety
    ///
    /// A frame is one small write, which arrives whole or not at all, so dropping the
    /// future loses nothing.
    pub(super) async fn next_message(&mut self) -> Option<DaemonMessage> {
        read_frame(&mut self.reader).await.ok().flatten()
    }

    /// Takes the next descriptor that has arrived with a message.
    pub(super) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        match self.reader.get_mut() {
            LifelineReader::Process(reader) => reader.take_descriptor(),
            LifelineReader::InProcess(_) => None,
        }
    }
}

impl AsyncRead for LifelineReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            LifelineReader::Process(reader) => Pin::new(reader).poll_read(cx, buffer),
            LifelineReader::InProcess(reader) => Pin::new(reader).poll_read(cx, buffer),
        }
    }
}

impl std::fmt::Debug for Lifeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifeline").finish_non_exhaustive()
    }
}
