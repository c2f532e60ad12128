//! The connection: made once, never again.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::runtime::Handle as Runtime;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tonic::Streaming;
use tonic::transport::{Endpoint as HttpEndpoint, Uri};
use tower::service_fn;
use tracing::debug;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::{Endpoint, IoStream, Token};
use crate::common::wire::pb::objects_client::ObjectsClient;
use crate::common::wire::pb::session_response::Result as Message;
use crate::common::wire::{Assembly, CHUNK_SIZE, Outbox, pb};
use crate::parent::client::connection_thread::ConnectionThread;
use crate::parent::client::pending::{PendingCall, PendingCalls};
use crate::parent::client::upload::UploadChannel;
use crate::parent::client::{Authorized, Client, Limits, Response, download, release};

/// How long a closed connection waits for the news of the daemon's end, which says more
/// than the connection can. A daemon that ends in order closes it first, and may have
/// other clients to answer.
const VERDICT: Duration = Duration::from_secs(3);

/// The flow-control windows, as the daemon's.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// A larger answer is decoded on a thread of its own, so that the connection goes on
/// meanwhile.
const DECODE_ASIDE: usize = 1024 * 1024;

impl Client {
    /// Connects by `stream` to the daemon at `endpoint`, which may want a `token`, and
    /// opens the session. Both live on the current runtime, timers on `keeper`; `lost` is
    /// called when they are no more.
    pub(crate) async fn connect(
        stream: impl Future<Output = io::Result<IoStream>>,
        endpoint: Endpoint,
        token: Option<Token>,
        limits: Limits,
        keeper: Runtime,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Handshake, format!("{what} at {endpoint}: {error}"))
        };
        let stream = stream.await.map_err(|error| failed("there is no connection", &error))?;
        let mut stream = Some(stream);
        // Once: tonic would connect again to whoever owns the path by then.
        let once = service_fn(move |_: Uri| {
            let stream: Option<IoStream> = stream.take();
            async move {
                stream
                    .map(TokioIo::new)
                    .ok_or_else(|| io::Error::other("the connection is made only once"))
            }
        });
        let channel = HttpEndpoint::from_static("http://localhost")
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(256 * 1024)
            .http2_max_local_error_reset_streams(None)
            .connect_with_connector(once)
            .await
            .map_err(|error| failed("there is no HTTP/2", &error))?;
        let channel = Authorized::new(channel, token.as_ref());

        let message_limit = limits.message.max(CHUNK_SIZE).saturating_add(64 * 1024);
        let (outbox, requests) = Outbox::new();
        let mut objects = ObjectsClient::new(channel.clone())
            .max_decoding_message_size(message_limit)
            .max_encoding_message_size(message_limit);
        let answers = objects
            .session(requests)
            .await
            .map_err(|status| failed("there is no session", &status))?;
        let pending = PendingCalls::new();
        let reader = ResponseReader {
            pending: Arc::clone(&pending),
            outbox: outbox.clone(),
            limits,
            decoding: TaskTracker::new(),
            keeper: keeper.clone(),
            lost: LostNotifier::new(lost, &pending),
        };
        let carrier = ConnectionThread::new();
        tokio::spawn(carrier.clone().watch(reader.read(answers.into_inner())));
        Ok(Client {
            channel,
            outbox,
            pending,
            limits,
            runtime: Runtime::current(),
            carrier,
            keeper,
        })
    }
}

/// Reads the answers of a session until it ends.
struct ResponseReader {
    pending: Arc<PendingCalls>,
    outbox: Outbox<pb::SessionRequest>,
    limits: Limits,
    /// The large answers that are being decoded.
    decoding: TaskTracker,
    keeper: Runtime,
    lost: LostNotifier,
}

impl ResponseReader {
    async fn read(self, mut answers: Streaming<pb::SessionResponse>) {
        let mut arriving = HashMap::new();
        let why = loop {
            match answers.message().await {
                Ok(Some(response)) => self.take(response, &mut arriving),
                Ok(None) => break "it ended the session".to_owned(),
                Err(status) => break status.to_string(),
            }
        };
        debug!(why, "the connection to a daemon is lost");
        self.pending.note_read_out();
        // It tells the daemon, if it still lives, that its answers have come.
        self.outbox.close();
        let ResponseReader { pending, keeper, lost, decoding, .. } = self;
        let judged = Arc::clone(&pending);
        let judging = keeper.spawn(async move { timeout(VERDICT, judged.failed()).await.is_ok() });
        if !judging.await.unwrap_or(false) {
            let message = format!("the connection to the daemon is lost although it lives: {why}");
            pending.fail(&Error::new(ErrorKind::Protocol, message));
        }
        decoding.close();
        decoding.wait().await;
        drop(lost);
    }

