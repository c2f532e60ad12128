//! The operations that wait for their answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::Inbound;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, pb};
use crate::parent::client::upload::Upload;
use crate::parent::client::{Response, Submitted};

/// How many operations may be in flight in one session.
const MAX_IN_FLIGHT: usize = 65_536;

/// The operations of one session that have been sent and not answered.
#[derive(Debug)]
pub(super) struct PendingCalls {
    table: Mutex<PendingTable>,
    failed: CancellationToken,
    /// The connection has been read to its end.
    read_out: CancellationToken,
    /// The process that it belongs to. In a copy made by `fork` the locks may be held by
    /// threads that the copy does not have.
    owner: u32,
}

#[derive(Debug, Default)]
struct PendingTable {
    waiting: HashMap<u64, PendingCall>,
    last: u64,
    failed: Option<Error>,
}

/// One operation. Where neither its answer nor its items are wanted any more the entry
/// stays until it is answered, so that what is in flight is bounded.
#[derive(Debug, Default)]
pub(super) struct PendingCall {
    /// Who waits for the answer.
    pub(super) answer: Option<oneshot::Sender<Result<Response>>>,
    /// Where the items go, once it has returned a stream.
    pub(super) inbound: Option<Arc<Inbound>>,
    /// The streams among its arguments, by their numbers.
    pub(super) uploads: HashMap<u64, Upload>,
    /// What ends it at its deadline.
    pub(super) timer: Option<AbortHandle>,
    /// How many items of a stream may be under way.
    pub(super) window: u32,
}

impl PendingCalls {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(PendingCalls {
            table: Mutex::default(),
            failed: CancellationToken::new(),
            read_out: CancellationToken::new(),
            owner: std::process::id(),
        })
    }

    /// # Errors
    ///
    /// Why the session has failed, if it has; [`ErrorKind::Limit`] if too much is in
    /// flight.
    pub(super) fn register(
        self: &Arc<Self>,
        outbox: &Outbox<pb::SessionRequest>,
    ) -> Result<Submitted> {
        if self.table().waiting.len() >= MAX_IN_FLIGHT {
            let message = format!("{MAX_IN_FLIGHT} calls are in flight already");
            return Err(Error::new(ErrorKind::Limit, message).advise("wait for some of them first"));
        }
        self.register_beyond_limit(outbox)
    }

    /// For what must not be refused for its number: a release.
    pub(super) fn register_beyond_limit(
        self: &Arc<Self>,
        outbox: &Outbox<pb::SessionRequest>,
    ) -> Result<Submitted> {
        let mut table = self.table();
        if let Some(error) = &table.failed {
            return Err(error.clone().advise("nothing was sent; make a new daemon"));
        }
        table.last += 1;
        let id = table.last;
        let (sender, receiver) = oneshot::channel();
        table.waiting.insert(id, PendingCall { answer: Some(sender), ..PendingCall::default() });
        drop(table);
        Ok(Submitted::new(id, receiver, Arc::clone(self), outbox.clone()))
    }

    /// Hands an answer to who waits for it; gives it back if nobody does.
    pub(super) fn answer(&self, id: u64, answer: Result<Response>) -> Option<Response> {
        match self.claim(id) {
            Some(claimed) => claimed.answer(answer),
            None => answer.ok(),
        }
    }

    /// Takes who waits for an answer that has come out of the table: from now on nothing
    /// else can answer or fail it.
    pub(super) fn claim(&self, id: u64) -> Option<ClaimedCall> {
        let waiting = self.table().waiting.remove(&id)?;
        waiting.timer.as_ref().inspect(|timer| timer.abort());
        Some(ClaimedCall(waiting))
    }

    /// Does something with an operation that is in flight. What it takes out it gives
    /// back: streams and proxies of the caller's must not be dropped under the lock,
    /// because their drops release objects.
    pub(super) fn with<T>(&self, id: u64, change: impl FnOnce(&mut PendingCall) -> T) -> Option<T> {
        let mut table = self.table();
        // The lock is let go before `change` and what is in it, also where there is
        // nothing to change.
        let waiting = table.waiting.get_mut(&id)?;
        Some(change(waiting))
    }

    /// Whether this is a copy, made by `fork`, of the process that the session belongs
    /// to.
    pub(super) fn is_copy(&self) -> bool {
        self.owner != std::process::id()
    }

    /// Refuses every operation from now on, for the reason that was given first. What is
    /// in flight may still be answered.
    pub(super) fn refuse(&self, error: &Error) {
        self.table().failed.get_or_insert_with(|| error.clone());
    }

    /// Refuses every operation from now on, and fails what is in flight.
    pub(super) fn fail(&self, error: &Error) {
        let (waiting, error) = {
            let mut table = self.table();
            let error = table.failed.get_or_insert_with(|| error.clone()).clone();
            (std::mem::take(&mut table.waiting), error.advise("the call may have been carried out"))
        };
        self.failed.cancel();
        for waiting in waiting.into_values() {
            waiting.timer.as_ref().inspect(|timer| timer.abort());
            drop(ClaimedCall(waiting).answer(Err(error.clone())));
        }
    }

    /// Waits until somebody has said why no answer will come.
    pub(super) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    pub(super) fn note_read_out(&self) {
        self.read_out.cancel();
    }

    /// Waits until the connection has been read to its end.
    pub(super) async fn read_out(&self) {
        self.read_out.cancelled().await;
    }

    /// Gives up waiting for `id`, for the reason given.
    pub(super) fn abandon(
        &self,
        id: u64,
        outbox: &Outbox<pb::SessionRequest>,
        error: Option<Error>,
    ) {
        let Some(waiting) = self.with(id, std::mem::take) else { return };
        if waiting.answer.is_none() && waiting.inbound.is_none() {
            return;
        }
        waiting.timer.as_ref().inspect(|timer| timer.abort());
        // Some of a detached message may have gone already; the cancel is for that.
        let _ = outbox.withdraw(id);
        outbox.send(pb::SessionRequest {
            id,
            operation: Some(Operation::Cancel(pb::Cancel {})),
            detached: 0,
        });
        if let Some(error) = error {
            drop(ClaimedCall(waiting).answer(Err(error)));
        }
    }

    fn table(&self) -> MutexGuard<'_, PendingTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for an answer that has come, and is not decoded yet.
