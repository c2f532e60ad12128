//! How much memory a daemon holds for its clients, and who must go if that is too much.
//!
//! Counted is what a client makes a daemon hold as long as it likes: responses that it
//! does not read, messages that it does not finish, and the arguments of operations that
//! wait or run. The parent is not counted, as far as the kernel knows it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tracing::warn;

use crate::common::error::{Error, ErrorKind, Result};

/// How many messages as large as the limit a daemon holds for one connection: enough for
/// a call whose argument and result are that large, twice.
const MESSAGES_PER_CLIENT: usize = 4;

/// How many it holds for all of them together.
const MESSAGES: usize = 8;

/// A lower limit on messages counts as this many bytes, so that many small messages can
/// still be on their way.
const MIN_MESSAGE: usize = 16 * 1024 * 1024;

/// The memory that a daemon holds for its clients. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<BudgetShared>);

#[derive(Debug)]
struct BudgetShared {
    client_limit: usize,
    limit: usize,
    held: AtomicUsize,
    clients: Mutex<Vec<Weak<ClientShared>>>,
}

/// The memory that a daemon holds for one connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClientMemory(Arc<ClientShared>);

struct ClientShared {
    held: AtomicUsize,
    /// Whether the connection must be closed.
    is_evicted: AtomicBool,
    /// The task that carries the connection.
    connection: AtomicWaker,
    budget: MemoryBudget,
}

/// Counts memory as held until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldMemory {
    client: ClientMemory,
    bytes: AtomicUsize,
}

// === impl MemoryBudget ===

impl MemoryBudget {
    /// Creates the budget of a daemon with a limit on messages.
    pub(crate) fn new(message_limit: usize) -> Self {
        let message = message_limit.max(MIN_MESSAGE);
        MemoryBudget(Arc::new(BudgetShared {
            client_limit: message.saturating_mul(MESSAGES_PER_CLIENT),
            limit: message.saturating_mul(MESSAGES),
            held: AtomicUsize::new(0),
            clients: Mutex::default(),
        }))
    }

    /// Adds a connection.
    pub(super) fn client(&self) -> ClientMemory {
        let client = ClientMemory(Arc::new(ClientShared {
            held: AtomicUsize::new(0),
            is_evicted: AtomicBool::new(false),
            connection: AtomicWaker::new(),
            budget: self.clone(),
        }));
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(&client.0));
        client
    }

    /// Closes the connections that hold most, until the others hold no more than the
    /// limit. So a client that reads its responses never has to go for one that does not.
    fn make_room(&self) {
        let clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        // What those hold that are being closed will be given back.
        let mut staying: Vec<_> = clients
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|client| !client.is_evicted.load(Ordering::Acquire))
            .map(|client| (client.held.load(Ordering::Relaxed), client))
            .collect();
        drop(clients);
        let mut held: usize = staying.iter().map(|(held, _)| held).sum();
        staying.sort_by_key(|(held, _)| *held);
        while held > self.0.limit
            && let Some((most, client)) = staying.pop()
        {
            held -= most;
            if !client.is_evicted.swap(true, Ordering::AcqRel) {
                let limit = self.0.limit;
                warn!(
                    bytes = most,
                    limit,
                    "a connection is closed: the daemon held most for it, and too much in all"
                );
                client.connection.wake();
            }
        }
    }
}

// === impl ClientMemory ===

impl ClientMemory {
    /// Counts memory that is about to be taken for the client.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if the daemon would hold too much for it.
    pub(crate) fn hold(&self, bytes: usize) -> Result<HeldMemory> {
        let held = self.hold_anyway(0);
        held.grow(bytes)?;
        Ok(held)
    }

    /// Counts memory that has been taken for the client, however much it is.
    pub(crate) fn hold_anyway(&self, bytes: usize) -> HeldMemory {
        self.take(bytes);
        HeldMemory { client: self.clone(), bytes: AtomicUsize::new(bytes) }
    }

    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if the daemon would hold too much for the client with so many
    /// bytes more.
    pub(crate) fn check(&self, bytes: usize) -> Result<()> {
        let ClientShared { held, is_evicted, budget, .. } = &*self.0;
        if is_evicted.load(Ordering::Acquire) {
            let message = "the daemon is closing this connection, because it holds most for it";
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let (held, limit) =
            (held.load(Ordering::Relaxed).saturating_add(bytes), budget.0.client_limit);
        match held > limit {
            true => Err(too_much(held, limit)),
            false => Ok(()),
        }
    }

    /// Counts bytes as held until they are [given back](Self::give_back).
    pub(crate) fn take(&self, bytes: usize) {
        let ClientShared { held, budget, .. } = &*self.0;
        held.fetch_add(bytes, Ordering::Relaxed);
        let before = budget.0.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > budget.0.limit {
            budget.make_room();
        }
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.0.held.fetch_sub(bytes, Ordering::Relaxed);
        self.0.budget.0.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether the connection must be closed; `waker` is woken if it must later.
    pub(super) fn is_evicted(&self, waker: &Waker) -> bool {
        self.0.connection.register(waker);
        self.0.is_evicted.load(Ordering::Acquire)
    }
}

fn too_much(held: usize, limit: usize) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!("the daemon would hold {held} bytes for this connection, and the limit is {limit}"),
    )
    .advise(
        "read the responses that wait, make fewer calls at once, or raise `message_limit` where \
         the daemon is created",
    )
}