    fn take(&self, response: pb::SessionResponse, arriving: &mut HashMap<u64, Assembly>) {
        let pb::SessionResponse { id, result, detached } = response;
        match result {
            Some(Message::Chunk(chunk)) => self.collect(id, &chunk.data, arriving),
            Some(Message::Opened(pb::Opened {})) => download::open(&self.pending, &self.outbox, id),
            Some(Message::Items(items)) => {
                download::take(&self.pending, &self.outbox, id, items, self.limits)
            }
            Some(Message::Credit(credit)) => self.allow(id, &credit),
            None if detached > 0 => match Assembly::new(detached, self.limits.message) {
                Ok(assembly) => drop(arriving.insert(id, assembly)),
                Err(error) => self.refuse(id, error),
            },
            result => {
                // The rest of a detached answer may have been taken back by a cancel.
                arriving.remove(&id);
                let nobodys = self.pending.answer(id, Response::from_pb(result, self.limits.depth));
                give_back(&self.pending, &self.outbox, nobodys);
            }
        }
    }

    /// Adds a chunk to the answer it belongs to, and finishes that with the last.
    fn collect(&self, id: u64, chunk: &bytes::Bytes, arriving: &mut HashMap<u64, Assembly>) {
        // Of an answer that was too large there is no assembly.
        let Some(assembly) = arriving.get_mut(&id) else { return };
        match assembly.push(chunk) {
            Ok(None) => {}
            Ok(Some(whole)) => {
                arriving.remove(&id);
                self.finish(id, whole);
            }
            Err(error) => {
                arriving.remove(&id);
                self.refuse(id, error);
            }
        }
    }

    /// What has come for an operation cannot be taken: it is its answer, or an item of
    /// its stream, and then the making of more ends too.
    fn refuse(&self, id: u64, error: Error) {
        if self.pending.with(id, |waiting| waiting.inbound.is_some()) == Some(true) {
            self.pending.abandon(id, &self.outbox, Some(error));
        } else {
            drop(self.pending.answer(id, Err(error)));
        }
    }

    /// The daemon allows more items of a stream among the arguments of a call, or wants
    /// none any more.
    fn allow(&self, id: u64, credit: &pb::Credit) {
        if credit.items == 0 {
            // With it goes what is the caller's own, which may release objects: not under
            // the lock.
            drop(self.pending.with(id, |waiting| waiting.uploads.remove(&credit.stream)));
            return;
        }
        let grant = |waiting: &mut PendingCall| {
            waiting
                .uploads
                .get(&credit.stream)
                .inspect(|upload| upload.grant(credit.items))
                .is_some()
        };
        if self.pending.with(id, grant) == Some(false) {
            let error =
                Error::new(ErrorKind::BadArguments, "the call was given no stream of this number");
            let way = UploadChannel {
                id,
                outbox: self.outbox.clone(),
                message_limit: self.limits.message,
                large: Arc::default(),
            };
            way.end(credit.stream, Err(error));
        }
    }

    /// Decodes a detached message: items, or an answer, which it hands over.
    fn finish(&self, id: u64, whole: bytes::Bytes) {
        // Also where nobody waits for it any more: what items name is released then.
        if self.pending.with(id, |waiting| waiting.answer.is_some()) != Some(true)
            && let Ok(pb::SessionResponse { result: Some(Message::Items(items)), .. }) =
                pb::SessionResponse::decode(whole.clone())
        {
            // Here and now, so that the next items come after these.
            return download::take(&self.pending, &self.outbox, id, items, self.limits);
        }
        let claimed = self.pending.claim(id);
        let (len, depth_limit) = (whole.len(), self.limits.depth);
        let decode = move || {
            let response = pb::SessionResponse::decode(whole).map_err(|error| {
                Error::new(
                    ErrorKind::Protocol,
                    format!("the daemon's answer cannot be decoded: {error}"),
                )
            })?;
            Response::from_pb(response.result, depth_limit)
        };
        let (pending, outbox) = (Arc::clone(&self.pending), self.outbox.clone());
        let hand_over = move || {
            let nobodys = match claimed {
                Some(claimed) => claimed.answer(decode()),
                None => decode().ok(),
            };
            give_back(&pending, &outbox, nobodys);
        };
        if len < DECODE_ASIDE {
            hand_over();
        } else {
            self.decoding.spawn_blocking(hand_over);
        }
    }
}

/// The objects in an answer whose caller has gone meanwhile are released.
pub(super) fn give_back(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    nobodys: Option<Response>,
) {
    for handle in nobodys.iter().flat_map(Response::handles) {
        release(pending, outbox, &handle);
    }
}

/// Tells that the connection is no more. Also when the reader is dropped in the middle,
/// because its runtime has ended.
struct LostNotifier {
    tell: Option<Box<dyn FnOnce() + Send>>,
    pending: Arc<PendingCalls>,
}

impl LostNotifier {
    fn new(tell: impl FnOnce() + Send + 'static, pending: &Arc<PendingCalls>) -> Self {
        LostNotifier { tell: Some(Box::new(tell)), pending: Arc::clone(pending) }
    }
}

impl Drop for LostNotifier {
    fn drop(&mut self) {
        // If the reader has come to its end, another reason is there already, and the
        // first counts.
        let message = "the async runtime that carried the connection has ended";
        let advice = "make the daemon from a runtime that outlives its proxies";
        self.pending.fail(&Error::new(ErrorKind::RuntimeEnded, message).advise(advice));
        if let Some(tell) = self.tell.take() {
            tell();
        }
    }
}

#[cfg(test)]
mod tests;
