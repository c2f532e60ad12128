//! The two ways by which the responses of a session arrive.

use std::io;
use std::sync::Arc;

use http::HeaderValue;
use tokio::runtime::Handle as Runtime;
use tonic::Streaming;

use crate::common::lane::{LaneReader, LaneWriter};
use crate::common::transport::{IoStream, LaneSocket, Token, send_preface};
use crate::common::wire::{ArrivingMessages, FrameStream, pb};

/// Where the responses of a session come from.
pub(super) enum ResponseSource {
    /// The stream of the `Session` RPC.
    Grpc(Streaming<pb::SessionResponse>),
    /// The lane that only the parent can open.
    Lane(LaneSource),
}

/// The parent's end of a lane.
pub(super) struct LaneSource {
    reader: LaneReader,
    writer: Arc<LaneWriter<pb::SessionRequest>>,
    /// How many responses have been returned since the last pause.
    returned: usize,
}

/// After so many responses at once, the callers that they wake may send their next
/// requests before these are written: in one system call instead of many.
const MANY_RESPONSES: usize = 4;

impl ResponseSource {
    /// Opens a lane over a new connection, and sends the requests over it.
    pub(super) async fn open_lane(
        mut stream: IoStream,
        token: Option<&Token>,
        requests: FrameStream<pb::SessionRequest>,
        frame_limit: usize,
    ) -> io::Result<Self> {
        let token = token.map(Token::to_header);
        let token = token.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        send_preface(&mut stream, token).await?;
        let socket = LaneSocket::new(stream.into_fd()?);
        let reader = LaneReader::new(&socket, frame_limit)?;
        let writer = LaneWriter::start(socket, requests, Runtime::current(), None);
        Ok(ResponseSource::Lane(LaneSource { reader, writer, returned: 0 }))
    }

    /// Returns the next response; `None` when the daemon has closed the session. A lane
    /// reads chunks of messages that are arriving into these.
    ///
    /// # Errors
    ///
    /// Why the connection broke, for a message.
    pub(super) async fn next(
        &mut self,
        arriving: &mut ArrivingMessages,
    ) -> Result<Option<pb::SessionResponse>, String> {
        match self {
            ResponseSource::Grpc(stream) => {
                stream.message().await.map_err(|status| status.to_string())
            }
            ResponseSource::Lane(source) => {
                source.next(arriving).await.map_err(|error| error.to_string())
            }
        }
    }
}

impl LaneSource {
    async fn next(
        &mut self,
        arriving: &mut ArrivingMessages,
    ) -> io::Result<Option<pb::SessionResponse>> {
        if !self.reader.has_frame() {
            if self.returned >= MANY_RESPONSES {
                self.writer.cork();
                // The tasks that the responses have woken run now.
                tokio::task::yield_now().await;
                self.writer.uncork();
            }
            self.returned = 0;
        }
        self.returned += 1;
        self.reader.next(arriving).await
    }
}
