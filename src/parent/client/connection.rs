//! The connection to a daemon. It is made once and never re-established.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use tokio::runtime::Handle as Runtime;
use tonic::transport::{Channel, Endpoint as HttpEndpoint, Uri};
use tower::service_fn;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::{Endpoint, IoStream, MAX_METADATA, Token};
use crate::common::wire::pb::control_client::ControlClient;
use crate::common::wire::pb::objects_client::ObjectsClient;
use crate::common::wire::{CHUNK_SIZE, Outbox, pb};
use crate::parent::client::Client;
use crate::parent::client::authorized_channel::AuthorizedChannel;
use crate::parent::client::connection_thread::ConnectionThread;
use crate::parent::client::limits::Limits;
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::response_reader::ResponseReader;
use crate::parent::client::response_source::ResponseSource;

/// The flow-control windows, the same as the daemon's.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

impl Client {
    /// Connects to the daemon at `endpoint` over `stream`, and opens the session: over a
    /// lane, if there is one, or else as an RPC.
    ///
    /// Both live on the current runtime, and timers on `keeper`. `on_lost` is called when
    /// the connection has ended.
    pub(crate) async fn connect(
        stream: impl Future<Output = io::Result<IoStream>>,
        lane: Option<impl Future<Output = io::Result<IoStream>>>,
        endpoint: Endpoint,
        token: Option<Token>,
        limits: Limits,
        keeper: Runtime,
        on_lost: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let failed = |message: String, error: &dyn fmt::Display| {
            Error::new(ErrorKind::Handshake, format!("{message}: {error}"))
        };
        let stream = stream
            .await
            .map_err(|error| failed(format!("failed to connect to {endpoint}"), &error))?;
        let channel = http2_channel(stream)
            .await
            .map_err(|error| failed(format!("HTTP/2 handshake with {endpoint} failed"), &error))?;
        let channel = AuthorizedChannel::new(channel, token.as_ref());

        let message_limit = limits.message.max(CHUNK_SIZE).saturating_add(64 * 1024);
        let (outbox, requests) = Outbox::new();
        let no_session = || format!("failed to open a session with {endpoint}");
        let responses = match lane {
            Some(lane) => {
                let opened = async {
                    // The daemon closes a connection that brings no token.
                    if token.is_some() {
                        let mut control = ControlClient::new(channel.clone());
                        control.info(pb::InfoRequest {}).await.map_err(io::Error::other)?;
                    }
                    let stream = lane.await?;
                    ResponseSource::open_lane(stream, token.as_ref(), requests, message_limit).await
                };
                opened.await.map_err(|error| failed(no_session(), &error))?
            }
            None => {
                let mut objects = ObjectsClient::new(channel.clone())
                    .max_decoding_message_size(message_limit)
                    .max_encoding_message_size(message_limit);
                let opened = objects.session(requests).await;
                let opened = opened.map_err(|status| failed(no_session(), &status))?;
                ResponseSource::Grpc(opened.into_inner())
            }
        };
        let pending = PendingCalls::new();
        let reader = ResponseReader::new(
            Arc::clone(&pending),
            outbox.clone(),
            limits,
            keeper.clone(),
            on_lost,
        );
        let thread = ConnectionThread::new();
        tokio::spawn(thread.clone().watch(reader.read(responses)));
        let runtime = Runtime::current();
        let carrier = Arc::new(outbox.clone());
        Ok(Client { channel, outbox, carrier, pending, limits, runtime, thread, keeper })
    }
}

async fn http2_channel(stream: IoStream) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(stream);
    // Only once: tonic would reconnect to whatever process owns the path by then.
    let connect_once = service_fn(move |_: Uri| {
        let stream = stream.take().map(TokioIo::new);
        async move { stream.ok_or_else(|| io::Error::other("oad does not reconnect")) }
    });
    HttpEndpoint::from_static("http://localhost")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(256 * 1024)
        .http2_max_header_list_size(MAX_METADATA)
        .http2_max_local_error_reset_streams(None)
        .connect_with_connector(connect_once)
        .await
}
