//! What a session keeps of an operation while it runs, and while its answer goes out.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::AbortHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::child::host::HandedOut;
use crate::child::service::reply_channel::SessionReplyChannel;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::{SendGuard, pb};

/// A larger message is decoded on a thread of its own, so that the connection goes on
/// meanwhile.
const DECODE_ASIDE: usize = 1024 * 1024;

/// One operation that runs.
#[derive(Debug)]
pub(super) struct RunningOperation {
    pub(super) task: AbortHandle,
    /// The way back from it, if it is a call.
    pub(super) channel: Option<Arc<SessionReplyChannel>>,
}

impl RunningOperation {
    /// Cancels it; what it receives ends with it.
    pub(super) fn end(&self) {
        self.task.abort();
        if let Some(channel) = &self.channel {
            channel.end();
        }
    }
}

/// An answer as it is sent.
#[allow(clippy::large_enum_variant, reason = "one at a time, for a moment")]
pub(super) enum Encoded {
    Whole(pb::SessionResponse),
    Detached(Bytes),
}

impl From<pb::SessionResponse> for Encoded {
    fn from(response: pb::SessionResponse) -> Self {
        Encoded::Whole(response)
    }
}

/// What is held while an answer is being sent; the ending waits for it. Dropped before,
/// because nobody wants the answer any more, it takes back what that hands out.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) handed_out: Option<HandedOut>,
    pub(super) _pending: TaskTrackerToken,
}

impl SendGuard for Sending {
    fn sent(self: Box<Self>) {
        if let Some(handed_out) = self.handed_out {
            handed_out.keep();
        }
    }
}

/// Does work that grows with a message where it holds up nobody.
pub(super) async fn aside<T: Send + 'static>(
    len: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if len < DECODE_ASIDE {
        return work();
    }
    let ended = |_| Err(Error::new(ErrorKind::Closed, "the daemon ended before the call did"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(ended)
}
