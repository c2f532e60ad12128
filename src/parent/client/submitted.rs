//! One operation that has been sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::ItemSource;
use crate::common::wire::{Outbox, pb};
use crate::parent::client::Response;
use crate::parent::client::connection::give_back;
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::upload::{Upload, UploadChannel};

/// How much longer than its deadline an operation waits for the daemon's own word of
/// that, which says how far it has come. That takes a millisecond or two where the daemon
/// is not stopped and the machine has not much else to do.
const DAEMONS_WORD: Duration = Duration::from_millis(40);

/// An operation that has been sent; a future of its answer. Dropping it cancels the
/// operation.
#[derive(Debug)]
pub(crate) struct Submitted {
    id: u64,
    receiver: oneshot::Receiver<Result<Response>>,
    pending: Arc<PendingCalls>,
    outbox: Outbox<pb::SessionRequest>,
    state: SubmittedState,
}

#[derive(Debug, PartialEq, Eq)]
enum SubmittedState {
    Waiting,
    Answered,
}

impl Submitted {
    pub(super) fn new(
        id: u64,
        receiver: oneshot::Receiver<Result<Response>>,
        pending: Arc<PendingCalls>,
        outbox: Outbox<pb::SessionRequest>,
    ) -> Self {
        Submitted { id, receiver, pending, outbox, state: SubmittedState::Waiting }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Fails with [`ErrorKind::Timeout`] unless it is answered in time. The timer runs
    /// on `keeper`, so that it needs neither the runtime of who waits nor that of the
    /// connection, which may not be driven at the moment.
    pub(super) fn expire_after(&self, deadline: Duration, keeper: &Runtime) {
        let (id, pending, outbox) = (self.id, Arc::clone(&self.pending), self.outbox.clone());
        let timer = keeper.spawn(async move {
            tokio::time::sleep(deadline.saturating_add(DAEMONS_WORD)).await;
            let error = Error::new(ErrorKind::Timeout, format!("there was no answer within {deadline:?}"))
                .advise("nor did the daemon say what becomes of the call: it may be stopped, or have much to do");
            pending.abandon(id, &outbox, Some(error));
        });
        let handle = timer.abort_handle();
        if self.pending.with(id, |waiting| waiting.timer = Some(handle)).is_none() {
            // It is answered already.
            timer.abort();
        }
    }

    /// Starts to send the streams among its arguments, on `runtime`.
    pub(super) fn send_streams(
        &self,
        streams: Vec<ItemSource<'static>>,
        message_limit: usize,
        runtime: &Runtime,
    ) {
        let large = Arc::default();
        let way = UploadChannel { id: self.id, outbox: self.outbox.clone(), message_limit, large };
        let start =
            |(source, number)| (number, Upload::start(runtime, way.clone(), number, source));
        let uploads = streams.into_iter().zip(0..).map(start).collect();
        // If it is answered already they end at once; neither they nor what was there
        // before are dropped under the lock.
        drop(
            self.pending.with(self.id, |waiting| std::mem::replace(&mut waiting.uploads, uploads)),
        );
    }

    /// Lets it go on without waiting for it.
    pub(super) fn forget(mut self) {
        self.state = SubmittedState::Answered;
        drop(self.pending.with(self.id, std::mem::take));
    }
}

impl Future for Submitted {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.receiver).poll(cx));
        self.state = SubmittedState::Answered;
        // The sender is dropped unused only with the task that reads the answers.
        let ended = || {
            Error::new(
                ErrorKind::RuntimeEnded,
                "the async runtime ended in the middle of the answer",
            )
        };
        Poll::Ready(answer.unwrap_or_else(|_| Err(ended())))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        if self.state == SubmittedState::Answered || self.pending.is_copy() {
            return;
        }
        self.receiver.close();
        match self.receiver.try_recv() {
            // The answer came before the drop, and nobody has looked at it.
            Ok(answer) => give_back(&self.pending, &self.outbox, answer.ok()),
            Err(_) => self.pending.abandon(self.id, &self.outbox, None),
        }
    }
}
