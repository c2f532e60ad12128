//! The parent's end of a daemon's lifeline.

use tokio::io::{BufReader, ReadHalf, WriteHalf, split};

use crate::common::handshake::{DaemonMessage, read_frame};
use crate::common::transport::IoStream;

/// The parent's end of the daemon's fd 0, or of the stream that replaces it in this
/// process.
#[derive(Debug)]
pub(super) struct Lifeline {
    pub(super) reader: BufReader<ReadHalf<IoStream>>,
    pub(super) writer: WriteHalf<IoStream>,
}

impl Lifeline {
    pub(super) fn new(stream: IoStream) -> Self {
        let (reader, writer) = split(stream);
        Lifeline { reader: BufReader::new(reader), writer }
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
}
