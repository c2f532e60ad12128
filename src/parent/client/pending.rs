//! The operations that wait for their responses.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Inbound, Window};
use crate::common::value::Handle;
use crate::parent::client::response::Response;
use crate::parent::client::upload::Upload;

/// How long a closed connection waits for the report of how the other end has ended,
/// which explains more than the connection's own error. Callers learn of a connection
/// that broke within 0.5 s.
const EXIT_REPORT_TIMEOUT: Duration = Duration::from_millis(400);

/// The same for a daemon that ends in order. It closes the connections first, and may
/// have other clients to answer.
const ENDING_REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// How many operations may be in flight in one session.
const MAX_IN_FLIGHT: usize = 65_536;

/// The operations of one session that were sent and have not been answered.
#[derive(Debug)]
pub(crate) struct PendingCalls {
    table: Mutex<PendingTable>,
    failed: CancellationToken,
    /// Cancelled when the daemon begins to end in order.
    ending: CancellationToken,
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
    /// Cancelled when no operation is in flight.
    when_empty: Option<CancellationToken>,
}

/// One operation. Its entry stays until the response has arrived, even if nobody waits
/// for that or for its items any more, so that the number of operations in flight is
/// bounded.
#[derive(Debug, Default)]
pub(crate) struct PendingCall {
    /// Delivers the response to its waiter.
    pub(crate) response: Option<oneshot::Sender<Result<Response>>>,
    /// Where the items go, after it has returned a stream.
    pub(crate) inbound: Option<Arc<Inbound>>,
    /// The streams among its arguments, by number.
    pub(super) uploads: HashMap<u64, Upload>,
    /// Whether its response has arrived, and is being decoded.
    pub(crate) is_answered: bool,
    /// Whether the interpreter has said that it has begun.
    pub(crate) is_begun: bool,
    /// Fails it at its deadline.
    pub(crate) timer: Option<AbortHandle>,
    /// How many items of a stream may be in flight.
    pub(crate) window: Window,
    /// Its timeout, once that has passed and whoever carries it out has been told.
    pub(crate) expired: Option<Duration>,
    /// What its answer is, if the answer does not say so itself.
    pub(crate) expected: Expected,
}

/// What the answer to an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    #[default]
    Value,
    /// Items of an iterator, and whether it has ended.
    Items,
    Description,
}

/// What carries operations: the session, or the door to an interpreter.
pub(crate) trait Carrier: fmt::Debug + Send + Sync {
    /// Reports that nobody waits for an operation any more, or for its stream. The other
    /// end has been told already if the operation `is_expired`.
    fn cancel(&self, pending: &Arc<PendingCalls>, id: u64, is_expired: bool);

    /// Releases an object `count` times, without waiting for the response. If the daemon
    /// has ended, so has the object.
    fn release(&self, pending: &Arc<PendingCalls>, handle: &Handle, count: u64);
}

/// The id of a new operation, and the receiver of its response.
pub(crate) type RegisteredCall = (u64, oneshot::Receiver<Result<Response>>);

