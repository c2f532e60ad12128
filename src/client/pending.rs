//! The operations that wait for their answers.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Answer;
use crate::client::connection::give_back;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::pb::session_request::Operation;
use crate::wire::{Outbox, pb};

/// How many operations may be in flight in one session.
const MAX_IN_FLIGHT: usize = 65_536;

/// The operations of one session that have been sent and not answered.
#[derive(Debug)]
pub(super) struct Pending {
    table: Mutex<Table>,
    failed: CancellationToken,
    /// The connection has been read to its end.
    read_out: CancellationToken,
    /// The process that it belongs to. In a copy made by `fork` the locks may be held by threads that the copy does not have.
    owner: u32,
}

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<u64, Waiting>,
    last: u64,
    failed: Option<Error>,
}

#[derive(Debug)]
enum Waiting {
    /// Somebody waits.
    Wanted { sender: oneshot::Sender<Result<Answer>>, timer: Option<AbortHandle> },
    /// Nobody does; the id stays until it is answered, so that what is in flight is bounded.
    Abandoned,
}

/// An operation that has been sent; a future of its answer. Dropping it cancels the operation.
#[derive(Debug)]
pub(crate) struct Submitted {
    id: u64,
    /// Its arguments go out in chunks, which need not be sent if it is dropped.
    is_detached: bool,
    receiver: oneshot::Receiver<Result<Answer>>,
    pending: Arc<Pending>,
    outbox: Outbox<pb::SessionRequest>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Answered,
}

