//! The objects that one call can refer to, and the handles that it has handed out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::sleep;
use uuid::Uuid;

use crate::child::host::state::{HostState, drop_in_background};
use crate::child::host::table::SessionId;
use crate::child::object::{CallScope, ObjectRef, ReplyChannel, STALL};
use crate::common::definition::InterpreterFacts;
use crate::common::error::Result;
use crate::common::value::{Handle, Value};

/// The objects that one call can refer to, and the handles that it has handed out.
pub(crate) struct Scope {
    host: Arc<HostState>,
    session: Option<SessionId>,
    channel: Option<Arc<dyn ReplyChannel>>,
    counts: Mutex<HandleCounts>,
}

/// The ids of the objects that a call has handed out.
#[derive(Debug, Default)]
struct HandleCounts {
    /// In the value being built, once per requested handle.
    building: Vec<u64>,
    /// In values that have not been sent, with how often they occur.
    unsent: HashMap<u64, u64>,
    /// Whether the call is over, so that nobody receives what is still built.
    is_over: bool,
}

/// The value that a method returned, and the handles in it.
#[derive(Debug)]
pub(crate) struct MethodResult {
    pub(crate) value: Value,
    pub(crate) handles: HandleGuard,
}

/// The handle of a new object.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) handle: Handle,
    /// The interpreter that the object lives in, if it is a Python object.
    pub(crate) interpreter: Option<InterpreterFacts>,
    pub(crate) handles: HandleGuard,
}

/// Owns the handles that a call hands out until the response is sent. Handles that have
/// not been sent when this is dropped are released.
#[derive(Debug)]
pub(crate) struct HandleGuard(Arc<Scope>);

// === impl Scope ===

impl Scope {
    pub(super) fn new(
        host: Arc<HostState>,
        session: Option<SessionId>,
        channel: Option<Arc<dyn ReplyChannel>>,
    ) -> Arc<Self> {
        Arc::new(Scope { host, session, channel, counts: Mutex::default() })
    }

    /// Registers a new object and hands out its handle.
    pub(super) fn insert(&self, object: &ObjectRef) -> u64 {
        let id = self.host.table().insert(object, self.session);
        *self.counts().unsent.entry(id).or_default() += 1;
        id
    }

    /// Releases objects, each as often as given.
    fn release_counted(&self, counts: impl IntoIterator<Item = (u64, u64)>) {
        let token = self.host.others.token();
        let mut table = self.host.table();
        // An object that a method took meanwhile is gone already.
        let released: Vec<ObjectRef> = counts
            .into_iter()
            .filter_map(|(id, count)| table.release(id, self.session, count).ok().flatten())
            .collect();
        drop(table);
        drop_in_background(released, token);
    }

    /// Lock order: before the table, where both are held.
    fn counts(&self) -> MutexGuard<'_, HandleCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallScope for Scope {
    fn find(&self, handle: &Handle) -> Result<ObjectRef> {
        self.host.find(&self.host.table(), Some(handle))
    }

    fn hand_out(&self, object: &ObjectRef) -> Handle {
        let id = self.host.table().hand_out(object, self.session);
        self.counts().building.push(id);
        self.host.handle(id, object.description())
    }

    fn count_handles(&self, value: &Value) {
        let handles = value.handles();
        if handles.is_empty() {
            return;
        }
        let mut counts = self.counts();
        if counts.is_over {
            return;
        }
        let mut table = self.host.table();
        // Handles of other daemons are not counted here, and the caller does not count
        // them either.
        for handle in handles.iter().filter(|handle| handle.daemon() == self.host.daemon) {
            if table.count(handle.id(), self.session) {
                *counts.unsent.entry(handle.id()).or_default() += 1;
            }
        }
    }

    fn made(&self) {
        let building = std::mem::take(&mut self.counts().building);
        if !building.is_empty() {
            self.release_counted(building.into_iter().map(|id| (id, 1)));
        }
    }

    fn note_sent(&self, handles: &[Handle]) {
        if handles.is_empty() {
            return;
        }
        let mut counts = self.counts();
        for handle in handles.iter().filter(|handle| handle.daemon() == self.host.daemon) {
            if let Entry::Occupied(mut entry) = counts.unsent.entry(handle.id()) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    fn release(&self, handles: &[Handle]) {
        let own = handles.iter().filter(|handle| handle.daemon() == self.host.daemon);
        self.release_counted(own.map(|handle| (handle.id(), 1)));
    }

    fn channel(&self) -> Option<&dyn ReplyChannel> {
        self.channel.as_deref()
    }

    fn is_ending(&self) -> bool {
        self.host.ending.refuse_if_requested().is_err()
    }

    fn stalled(&self) -> BoxFuture<'static, ()> {
        let host = Arc::clone(&self.host);
        Box::pin(async move {
            host.ending.requested().await;
            sleep(STALL).await;
        })
    }

    fn daemon(&self) -> Uuid {
        self.host.daemon
    }

    fn depth_limit(&self) -> usize {
        self.host.depth_limit
    }

    fn message_limit(&self) -> usize {
        self.host.message_limit
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("session", &self.session).finish_non_exhaustive()
    }
}

// === impl HandleGuard ===

impl HandleGuard {
    /// Returns the guard for a call that starts.
    pub(super) fn of(scope: &Arc<Scope>) -> Self {
        HandleGuard(Arc::clone(scope))
    }

    /// Whether no handle has been handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.counts().unsent.is_empty()
    }

    /// Leaves the handles with the caller, because the response has been sent.
    pub(crate) fn keep(self) {
        self.0.counts().unsent.clear();
    }
}

/// Not done in the scope's own drop, because a stream argument keeps the scope alive for
/// as long as the object keeps the stream.
impl Drop for HandleGuard {
    fn drop(&mut self) {
        let unsent = {
            let mut counts = self.0.counts();
            counts.is_over = true;
            std::mem::take(&mut counts.unsent)
        };
        if !unsent.is_empty() {
            self.0.release_counted(unsent);
        }
    }
}