impl PendingCalls {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(PendingCalls {
            table: Mutex::default(),
            failed: CancellationToken::new(),
            ending: CancellationToken::new(),
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
    pub(crate) fn register(&self) -> Result<RegisteredCall> {
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

    /// Returns an id for an operation whose response says nothing, so that nothing is
    /// kept until it arrives. `None` if the session has failed.
    pub(crate) fn unawaited_id(&self) -> Option<u64> {
        let mut table = self.table();
        table.failed.is_none().then(|| table.next_id())
    }

    /// Registers an operation whose response nobody waits for, and returns its id. It
    /// does not count towards the limit. `None` if the session has failed.
    pub(crate) fn register_unawaited(&self) -> Option<u64> {
        let mut table = self.table();
        table.failed.is_none().then(|| table.insert(PendingCall::default()))
    }

    /// Delivers the response to its waiter; returns it if nobody is waiting.
    pub(crate) fn complete(&self, id: u64, response: Result<Response>) -> Option<Response> {
        match self.claim(id) {
            Some(claimed) => claimed.complete(response),
            None => response.ok(),
        }
    }

    /// Removes an operation whose response has arrived from the table. From then on
    /// nothing else can complete it.
    pub(crate) fn claim(&self, id: u64) -> Option<ClaimedCall> {
        self.remove(id, |_| true)
    }

    /// Does the same, unless the response [is being decoded](PendingCalls::begin_answer).
    #[cfg(feature = "python")]
    pub(crate) fn claim_unanswered(&self, id: u64) -> Option<ClaimedCall> {
        self.remove(id, |call| !call.is_answered)
    }

    /// Notes that the response to an operation has arrived, and returns what it is.
    /// Until it is decoded and the operation claimed, it may still fail at its deadline.
    /// `None` if there is no such operation, or if it has been answered already.
    #[cfg(feature = "python")]
    pub(crate) fn begin_answer(&self, id: u64) -> Option<Expected> {
        let begin = |call: &mut PendingCall| {
            let was_answered = std::mem::replace(&mut call.is_answered, true);
            (!was_answered).then_some(call.expected)
        };
        self.with(id, begin).flatten()
    }

    fn remove(&self, id: u64, is_meant: impl FnOnce(&PendingCall) -> bool) -> Option<ClaimedCall> {
        let mut table = self.table();
        let Entry::Occupied(entry) = table.calls.entry(id) else { return None };
        if !is_meant(entry.get()) {
            return None;
        }
        let call = entry.remove();
        table.notify_if_empty();
        drop(table);
        call.timer.as_ref().inspect(|timer| timer.abort());
        Some(ClaimedCall(call))
    }

    /// Changes an operation that is in flight.
    ///
    /// `change` must return what it removes: the caller's streams and proxies must not be
    /// dropped under the lock, because their drops release objects.
    pub(crate) fn with<T>(&self, id: u64, change: impl FnOnce(&mut PendingCall) -> T) -> Option<T> {
        let mut table = self.table();
        // If there is no such operation, the lock is released before `change` and its
        // captures are dropped.
        let call = table.calls.get_mut(&id)?;
        Some(change(call))
    }

    /// Whether this process is a copy, made by `fork`, of the one that opened the
    /// session.
    pub(crate) fn is_forked_copy(&self) -> bool {
        self.owner != std::process::id()
    }

    /// Refuses every new operation with `error`, or with the first error that was given.
    /// Operations in flight may still complete.
    pub(crate) fn refuse(&self, error: &Error) {
        self.table().failed.get_or_insert_with(|| error.clone());
    }

    /// Refuses every new operation, and fails those in flight.
    pub(crate) fn fail(&self, error: &Error) {
        let (calls, error) = {
            let mut table = self.table();
            let error = table.failed.get_or_insert_with(|| error.clone()).clone();
            let calls = std::mem::take(&mut table.calls);
            table.notify_if_empty();
            (calls, error.advise("the call may have been carried out"))
        };
        self.failed.cancel();
        for call in calls.into_values() {
            call.timer.as_ref().inspect(|timer| timer.abort());
            drop(ClaimedCall(call).complete(Err(error.clone())));
        }
    }

    /// Whether [`fail`](PendingCalls::fail) has been called, or new operations are
    /// refused.
    #[cfg(feature = "python")]
    pub(crate) fn has_failed(&self) -> bool {
        self.table().failed.is_some()
    }

    /// Notes that the daemon begins to end in order.
    pub(crate) fn note_ending(&self) {
        self.ending.cancel();
    }

    /// After the connection was closed: waits until [`fail`](PendingCalls::fail) is
    /// called with how the other end has ended. Returns `false` if it has not been in
    /// time. Must be called on the keeper.
    pub(crate) async fn end_reported(&self) -> bool {
        let failed = || self.failed.cancelled();
        timeout(EXIT_REPORT_TIMEOUT, failed()).await.is_ok()
            || (self.ending.is_cancelled()
                && timeout(ENDING_REPORT_TIMEOUT, failed()).await.is_ok())
    }

    #[cfg(feature = "python")]
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_cancelled()
    }

    /// Waits until the daemon begins to end in order.
    #[cfg(feature = "python")]
    pub(crate) async fn ending(&self) {
        self.ending.cancelled().await;
    }

    pub(crate) fn set_drained(&self) {
        self.drained.cancel();
    }

    /// Waits until the connection has been read to its end.
    pub(crate) async fn drained(&self) {
        self.drained.cancelled().await;
    }

    /// Cancels an operation, and fails it with `error` if somebody still waits.
    pub(crate) fn abandon(self: &Arc<Self>, id: u64, carrier: &dyn Carrier, error: Option<Error>) {
        let take = |call: &mut PendingCall| {
            // What its response needs, to release the objects in it, and what tells how
            // far it is.
            let PendingCall { is_answered, is_begun, expected, .. } = *call;
            let rest = PendingCall { is_answered, is_begun, expected, ..PendingCall::default() };
            std::mem::replace(call, rest)
        };
        let Some(call) = self.with(id, take) else { return };
        if call.response.is_none() && call.inbound.is_none() {
            return;
        }
        call.timer.as_ref().inspect(|timer| timer.abort());
        carrier.cancel(self, id, call.expired.is_some());
        if let Some(error) = error {
            drop(ClaimedCall(call).complete(Err(error)));
        }
    }

    /// How many operations have not been answered.
    #[cfg(feature = "python")]
    pub(crate) fn len(&self) -> usize {
        self.table().calls.len()
    }

    /// Whether an interpreter carries out this operation, as far as this end knows. The
    /// interpreter says so of each that it begins, if it `says_all`; otherwise, of those
    /// that others overtake, and carries out the rest in order.
    #[cfg(feature = "python")]
    pub(crate) fn is_running(&self, id: u64, says_all: bool) -> bool {
        let table = self.table();
        match table.calls.get(&id) {
            None => false,
            Some(call) if call.is_answered => false,
            Some(call) if call.is_begun => true,
            Some(_) if says_all => false,
            Some(_) => {
                let is_waiting = |call: &PendingCall| !call.is_begun && !call.is_answered;
                let waiting = table.calls.iter().filter(|(_, call)| is_waiting(call));
                waiting.map(|(id, _)| *id).min() == Some(id)
            }
        }
    }

    /// Cancels the token as soon as no operation is in flight.
    #[cfg(feature = "python")]
    pub(crate) fn notify_when_empty(&self, token: CancellationToken) {
        let mut table = self.table();
        table.when_empty = Some(token);
        table.notify_if_empty();
    }

    fn table(&self) -> MutexGuard<'_, PendingTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingTable {
    fn notify_if_empty(&self) {
        if self.calls.is_empty()
            && let Some(token) = &self.when_empty
        {
            token.cancel();
        }
    }

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
pub(crate) struct ClaimedCall(PendingCall);

impl ClaimedCall {
    #[cfg(feature = "python")]
    pub(crate) fn expected(&self) -> Expected {
        self.0.expected
    }

    /// Its timeout, if that has passed.
    #[cfg(feature = "python")]
    pub(crate) fn expired(&self) -> Option<Duration> {
        self.0.expired
    }

    /// Delivers the response; returns it if nobody is waiting any more. For a call that
    /// has returned a stream, the response is the end of that stream.
    pub(crate) fn complete(self, response: Result<Response>) -> Option<Response> {
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

    #[cfg(feature = "python")]
    #[tokio::test]
    async fn first_that_has_not_begun_runs_unless_each_is_reported() {
        let pending = PendingCalls::new();
        let [(first, _a), (second, _b), (third, _c)] =
            [(); 3].map(|()| pending.register().expect("the session is open"));
        let running = |says_all| [first, second, third].map(|id| pending.is_running(id, says_all));
        assert_eq!(running(false), [true, false, false]);
        assert_eq!(running(true), [false; 3]);
        pending.with(first, |call| call.is_begun = true);
        assert_eq!(running(false), [true, true, false]);
        assert_eq!(running(true), [true, false, false]);
        drop(pending.claim(second));
        assert_eq!(running(false), [true, false, true]);
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