impl Pending {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Pending {
            table: Mutex::default(),
            failed: CancellationToken::new(),
            read_out: CancellationToken::new(),
            owner: std::process::id(),
        })
    }

    /// # Errors
    ///
    /// Why the session has failed, if it has; [`ErrorKind::Limit`] if too much is in flight.
    pub(super) fn register(self: &Arc<Self>, outbox: &Outbox<pb::SessionRequest>) -> Result<Submitted> {
        if self.table().waiting.len() >= MAX_IN_FLIGHT {
            let message = format!("{MAX_IN_FLIGHT} calls are in flight already");
            return Err(Error::new(ErrorKind::Limit, message).advise("wait for some of them first"));
        }
        self.register_beyond_limit(outbox)
    }

    /// For what must not be refused for its number: a release.
    pub(super) fn register_beyond_limit(self: &Arc<Self>, outbox: &Outbox<pb::SessionRequest>) -> Result<Submitted> {
        let mut table = self.table();
        if let Some(error) = &table.failed {
            return Err(error.clone().advise("nothing was sent; make a new daemon"));
        }
        table.last += 1;
        let id = table.last;
        let (sender, receiver) = oneshot::channel();
        table.waiting.insert(id, Waiting::Wanted { sender, timer: None });
        Ok(Submitted {
            id,
            is_detached: false,
            receiver,
            pending: Arc::clone(self),
            outbox: outbox.clone(),
            state: State::Waiting,
        })
    }

    /// Hands an answer to who waits for it; gives it back if nobody does.
    pub(super) fn answer(&self, id: u64, answer: Result<Answer>) -> Option<Answer> {
        match self.claim(id) {
            Some(claimed) => claimed.answer(answer),
            None => answer.ok(),
        }
    }

    /// Takes who waits for an answer that has come out of the table: from now on nothing else can answer or fail it.
    pub(super) fn claim(&self, id: u64) -> Option<Claimed> {
        match self.table().waiting.remove(&id)? {
            Waiting::Wanted { sender, timer } => {
                timer.inspect(AbortHandle::abort);
                Some(Claimed(sender))
            }
            Waiting::Abandoned => None,
        }
    }

    /// Refuses every operation from now on, for the reason that was given first. What is in flight may still be answered.
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
            if let Waiting::Wanted { sender, timer } = waiting {
                timer.inspect(AbortHandle::abort);
                let _ = sender.send(Err(error.clone()));
            }
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
    fn abandon(&self, id: u64, is_detached: bool, outbox: &Outbox<pb::SessionRequest>, error: Option<Error>) {
        let abandoned = match self.table().waiting.get_mut(&id) {
            Some(waiting) => std::mem::replace(waiting, Waiting::Abandoned),
            None => return,
        };
        let Waiting::Wanted { sender, timer } = abandoned else { return };
        timer.inspect(AbortHandle::abort);
        if is_detached {
            // Some of it may have gone already; the cancel is for that.
            let _ = outbox.withdraw(id);
        }
        outbox.send(pb::SessionRequest { id, operation: Some(Operation::Cancel(pb::Cancel {})), detached: 0 });
        if let Some(error) = error {
            let _ = sender.send(Err(error));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for an answer that has come, and is not decoded yet.
#[derive(Debug)]
pub(super) struct Claimed(oneshot::Sender<Result<Answer>>);

impl Claimed {
    /// Hands the answer over; gives it back if whoever waited has gone this moment.
    pub(super) fn answer(self, answer: Result<Answer>) -> Option<Answer> {
        self.0.send(answer).err().and_then(Result::ok)
    }
}

// === impl Submitted ===

impl Submitted {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Fails with [`ErrorKind::Deadline`] unless it is answered in time. The timer runs on `keeper`, so that it needs neither the runtime of who waits
    /// nor that of the connection, which may not be driven at the moment.
    pub(super) fn expire_after(&self, deadline: Duration, keeper: &Runtime) {
        let (id, is_detached) = (self.id, self.is_detached);
        let (pending, outbox) = (Arc::clone(&self.pending), self.outbox.clone());
        let timer = keeper.spawn(async move {
            tokio::time::sleep(deadline).await;
            let error = Error::new(ErrorKind::Deadline, format!("there was no answer within {deadline:?}"))
                .advise("a sync method that runs is not stopped by this, and keeps its object meanwhile");
            pending.abandon(id, is_detached, &outbox, Some(error));
        });
        match self.pending.table().waiting.get_mut(&self.id) {
            Some(Waiting::Wanted { timer: place, .. }) => *place = Some(timer.abort_handle()),
            // It is answered already.
            _ => timer.abort(),
        }
    }

    pub(super) fn note_detached(&mut self) {
        self.is_detached = true;
    }

    /// Lets it go on without waiting for it.
    pub(super) fn forget(mut self) {
        self.state = State::Answered;
        if let Some(waiting) = self.pending.table().waiting.get_mut(&self.id) {
            *waiting = Waiting::Abandoned;
        }
    }
}

impl Future for Submitted {
    type Output = Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.receiver).poll(cx));
        self.state = State::Answered;
        // The sender is dropped unused only with the task that reads the answers.
        let ended = || Error::new(ErrorKind::RuntimeEnded, "the async runtime ended in the middle of the answer");
        Poll::Ready(answer.unwrap_or_else(|_| Err(ended())))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        if self.state == State::Answered || self.pending.owner != std::process::id() {
            return;
        }
        self.receiver.close();
        match self.receiver.try_recv() {
            // The answer came before the drop, and nobody has looked at it.
            Ok(answer) => give_back(&self.pending, &self.outbox, answer.ok()),
            Err(_) => self.pending.abandon(self.id, self.is_detached, &self.outbox, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn pending() -> (Arc<Pending>, Outbox<pb::SessionRequest>) {
        (Pending::new(), Outbox::new().0)
    }

    #[tokio::test]
    async fn answer_reaches_who_waits_for_it() {
        let (pending, outbox) = pending();
        let [first, second] = [(); 2].map(|()| pending.register(&outbox).expect("nothing has failed"));
        assert!(pending.answer(second.id(), Ok(Answer::Done)).is_none());
        assert!(matches!(second.await, Ok(Answer::Done)));
        assert!(first.now_or_never().is_none(), "it is not answered");
    }

    #[tokio::test]
    async fn dropped_operation_stays_until_it_is_answered() {
        let (pending, outbox) = pending();
        let submitted = pending.register(&outbox).expect("nothing has failed");
        let id = submitted.id();
        drop(submitted);
        assert_eq!(pending.table().waiting.len(), 1);
        assert!(pending.answer(id, Ok(Answer::Done)).is_some(), "nobody wants it");
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
        assert_eq!(submitted.await.expect_err("nobody answers").kind(), ErrorKind::Deadline);
    }

    #[tokio::test]
    async fn too_many_in_flight_are_refused() {
        let (pending, outbox) = pending();
        let all: Vec<_> = (0..MAX_IN_FLIGHT).map(|_| pending.register(&outbox).expect("there is room")).collect();
        assert_eq!(pending.register(&outbox).expect_err("it is full").kind(), ErrorKind::Limit);
        drop(all);
    }
}
