//! What one call can reach, and what it has handed out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::child::host::{Host, SessionId, drop_aside};
use crate::child::object::{CallScope, ObjectRef, ReplyChannel};
use crate::common::definition::InterpreterFacts;
use crate::common::error::Result;
use crate::common::value::{Handle, Value};

/// What one call can reach, and what it has handed out.
pub(crate) struct Scope {
    host: Host,
    session: Option<SessionId>,
    channel: Option<Arc<dyn ReplyChannel>>,
    handed_out: Mutex<HandedIds>,
}

/// The numbers of objects that a call has handed out.
#[derive(Debug, Default)]
struct HandedIds {
    /// For the value that is being made, each as often as its handle was asked for.
    making: Vec<u64>,
    /// In values that have not gone out, with how often they are there.
    unsent: HashMap<u64, u64>,
    /// Whether the call is over, so that nobody receives what is still made.
    is_over: bool,
}

/// What a method has returned, and what that hands out.
#[derive(Debug)]
pub(crate) struct MethodResult {
    pub(crate) value: Value,
    pub(crate) handed_out: HandedOut,
}

/// An object that was made, and the handing out of its handle.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) handle: Handle,
    /// The interpreter that it lives in, if it is a Python object.
    pub(crate) interpreter: Option<InterpreterFacts>,
    pub(crate) handed_out: HandedOut,
}

/// What a call hands out, for as long as the call and the sending of its answer last.
/// What has not gone out when this is dropped is taken back.
#[derive(Debug)]
pub(crate) struct HandedOut(Arc<Scope>);

// === impl Scope ===

impl Scope {
    pub(super) fn new(
        host: Host,
        session: Option<SessionId>,
        channel: Option<Arc<dyn ReplyChannel>>,
    ) -> Arc<Self> {
        Arc::new(Scope { host, session, channel, handed_out: Mutex::default() })
    }

    /// Takes a new object in; its handle is handed out.
    pub(super) fn insert(&self, object: &ObjectRef) -> u64 {
        let id = self.host.table().insert(object, self.session);
        *self.handed_out().unsent.entry(id).or_default() += 1;
        id
    }

    /// Releases objects, each so many times.
    fn release(&self, handed_out: impl IntoIterator<Item = (u64, u64)>) {
        let token = self.host.answer_pending();
        let mut table = self.host.table();
        // One that a method has taken meanwhile is gone already.
        let released: Vec<ObjectRef> = handed_out
            .into_iter()
            .filter_map(|(id, count)| table.release(id, self.session, count).ok().flatten())
            .collect();
        drop(table);
        drop_aside(released, token);
    }

    /// Before the table's lock, where both are held.
    fn handed_out(&self) -> MutexGuard<'_, HandedIds> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallScope for Scope {
    fn find(&self, handle: &Handle) -> Result<ObjectRef> {
        let table = self.host.table();
        let id = self.host.locate(&table, Some(handle))?;
        table.get(id).cloned()
    }

    fn hand_out(&self, object: &ObjectRef) -> Handle {
        let id = self.host.table().hand_out(object, self.session);
        self.handed_out().making.push(id);
        self.host.handle(id, object.description())
    }

    fn hand_over(&self, value: &Value) {
        let handles = value.handles();
        if handles.is_empty() {
            return;
        }
        let mut handed_out = self.handed_out();
        if handed_out.is_over {
            return;
        }
        let mut table = self.host.table();
        // Another daemon's is not this one's to count, and the caller does not take it
        // for one that it has received.
        for handle in handles.iter().filter(|handle| handle.daemon() == self.host.daemon()) {
            if table.count(handle.id(), self.session) {
                *handed_out.unsent.entry(handle.id()).or_default() += 1;
            }
        }
    }

    fn made(&self) {
        let making = std::mem::take(&mut self.handed_out().making);
        if !making.is_empty() {
            self.release(making.into_iter().map(|id| (id, 1)));
        }
    }

    fn note_sent(&self, handles: &[Handle]) {
        if handles.is_empty() {
            return;
        }
        let mut handed_out = self.handed_out();
        for handle in handles.iter().filter(|handle| handle.daemon() == self.host.daemon()) {
            if let Entry::Occupied(mut entry) = handed_out.unsent.entry(handle.id()) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    fn channel(&self) -> Option<&dyn ReplyChannel> {
        self.channel.as_deref()
    }

    fn daemon(&self) -> Uuid {
        self.host.daemon()
    }

    fn depth_limit(&self) -> usize {
        self.host.depth_limit()
    }

    fn message_limit(&self) -> usize {
        self.host.message_limit()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("session", &self.session).finish_non_exhaustive()
    }
}

// === impl HandedOut ===

impl HandedOut {
    /// For a call that begins.
    pub(super) fn of(scope: &Arc<Scope>) -> Self {
        HandedOut(Arc::clone(scope))
    }

    /// The answer has gone out, so all is the caller's.
    pub(crate) fn keep(self) {
        self.0.handed_out().unsent.clear();
    }
}

/// Not the scope's own drop, because a stream among the arguments keeps that for as long
/// as the object keeps the stream.
impl Drop for HandedOut {
    fn drop(&mut self) {
        let unsent = {
            let mut handed_out = self.0.handed_out();
            handed_out.is_over = true;
            std::mem::take(&mut handed_out.unsent)
        };
        if !unsent.is_empty() {
            self.0.release(unsent);
        }
    }
}
