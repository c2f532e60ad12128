//! The operations that wait for their responses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::Inbound;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, pb};
use crate::parent::client::response::Response;
use crate::parent::client::upload::Upload;

/// How many operations may be in flight in one session.
const MAX_IN_FLIGHT: usize = 65_536;

/// The operations of one session that were sent and have not been answered.
#[derive(Debug)]
pub(super) struct PendingCalls {
    table: Mutex<PendingTable>,
    failed: CancellationToken,
    /// Cancelled when the connection has been read to its end.
    drained: CancellationToken,
    /// The process that opened the session. In a copy of it made by `fork`, the locks may
    /// be held by threads that do not exist there.
    owner: u32,
}

#[derive(Debug, Default)]
struct PendingTable {
    calls: HashMap<u64, PendingCall>,
    last_id: u64,
    failed: Option<Error>,
}

/// One operation. Its entry stays until the response has arrived, even if nobody waits
/// for that or for its items any more, so that the number of operations in flight is
/// bounded.
#[derive(Debug, Default)]
pub(super) struct PendingCall {
    /// Delivers the response to its waiter.
    pub(super) response: Option<oneshot::Sender<Result<Response>>>,
    /// Where the items go, after it has returned a stream.
    pub(super) inbound: Option<Arc<Inbound>>,
    /// The streams among its arguments, by number.
    pub(super) uploads: HashMap<u64, Upload>,
    /// Fails it at its deadline.
    pub(super) timer: Option<AbortHandle>,
    /// How many items of a stream may be in flight.
    pub(super) window: u32,
}

/// The id of a new operation, and the receiver of its response.
pub(super) type RegisteredCall = (u64, oneshot::Receiver<Result<Response>>);

impl PendingCalls {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(PendingCalls {
            table: Mutex::default(),
            failed: CancellationToken::new(),
            drained: CancellationToken::new(),
            owner: std::process::id(),
        })
    }

    /// Registers a new operation.
    ///
    /// # Errors
    ///
    /// The reason why the session has failed, if it has; [`ErrorKind::Limit`] if too many
    /// operations are in flight.
    pub(super) fn register(&self) -> Result<RegisteredCall> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.table();
        if let Some(error) = &table.failed {
            return Err(error.clone().advise("nothing was sent; start a new daemon"));
        }
        if table.calls.len() >= MAX_IN_FLIGHT {
            let message = format!("{MAX_IN_FLIGHT} calls are already in flight");
            let advice = "wait until some of them have returned";
            return Err(Error::new(ErrorKind::Limit, message).advise(advice));
        }
        let call = PendingCall { response: Some(sender), ..PendingCall::default() };
        Ok((table.insert(call), receiver))
    }

    /// Returns an id for an operation whose response says nothing, so that nothing is kept
    /// until it arrives. `None` if the session has failed.
    pub(super) fn unawaited_id(&self) -> Option<u64> {
        let mut table = self.table();
        table.failed.is_none().then(|| table.next_id())
    }

    /// Delivers the response to its waiter; returns it if nobody is waiting.
    pub(super) fn complete(&self, id: u64, response: Result<Response>) -> Option<Response> {
        match self.claim(id) {
            Some(claimed) => claimed.complete(response),
            None => response.ok(),
        }
    }

    /// Removes an operation whose response has arrived from the table. From then on
    /// nothing else can complete it.
    pub(super) fn claim(&self, id: u64) -> Option<ClaimedCall> {
        let call = self.table().calls.remove(&id)?;
        call.timer.as_ref().inspect(|timer| timer.abort());
        Some(ClaimedCall(call))
    }

    /// Changes an operation that is in flight.
    ///
    /// `change` must return what it removes: the caller's streams and proxies must not be
    /// dropped under the lock, because their drops release objects.
    pub(super) fn with<T>(&self, id: u64, change: impl FnOnce(&mut PendingCall) -> T) -> Option<T> {
        let mut table = self.table();
        // If there is no such operation, the lock is released before `change` and its
        // captures are dropped.
        let call = table.calls.get_mut(&id)?;
        Some(change(call))
    }

    /// Whether this process is a copy, made by `fork`, of the one that opened the
    /// session.
    pub(super) fn is_forked_copy(&self) -> bool {
        self.owner != std::process::id()
    }

    /// Refuses every new operation with `error`, or with the first error that was given.
    /// Operations in flight may still complete.
    pub(super) fn refuse(&self, error: &Error) {
        self.table().failed.get_or_insert_with(|| error.clone());
    }

    /// Refuses every new operation, and fails those in flight.
    pub(super) fn fail(&self, error: &Error) {
        let (calls, error) = {
            let mut table = self.table();
            let error = table.failed.get_or_insert_with(|| error.clone()).clone();
            (std::mem::take(&mut table.calls), error.advise("the call may have been carried out"))
        };
        self.failed.cancel();
        for call in calls.into_values() {
            call.timer.as_ref().inspect(|timer| timer.abort());
            drop(ClaimedCall(call).complete(Err(error.clone())));
        }
    }

    /// Waits until [`fail`](PendingCalls::fail) is called.
    pub(super) async fn failed(&self) {
        self.failed.cancelled().await;
    }

    pub(super) fn set_drained(&self) {
        self.drained.cancel();
    }

    /// Waits until the connection has been read to its end.
    pub(super) async fn drained(&self) {
        self.drained.cancelled().await;
    }

    /// Cancels an operation, and fails it with `error` if somebody still waits.
    pub(super) fn abandon(
        &self,
        id: u64,
        outbox: &Outbox<pb::SessionRequest>,
        error: Option<Error>,
    ) {
        let Some(call) = self.with(id, std::mem::take) else { return };
        if call.response.is_none() && call.inbound.is_none() {
            return;
        }
        call.timer.as_ref().inspect(|timer| timer.abort());
        // Some chunks of a detached message may have been sent; the cancel covers those.
        let _ = outbox.withdraw(id);
        outbox.send(pb::SessionRequest {
            id,
            operation: Some(Operation::Cancel(pb::Cancel {})),
            detached: 0,
        });
        if let Some(error) = error {
            drop(ClaimedCall(call).complete(Err(error)));
        }
    }

    fn table(&self) -> MutexGuard<'_, PendingTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingTable {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn insert(&mut self, call: PendingCall) -> u64 {
        let id = self.next_id();
        self.calls.insert(id, call);
        id
    }
}

