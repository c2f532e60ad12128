//! The streams among the arguments of a call.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use prost::Message as _;
use tokio::runtime::Handle as Runtime;
use tokio::sync::Mutex;
use tokio::task::coop::consume_budget;
use tokio_util::task::AbortOnDropHandle;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Batch, Credit, Gathered, ItemSource};
use crate::common::threads::run_aside;
use crate::common::value::Value;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{
    CHUNK_SIZE, FramePacker, IntoPieces as _, Outbox, failure_from_error, pb, too_large,
    value_to_pb,
};

/// A stream that is being sent. Dropping it ends its source.
#[derive(Debug)]
pub(super) struct Upload {
    credit: Arc<Credit>,
    /// Owns the source, even after its end, because it keeps the objects that its items
    /// have named until the call has returned.
    _task: AbortOnDropHandle<Option<ItemSource<'static>>>,
}

/// Sends the streams of one call.
#[derive(Clone)]
pub(super) struct UploadChannel {
    pub(super) id: u64,
    pub(super) outbox: Outbox<pb::SessionRequest>,
    pub(super) message_limit: usize,
    /// Locked while a large frame is sent in chunks, because the daemon puts all chunks
    /// of one id together.
    pub(super) large: Arc<Mutex<()>>,
}

impl Upload {
    /// Starts to send a stream on `runtime`, as far as the daemon allows it.
    pub(super) fn start(
        runtime: &Runtime,
        channel: UploadChannel,
        number: u64,
        source: ItemSource<'static>,
    ) -> Self {
        let credit = Arc::<Credit>::default();
        let task = runtime.spawn(send_all(channel, number, source, Arc::clone(&credit)));
        Upload { credit, _task: AbortOnDropHandle::new(task) }
    }

    pub(super) fn grant(&self, items: u32) {
        self.credit.grant(items);
    }

    /// Whether its source has ended.
    #[cfg(test)]
    pub(super) fn is_done(&self) -> bool {
        self._task.is_finished()
    }
}

async fn send_all(
    channel: UploadChannel,
    number: u64,
    mut source: ItemSource<'static>,
    credit: Arc<Credit>,
) -> Option<ItemSource<'static>> {
    let outcome = loop {
        let room = credit.room().await;
        // Otherwise a stream that is always ready would never yield the thread.
        consume_budget().await;
        let sent = match source.may_block() {
            // This is the caller's own code. A panic is reported instead of an end.
            false => match AssertUnwindSafe(source.wait(room)).catch_unwind().await {
                Ok(Batch { items, ended }) => {
                    channel.send(number, items, &credit).await.map(|()| ended)
                }
                Err(_) => break Err(panicked("stream")),
            },
            true => {
                let (back, sent) = channel.send_made(number, source, room, &credit).await?;
                source = back;
                sent
            }
        };
        match sent {
            Err(error) => break Err(error),
            Ok(Some(ended)) => break ended,
            Ok(None) => {}
        }
    };
    channel.end(number, outcome);
    Some(source)
}

fn no_thread() -> Error {
    Error::new(ErrorKind::Limit, "failed to start a thread that runs the iterator")
        .advise("raise the limit on threads (`ulimit -u`, `pids.max`)")
}

fn panicked(source: &str) -> Error {
    Error::new(ErrorKind::Cancelled, format!("the caller's {source} panicked"))
}

impl UploadChannel {
    /// Sends the items that an iterator makes, the first ones while it makes the next.
    /// Returns the iterator, and how it has ended if it has; `None` if it is lost, which
    /// has been reported.
    async fn send_made(
        &self,
        stream: u64,
        mut source: ItemSource<'static>,
        room: usize,
        credit: &Credit,
    ) -> Option<(ItemSource<'static>, Result<Option<Result<()>>>)> {
        let gathered = Arc::<Gathered>::default();
        let adding = Arc::clone(&gathered);
        // Not on the caller's runtime, which may have only one thread, and that thread
        // also carries the connection.
        let making = match run_aside(move || (source.gather(room, &adding), source)) {
            Ok(making) => making,
            Err(unused) => {
                self.end(stream, Err(no_thread()));
                drop(unused);
                return None;
            }
        };
        let (mut making, mut sent) = (pin!(making), Ok(()));
        let made = loop {
            tokio::select! {
                biased;
                made = &mut making => break made,
                () = gathered.wait(), if sent.is_ok() => {
                    sent = self.send(stream, gathered.take(), credit).await;
                }
            }
        };
        if sent.is_ok() {
            sent = self.send(stream, gathered.take(), credit).await;
        }
        match made {
            Some((ended, source)) => Some((source, sent.map(|()| ended))),
            None => {
                self.end(stream, Err(panicked("iterator")));
                None
            }
        }
    }

    /// Sends items in frames of moderate size.
    async fn send(&self, stream: u64, items: Vec<Value>, credit: &Credit) -> Result<()> {
        credit.spend(items.len());
        let (mut frame, mut packer) =
            (pb::Items { stream, ..Default::default() }, FramePacker::new(self.message_limit));
        for value in items.into_iter().map(value_to_pb) {
            if packer.begins_frame(&value) {
                self.send_frame(std::mem::replace(
                    &mut frame,
                    pb::Items { stream, ..Default::default() },
                ))
                .await?;
            }
            frame.values.push(value);
        }
        if frame.values.is_empty() { Ok(()) } else { self.send_frame(frame).await }
    }

    async fn send_frame(&self, items: pb::Items) -> Result<()> {
        let len = items.encoded_len();
        if len > self.message_limit {
            return Err(too_large(len, self.message_limit));
        }
        let frame = |items, detached| pb::SessionRequest {
            id: self.id,
            operation: Some(Operation::Items(items)),
            detached,
        };
        if len <= CHUNK_SIZE {
            self.outbox.send(frame(items, 0));
            return Ok(());
        }
        let _large = self.large.lock().await;
        let message = items.into_pieces();
        self.outbox
            .send_in_chunks(frame(pb::Items::default(), len as u64), self.id, message, None)
            .await;
        Ok(())
    }

    /// Sends the end of a stream.
    pub(super) fn end(&self, stream: u64, outcome: Result<()>) {
        let failure = outcome.err().as_ref().map(failure_from_error);
        let items = pb::Items { stream, values: Vec::new(), ended: true, failure };
        self.outbox.send(pb::SessionRequest {
            id: self.id,
            operation: Some(Operation::Items(items)),
            detached: 0,
        });
    }
}

impl fmt::Debug for UploadChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadChannel").field("id", &self.id).finish_non_exhaustive()
    }
}