#[derive(Debug)]
pub(super) struct ClaimedCall(PendingCall);

impl ClaimedCall {
    /// Hands the answer over; gives it back if whoever waited has gone this moment. That
    /// of a call which has returned a stream is its end.
    pub(super) fn answer(self, answer: Result<Response>) -> Option<Response> {
        match (self.0.inbound, self.0.answer) {
            (Some(inbound), _) => {
                inbound.end(answer.map(drop));
                None
            }
            (None, Some(waiting)) => waiting.send(answer).err().and_then(Result::ok),
            (None, None) => answer.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::runtime::Handle as Runtime;

    use super::*;

    fn pending() -> (Arc<PendingCalls>, Outbox<pb::SessionRequest>) {
        (PendingCalls::new(), Outbox::new().0)
    }

    #[tokio::test]
    async fn answer_reaches_who_waits_for_it() {
        let (pending, outbox) = pending();
        let [first, second] =
            [(); 2].map(|()| pending.register(&outbox).expect("nothing has failed"));
        assert!(pending.answer(second.id(), Ok(Response::Done)).is_none());
        assert!(matches!(second.await, Ok(Response::Done)));
        assert!(first.now_or_never().is_none(), "it is not answered");
    }

    #[tokio::test]
    async fn dropped_operation_stays_until_it_is_answered() {
        let (pending, outbox) = pending();
        let submitted = pending.register(&outbox).expect("nothing has failed");
        let id = submitted.id();
        drop(submitted);
        assert_eq!(pending.table().waiting.len(), 1);
        assert!(pending.answer(id, Ok(Response::Done)).is_some(), "nobody wants it");
        assert_eq!(pending.table().waiting.len(), 0);
    }

    #[tokio::test]
    async fn failure_reaches_all_that_wait_and_all_that_come() {
        let (pending, outbox) = pending();
        let waiting = pending.register(&outbox).expect("nothing has failed");
        pending.fail(&Error::new(ErrorKind::Closed, "it is over"));
        let error = waiting.await.expect_err("it failed");
        assert_eq!(error.to_string(), "it is over; the call may have been carried out");
        let error = pending.register(&outbox).expect_err("it is over");
        assert_eq!(error.to_string(), "it is over; nothing was sent; make a new daemon");
    }

    #[tokio::test(start_paused = true)]
    async fn deadline_has_its_own_kind() {
        let (pending, outbox) = pending();
        let submitted = pending.register(&outbox).expect("nothing has failed");
        submitted.expire_after(Duration::from_secs(5), &Runtime::current());
        assert_eq!(submitted.await.expect_err("nobody answers").kind(), ErrorKind::Timeout);
    }

    #[tokio::test]
    async fn too_many_in_flight_are_refused() {
        let (pending, outbox) = pending();
        let all: Vec<_> =
            (0..MAX_IN_FLIGHT).map(|_| pending.register(&outbox).expect("there is room")).collect();
        assert_eq!(pending.register(&outbox).expect_err("it is full").kind(), ErrorKind::Limit);
        drop(all);
    }
}