/// An operation whose response has arrived and may not have been decoded yet.
#[derive(Debug)]
pub(super) struct ClaimedCall(PendingCall);

impl ClaimedCall {
    /// Delivers the response; returns it if nobody is waiting any more. For a call that
    /// has returned a stream, the response is the end of that stream.
    pub(super) fn complete(self, response: Result<Response>) -> Option<Response> {
        match (self.0.inbound, self.0.response) {
            (Some(inbound), _) => {
                inbound.end(response.map(drop));
                None
            }
            (None, Some(waiter)) => waiter.send(response).err().and_then(Result::ok),
            (None, None) => response.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn response_reaches_its_waiter() {
        let pending = PendingCalls::new();
        let [(_, mut first), (id, second)] =
            [(); 2].map(|()| pending.register().expect("the session is open"));
        assert!(pending.complete(id, Ok(Response::Done)).is_none());
        assert!(matches!(second.await, Ok(Ok(Response::Done))));
        assert!(first.try_recv().is_err(), "it has not been answered");
    }

    #[tokio::test]
    async fn failure_reaches_operations_in_flight_and_later_ones() {
        let pending = PendingCalls::new();
        let (_, waiting) = pending.register().expect("the session is open");
        pending.fail(&Error::new(ErrorKind::Closed, "it is over"));
        let error = waiting.await.expect("it is answered").expect_err("it failed");
        assert_eq!(error.to_string(), "it is over; the call may have been carried out");
        let error = pending.register().expect_err("the session has failed");
        assert_eq!(error.to_string(), "it is over; nothing was sent; start a new daemon");
        assert_eq!(pending.unawaited_id(), None);
    }

    #[tokio::test]
    async fn number_of_operations_in_flight_is_limited() {
        let pending = PendingCalls::new();
        let all: Vec<_> =
            (0..MAX_IN_FLIGHT).map(|_| pending.register().expect("there is room")).collect();
        let error = pending.register().expect_err("it is full");
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(pending.unawaited_id().is_some(), "a release is never refused");
        drop(all);
    }
}
