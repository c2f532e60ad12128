//! The two ways by which the responses of a session arrive.

use std::io;

use http::HeaderValue;
use tokio::runtime::Handle as Runtime;
use tonic::Streaming;

use crate::common::lane::{LaneReader, LaneWriter};
use crate::common::transport::{IoStream, LaneSocket, Token, send_preface};
use crate::common::wire::{FrameStream, pb};

/// Where the responses of a session come from.
pub(super) enum ResponseSource {
    /// The stream of the `Session` RPC.
    Grpc(Streaming<pb::SessionResponse>),
    /// The lane that only the parent can open.
    Lane(LaneReader),
}

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
        LaneWriter::start(socket, requests, Runtime::current(), None);
        Ok(ResponseSource::Lane(reader))
    }

    /// Returns the next response; `None` when the daemon has closed the session.
    ///
    /// # Errors
    ///
    /// Why the connection broke, for a message.
    pub(super) async fn next(&mut self) -> Result<Option<pb::SessionResponse>, String> {
        match self {
            ResponseSource::Grpc(stream) => {
                stream.message().await.map_err(|status| status.to_string())
            }
            ResponseSource::Lane(reader) => reader.next().await.map_err(|error| error.to_string()),
        }
    }
}
