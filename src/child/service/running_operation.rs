//! The state of an operation while it runs and while its response is sent.

use std::sync::Arc;

use futures_util::future::AbortHandle;
use prost::Message as _;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::child::host::HandleGuard;
use crate::child::service::reply_channel::SessionReplyChannel;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::threads::aside_or_here;
use crate::common::transport::HeldMemory;
use crate::common::wire::pb::session_response::Result as SessionResult;
use crate::common::wire::{
    CHUNK_SIZE, IntoPieces as _, Pieces, SendGuard, failure_from_error, pb, too_large,
};

/// Messages of at least this many bytes are encoded and decoded on a thread of their own,
/// so that the connection is not delayed. Bytes that are not copied do not count.
const OFFLOAD_BYTES: usize = 256 * 1024;

/// A running operation.
#[derive(Debug)]
pub(super) struct RunningOperation {
    pub(super) task: AbortHandle,
    /// The reply channel, if the operation is a call.
    pub(super) channel: Option<Arc<SessionReplyChannel>>,
}

impl RunningOperation {
    /// Cancels the operation and ends its incoming streams.
    pub(super) fn end(&self) {
        self.task.abort();
        if let Some(channel) = &self.channel {
            channel.end();
        }
    }
}

/// A response, ready to be sent.
#[allow(clippy::large_enum_variant, reason = "one at a time, for a moment")]
pub(super) enum EncodedResponse {
    /// In one frame, of so many bytes.
    Whole(pb::SessionResponse, usize),
    Detached(Pieces),
}

impl EncodedResponse {
    /// Encodes a response; a large one on a thread of its own.
    pub(super) async fn encode(
        id: u64,
        result: SessionResult,
        message_limit: usize,
    ) -> Result<Self> {
        let is_exception = is_exception(&result);
        let response = pb::SessionResponse { id, result: Some(result), detached: 0 };
        let len = response.encoded_len();
        // An exception has already been shortened to fit, as far as possible.
        if len > message_limit && !is_exception {
            return Err(too_large(len, message_limit));
        }
        if len <= CHUNK_SIZE {
            return Ok(EncodedResponse::Whole(response, len));
        }
        let copied = len - response.uncopied();
        offload(copied, move || Ok(EncodedResponse::Detached(response.into_pieces()))).await
    }
}

impl From<pb::SessionResponse> for EncodedResponse {
    fn from(response: pb::SessionResponse) -> Self {
        let len = response.encoded_len();
        EncodedResponse::Whole(response, len)
    }
}

/// Held while a response is sent; the shutdown waits for it. If it is dropped unsent, its
/// handles are released.
#[derive(Debug)]
pub(super) struct ResponseGuard {
    pub(super) handles: Option<HandleGuard>,
    /// What counts a large response, unless its client is trusted.
    pub(super) held: Option<HeldMemory>,
    pub(super) _pending: TaskTrackerToken,
}

impl SendGuard for ResponseGuard {
    fn sent(self: Box<Self>) {
        if let Some(handles) = self.handles {
            handles.keep();
        }
    }
}

/// Runs work whose cost grows with the `len` bytes that it copies where it delays nobody.
pub(super) async fn offload<T: Send + 'static>(
    len: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if len < OFFLOAD_BYTES {
        return work();
    }
    let ended =
        || Err(Error::new(ErrorKind::Closed, "the daemon shut down before the call completed"));
    aside_or_here(work).await.unwrap_or_else(ended)
}

fn is_exception(result: &SessionResult) -> bool {
    use pb::{call_response, create_response};
    match result {
        SessionResult::Call(response) => {
            matches!(response.outcome, Some(call_response::Outcome::Exception(_)))
        }
        SessionResult::Create(response) => {
            matches!(response.outcome, Some(create_response::Outcome::Exception(_)))
        }
        _ => false,
    }
}

pub(super) fn failure(id: u64, error: &Error) -> pb::SessionResponse {
    pb::SessionResponse {
        id,
        result: Some(SessionResult::Failure(failure_from_error(error))),
        detached: 0,
    }
}
