//! The reader of a session's responses.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tokio::runtime::Handle as Runtime;
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::common::buffer_pool::BufferPool;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::threads::run_aside_or_here;
use crate::common::wire::pb::session_response::Result as Message;
use crate::common::wire::{ArrivingMessages, Outbox, copied_by_decoding, pb};
use crate::parent::client::download;
use crate::parent::client::limits::Limits;
use crate::parent::client::pending::{PendingCall, PendingCalls};
use crate::parent::client::release::release_unclaimed;
use crate::parent::client::response::Response;
use crate::parent::client::response_source::ResponseSource;
use crate::parent::client::upload::UploadChannel;

/// Responses from this size on are decoded on a thread of their own, so that they do not
/// hold up the connection. Bytes that are not copied do not count.
const DECODE_ASIDE: usize = 256 * 1024;

/// Reads the responses of a session until it ends.
pub(super) struct ResponseReader {
    pending: Arc<PendingCalls>,
    outbox: Outbox<pb::SessionRequest>,
    limits: Limits,
    /// The large responses that are being decoded.
    decoding: TaskTracker,
    keeper: Runtime,
    lost: LostNotifier,
}

impl ResponseReader {
    pub(super) fn new(
        pending: Arc<PendingCalls>,
        outbox: Outbox<pb::SessionRequest>,
        limits: Limits,
        keeper: Runtime,
        on_lost: impl FnOnce() + Send + 'static,
    ) -> Self {
        let lost = LostNotifier::new(on_lost, &pending);
        ResponseReader { pending, outbox, limits, decoding: TaskTracker::new(), keeper, lost }
    }

    pub(super) async fn read(self, mut responses: ResponseSource) {
        let buffers = BufferPool::new(self.keeper.clone());
        let mut arriving = ArrivingMessages::new(self.limits.message, buffers);
        let reason = loop {
            match responses.next(&mut arriving).await {
                Ok(Some(response)) => {
                    if let Err(error) = self.handle(response, &mut arriving) {
                        let reason = error.to_string();
                        self.pending.fail(&error);
                        break reason;
                    }
                }
                Ok(None) => break "the daemon closed the session".to_owned(),
                Err(reason) => break reason,
            }
        };
        debug!(reason, "lost the connection to a daemon");
        // What has arrived is delivered before the daemon's end fails the rest.
        self.decoding.close();
        self.decoding.wait().await;
        self.pending.set_drained();
        // A daemon that still lives learns from this that its responses were read.
        self.outbox.close();
        let ResponseReader { pending, keeper, lost, .. } = self;
        let failed = Arc::clone(&pending);
        let reported = keeper.spawn(async move { failed.end_reported().await });
        if !reported.await.unwrap_or(false) {
            let message =
                format!("the connection to the daemon was lost, but its process lives: {reason}");
            pending.fail(&Error::new(ErrorKind::Protocol, message));
        }
        drop(lost);
    }

    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if the daemon sends what nobody has asked for, and what
    /// would take memory. The session cannot go on.
    fn handle(&self, response: pb::SessionResponse, arriving: &mut ArrivingMessages) -> Result<()> {
        let pb::SessionResponse { id, result, detached } = response;
        match result {
            Some(Message::Chunk(chunk)) => self.collect(id, &chunk.data, arriving),
            Some(Message::Opened(pb::Opened { on_demand })) => {
                download::open(&self.pending, &self.outbox, id, on_demand);
            }
            Some(Message::Items(items)) => {
                download::receive(&self.pending, &self.outbox, id, items, self.limits)
            }
            Some(Message::Credit(credit)) => self.grant(id, &credit),
            None if detached > 0 => {
                // An operation is pending until its response, whoever still waits for it.
                if self.pending.with(id, |call| call.is_answered) != Some(false) {
                    let message = format!(
                        "the daemon announced {detached} bytes for operation {id}, which is not \
                         pending"
                    );
                    return Err(Error::new(ErrorKind::Protocol, message));
                }
                // The end of the call may have cut short an item of its stream.
                arriving.remove(id);
                if let Err(error) = arriving.start(id, detached) {
                    self.reject(id, error);
                }
            }
            result => {
                // A cancel may have withdrawn the rest of a detached response.
                arriving.remove(id);
                let response = Response::from_pb(result, self.limits.depth);
                let unclaimed = self.pending.complete(id, response);
                release_unclaimed(&self.pending, &self.outbox, unclaimed);
            }
        }
        Ok(())
    }