impl fmt::Debug for ClientMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientMemory").field("held", &self.0.held).finish_non_exhaustive()
    }
}

// === impl HeldMemory ===

impl HeldMemory {
    /// Counts more bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if the daemon would hold too much for the client.
    pub(crate) fn grow(&self, bytes: usize) -> Result<()> {
        self.client.check(bytes)?;
        self.client.take(bytes);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// How many bytes it counts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts so many bytes instead. Only one thread may call it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if the daemon would hold too much for the client.
    pub(crate) fn set(&self, bytes: usize) -> Result<()> {
        let before = self.bytes.load(Ordering::Relaxed);
        if bytes > before {
            self.client.check(bytes - before)?;
        }
        self.set_anyway(bytes);
        Ok(())
    }

    /// Counts so many bytes instead, however much that is. Only one thread may call it.
    pub(crate) fn set_anyway(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        match bytes > before {
            true => self.client.take(bytes - before),
            false => self.client.give_back(before - bytes),
        }
    }
}

impl Drop for HeldMemory {
    fn drop(&mut self) {
        self.client.give_back(*self.bytes.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT_LIMIT: usize = MIN_MESSAGE * MESSAGES_PER_CLIENT;
    const LIMIT: usize = MIN_MESSAGE * MESSAGES;

    fn is_evicted(client: &ClientMemory) -> bool {
        client.is_evicted(Waker::noop())
    }

    #[test]
    fn client_that_holds_too_much_gets_no_more_until_it_gives_back() {
        let client = MemoryBudget::new(1).client();
        let held = client.hold(CLIENT_LIMIT).expect("it is within the limit");
        let error = client.hold(1).expect_err("it is too much");
        let message = "the daemon would hold 67108865 bytes for this connection, and the limit is \
                       67108864; read the responses that wait, make fewer calls at once, or raise \
                       `message_limit` where the daemon is created";
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Limit, message.to_owned()));
        held.set(CLIENT_LIMIT - 1).expect("it is less");
        held.grow(2).expect_err("it is too much");
        drop(client.hold(1).expect("there is room"));
        drop(held);
        assert_eq!(client.0.held.load(Ordering::Relaxed), 0);
        assert_eq!(client.0.budget.0.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn connection_that_holds_most_goes_first() {
        let budget = MemoryBudget::new(1);
        let [small, large, medium, last] = [(); 4].map(|()| budget.client());
        let _small = small.hold(10).expect("it is within the limit");
        let large_held = large.hold(CLIENT_LIMIT).expect("it is within the limit");
        let _medium = medium.hold(CLIENT_LIMIT - 20).expect("it is within the limit");
        assert!(![&small, &large, &medium, &last].into_iter().any(is_evicted));

        let _last = last.hold(11).expect("it is within its own limit");
        assert!(is_evicted(&large), "it held most");
        assert!(![&small, &medium, &last].into_iter().any(is_evicted));
        assert_eq!(large.hold(0).expect_err("it goes").kind(), ErrorKind::Limit);
        // What it held counts no more, though it is not given back yet.
        let _more = last.hold(CLIENT_LIMIT - 11).expect("there is room");
        assert!(![&small, &medium, &last].into_iter().any(is_evicted));
        drop(large_held);
    }

    #[test]
    fn closed_connections_are_forgotten() {
        let budget = MemoryBudget::new(1);
        (0..10).for_each(|_| drop(budget.client()));
        let _client = budget.client();
        assert_eq!(budget.0.clients.lock().expect("nobody panics").len(), 1);
    }

    #[test]
    fn limits_follow_the_limit_on_messages() {
        for (message_limit, limit) in [(0, LIMIT), (256 << 20, 2 << 30), (usize::MAX, usize::MAX)] {
            assert_eq!(MemoryBudget::new(message_limit).0.limit, limit);
        }
    }
}
