//! An operation that was sent.

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
use crate::parent::client::pending::{Carrier, PendingCalls};
use crate::parent::client::release::release_unclaimed;
use crate::parent::client::response::Response;
use crate::parent::client::upload::{Upload, UploadChannel};

/// How much longer than its timeout an operation waits for the daemon's own report of the
/// timeout, which says how far the call had come. That report takes 1 ms or 2 ms, unless
/// the daemon is stopped or the machine is busy.
pub(crate) const TIMEOUT_REPORT_DELAY: Duration = Duration::from_millis(40);

/// An operation that was sent; a future of its response. Dropping it cancels the
/// operation.
#[derive(Debug)]
pub(crate) struct Submitted {
    id: u64,
    receiver: oneshot::Receiver<Result<Response>>,
    pending: Arc<PendingCalls>,
    carrier: Arc<dyn Carrier>,
    state: SubmittedState,
}

#[derive(Debug, PartialEq, Eq)]
enum SubmittedState {
    Waiting,
    Answered,
}

impl Submitted {
    /// Registers a new operation, which the caller then sends.
    ///
    /// # Errors
    ///
    /// As [`PendingCalls::register`].
    pub(crate) fn register(pending: &Arc<PendingCalls>, carrier: Arc<dyn Carrier>) -> Result<Self> {
        let (id, receiver) = pending.register()?;
        Ok(Submitted {
            id,
            receiver,
            pending: Arc::clone(pending),
            carrier,
            state: SubmittedState::Waiting,
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Fails the operation with [`ErrorKind::Timeout`] unless it completes in time.
    ///
    /// The timer runs on `keeper`, because neither the waiter's runtime nor that of the
    /// connection may be driven at the moment.
    pub(super) fn expire_after(&self, timeout: Duration, keeper: &Runtime) {
        let (id, pending, carrier) = (self.id, Arc::clone(&self.pending), self.carrier.clone());
        let timer = keeper.spawn(async move {
            tokio::time::sleep(timeout.saturating_add(TIMEOUT_REPORT_DELAY)).await;
            let message = format!("no response within {timeout:?}");
            let advice = "the daemon did not report what became of the call: it may be stopped or \
                          overloaded";
            let error = Error::new(ErrorKind::Timeout, message).advise(advice);
            pending.abandon(id, &*carrier, Some(error));
        });
        let handle = timer.abort_handle();
        if self.pending.with(id, |call| call.timer = Some(handle)).is_none() {
            // It has completed meanwhile.
            timer.abort();
        }
    }

    /// Starts to send the streams among its arguments, on `runtime`.
    pub(super) fn send_streams(
        &self,
        streams: Vec<ItemSource<'static>>,
        outbox: &Outbox<pb::SessionRequest>,
        message_limit: usize,
        runtime: &Runtime,
    ) {
        let large = Arc::default();
        let channel = UploadChannel { id: self.id, outbox: outbox.clone(), message_limit, large };
        let start =
            |(source, number)| (number, Upload::start(runtime, channel.clone(), number, source));
        let uploads = streams.into_iter().zip(0..).map(start).collect();
        // If the operation has completed, the uploads end at once. Neither they nor the
        // previous ones are dropped under the lock.
        drop(self.pending.with(self.id, |call| std::mem::replace(&mut call.uploads, uploads)));
    }
}

impl Future for Submitted {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.receiver).poll(cx));
        self.state = SubmittedState::Answered;
        // Only the end of the task that reads the responses drops the sender unused.
        let runtime_ended = || {
            let message = "the async runtime ended while the response was being read";
            Err(Error::new(ErrorKind::RuntimeEnded, message))
        };
        Poll::Ready(response.unwrap_or_else(|_| runtime_ended()))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        if self.state == SubmittedState::Answered || self.pending.is_forked_copy() {
            return;
        }
        self.receiver.close();
        match self.receiver.try_recv() {
            // The response arrived before the drop, and was not read.
            Ok(response) => release_unclaimed(&self.pending, &*self.carrier, response.ok()),
            Err(_) => self.pending.abandon(self.id, &*self.carrier, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted() -> (Arc<PendingCalls>, Submitted) {
        let (pending, (outbox, _)) = (PendingCalls::new(), Outbox::<pb::SessionRequest>::new());
        let submitted =
            Submitted::register(&pending, Arc::new(outbox)).expect("the session is open");
        (pending, submitted)
    }

    #[tokio::test]
    async fn dropped_operation_stays_until_its_response_arrives() {
        let (pending, submitted) = submitted();
        let id = submitted.id();
        drop(submitted);
        assert!(pending.with(id, |call| call.response.is_none()).expect("it is in flight"));
        assert!(pending.complete(id, Ok(Response::Done)).is_some(), "nobody waits for it");
        assert!(pending.with(id, |_| ()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn timeout_has_its_own_kind() {
        let (_pending, submitted) = submitted();
        submitted.expire_after(Duration::from_secs(5), &Runtime::current());
        let error = submitted.await.expect_err("there is no response");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(
            error.to_string(),
            "no response within 5s; the daemon did not report what became of the call: it \
             may be stopped or overloaded"
        );
    }
}
