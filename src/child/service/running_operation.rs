//! The state of an operation while it runs and while its response is sent.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::AbortHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::child::host::HandedOut;
use crate::child::service::reply_channel::SessionReplyChannel;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::{SendGuard, pb};

/// Messages of at least this many bytes are encoded and decoded on a thread of their own,
/// so that the connection is not delayed.
const DECODE_ASIDE: usize = 1024 * 1024;

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
pub(super) enum Encoded {
    Whole(pb::SessionResponse),
    Detached(Bytes),
}

impl From<pb::SessionResponse> for Encoded {
    fn from(response: pb::SessionResponse) -> Self {
        Encoded::Whole(response)
    }
}

/// Held while a response is sent; the shutdown waits for it. If it is dropped unsent, its
/// handles are released.
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

/// Runs work whose cost grows with a message where it delays nobody.
pub(super) async fn aside<T: Send + 'static>(
    len: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if len < DECODE_ASIDE {
        return work();
    }
    let ended =
        |_| Err(Error::new(ErrorKind::Closed, "the daemon shut down before the call completed"));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(ended)
}