    /// Adds a chunk to the message it belongs to, which the last chunk completes.
    fn collect(&self, id: u64, chunk: &Bytes, arriving: &mut ArrivingMessages) {
        // A message that was too large is not assembled.
        match arriving.push(id, chunk) {
            None => {}
            Some(Ok(message)) => self.decode(id, message),
            Some(Err(error)) => self.reject(id, error),
        }
    }

    /// Fails an operation whose response cannot be used. If it is an item of a stream,
    /// the daemon also stops producing.
    fn reject(&self, id: u64, error: Error) {
        if self.pending.with(id, |call| call.inbound.is_some()) == Some(true) {
            self.pending.abandon(id, &self.outbox, Some(error));
        } else {
            drop(self.pending.complete(id, Err(error)));
        }
    }

    /// Lets a stream among the arguments of a call send more items, or ends it: 0 items
    /// mean that the method reads no more.
    fn grant(&self, id: u64, credit: &pb::Credit) {
        if credit.items == 0 {
            // Dropped outside the lock, because it contains the caller's own values,
            // whose drops may release objects.
            drop(self.pending.with(id, |call| call.uploads.remove(&credit.stream)));
            return;
        }
        let grant = |call: &mut PendingCall| {
            let upload = call.uploads.get(&credit.stream);
            upload.inspect(|upload| upload.grant(credit.items)).is_some()
        };
        if self.pending.with(id, grant) == Some(false) {
            let message =
                format!("the call has no stream number {} among its arguments", credit.stream);
            let channel = UploadChannel {
                id,
                outbox: self.outbox.clone(),
                message_limit: self.limits.message,
                large: Arc::default(),
            };
            channel.end(credit.stream, Err(Error::new(ErrorKind::BadArguments, message)));
        }
    }

    /// Decodes a detached message, which contains either items or a response, and
    /// delivers it.
    fn decode(&self, id: u64, message: Bytes) {
        // Items are decoded even if nobody waits for them, because the objects they name
        // must be released.
        if self.pending.with(id, |call| call.response.is_some()) != Some(true)
            && let Ok(pb::SessionResponse { result: Some(Message::Items(items)), .. }) =
                pb::SessionResponse::decode(message.clone())
        {
            // Not on another thread, so that the next items come after these.
            return download::receive(&self.pending, &self.outbox, id, items, self.limits);
        }
        // It stays in the table until it is decoded, so that its deadline can fail it.
        self.pending.with(id, |call| call.is_answered = true);
        let len = copied_by_decoding::<pb::SessionResponse>(&message);
        let depth_limit = self.limits.depth;
        let decode = move || {
            let response = pb::SessionResponse::decode(message).map_err(|error| {
                let message = format!("failed to decode the daemon's response: {error}");
                Error::new(ErrorKind::Protocol, message)
            })?;
            Response::from_pb(response.result, depth_limit)
        };
        let (pending, outbox) = (Arc::clone(&self.pending), self.outbox.clone());
        let deliver = move || {
            let unclaimed = pending.complete(id, decode());
            release_unclaimed(&pending, &outbox, unclaimed);
        };
        if len < DECODE_ASIDE {
            deliver();
        } else {
            // Not on a thread of the caller's runtime, which may have none left.
            let decoding = self.decoding.token();
            run_aside_or_here(move || {
                deliver();
                drop(decoding);
            });
        }
    }
}

/// Reports the end of the connection, also if the reader is dropped in the middle because
/// its runtime has ended.
struct LostNotifier {
    on_lost: Option<Box<dyn FnOnce() + Send>>,
    pending: Arc<PendingCalls>,
}

impl LostNotifier {
    fn new(on_lost: impl FnOnce() + Send + 'static, pending: &Arc<PendingCalls>) -> Self {
        LostNotifier { on_lost: Some(Box::new(on_lost)), pending: Arc::clone(pending) }
    }
}

impl Drop for LostNotifier {
    fn drop(&mut self) {
        // If the reader has run to its end, another reason was recorded before, and the
        // first one counts.
        let message = "the async runtime that carried the connection has ended";
        let advice = "start the daemon in a runtime that outlives its proxies";
        self.pending.fail(&Error::new(ErrorKind::RuntimeEnded, message).advise(advice));
        if let Some(on_lost) = self.on_lost.take() {
            on_lost();
        }
    }
}

#[cfg(test)]
mod tests;
