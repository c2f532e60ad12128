//! Who has a place at a daemon, and who must give it up for another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::common::transport::read_turns::ReadTurns;

const UNPROVEN: u8 = 0;
const PROVEN: u8 = 1;
const EVICTED: u8 = 2;

/// The places of a daemon's clients.
///
/// If all are taken, a new client takes the place of the oldest one that has not proven
/// that it may be here. So silent clients cannot keep others out.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    unproven: Mutex<VecDeque<Weak<Proof>>>,
    /// Whether any client has proven that it may be here.
    somebody: Arc<AtomicBool>,
}

/// Whether a client has proven that it may be here: with the token on localhost, with a
/// request on a Unix socket. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Proof>);

#[derive(Debug)]
struct Proof {
    state: AtomicU8,
    evicted: CancellationToken,
    somebody: Arc<AtomicBool>,
    turns: ReadTurns,
    /// Woken once the client has proven itself.
    waiting: AtomicWaker,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Places {
            free: Arc::new(Semaphore::new(count)),
            unproven: Mutex::default(),
            somebody: Arc::default(),
        }
    }

    /// Whether any client has proven so far that it may be here.
    pub(super) fn has_let_in(&self) -> bool {
        self.somebody.load(Ordering::Acquire)
    }

    /// Takes a place for a new client, and waits if all others have proven themselves.
    pub(super) async fn take(&self) -> (OwnedSemaphorePermit, Admission) {
        let free = Arc::clone(&self.free);
        let place = match Arc::clone(&free).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                self.evict_oldest();
                free.acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        let admission = Admission::new(UNPROVEN, Arc::clone(&self.somebody));
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        unproven.retain(|proof| proof.upgrade().is_some_and(|proof| proof.is(UNPROVEN)));
        unproven.push_back(Arc::downgrade(&admission.0));
        (place, admission)
    }

    fn evict_oldest(&self) {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = unproven.pop_front() {
            if oldest.upgrade().is_some_and(|proof| proof.become_once(EVICTED)) {
                return;
            }
        }
    }
}

impl Admission {
    fn new(state: u8, somebody: Arc<AtomicBool>) -> Self {
        let evicted = CancellationToken::new();
        Admission(Arc::new(Proof {
            state: AtomicU8::new(state),
            evicted,
            somebody,
            turns: ReadTurns::default(),
            waiting: AtomicWaker::new(),
        }))
    }

    /// A client that has nothing to prove.
    pub(super) fn proven() -> Self {
        Admission::new(PROVEN, Arc::default())
    }

    /// Records that the client may be here.
    pub(crate) fn prove(&self) {
        if self.0.become_once(PROVEN) {
            self.0.somebody.store(true, Ordering::Release);
            self.0.waiting.wake();
        }
    }

    /// Whether the client has proven that it may be here; `waker` is woken if it does
    /// later.
    pub(super) fn is_proven_or_wakes(&self, waker: &Waker) -> bool {
        self.0.waiting.register(waker);
        self.is_proven()
    }

    pub(super) fn is_proven(&self) -> bool {
        self.0.is(PROVEN)
    }

    /// When all has been read that the client had sent.
    pub(crate) fn read_turns(&self) -> &ReadTurns {
        &self.0.turns
    }

    /// Waits until the client must give up its place.
    pub(super) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.0.evicted.clone().cancelled_owned()
    }
}

impl Proof {
    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    /// Leaves the first state; returns whether it was the first state until now.
    fn become_once(&self, state: u8) -> bool {
        let (set, get) = (Ordering::AcqRel, Ordering::Acquire);
        let changed = self.state.compare_exchange(UNPROVEN, state, set, get).is_ok();
        if changed && state == EVICTED {
            self.evicted.cancel();
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn oldest_unproven_client_goes_first() {
        let places = Places::new(3);
        let (first, first_admission) = places.take().await;
        assert!(!places.has_let_in());
        first_admission.prove();
        assert!(places.has_let_in());
        let (second, second_admission) = places.take().await;
        let (_third, third_admission) = places.take().await;
        assert!(second_admission.evicted().now_or_never().is_none());

        let mut fourth = std::pin::pin!(places.take());
        assert!((&mut fourth).now_or_never().is_none(), "the place is not free yet");
        assert!(second_admission.evicted().now_or_never().is_some());
        assert!(third_admission.evicted().now_or_never().is_none());
        second_admission.prove();
        assert!(!second_admission.is_proven(), "it is too late");
        drop(second);
        let (_fourth, fourth_admission) = fourth.await;

        third_admission.prove();
        fourth_admission.prove();
        let mut fifth = std::pin::pin!(places.take());
        assert!((&mut fifth).now_or_never().is_none(), "nobody can be evicted");
        drop(first);
        assert!(fifth.now_or_never().is_some());
    }
}
