//! What one call can reach, and what it has handed out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::error::Result;
use crate::host::{Host, SessionId, drop_aside};
use crate::object::{Line, Living, Reach};
use crate::value::{Handle, Value};

/// What one call can reach, and what it has handed out. Dropped before its answer is on its way to the caller, it takes that back.
pub(crate) struct Scope {
    host: Host,
    session: Option<SessionId>,
    line: Option<Arc<dyn Line>>,
    handed_out: Mutex<Vec<u64>>,
}

/// What a method has returned, and what that hands out.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) value: Value,
    pub(crate) handed_out: HandedOut,
}

/// The objects that an answer hands out. They are taken back when this is dropped, unless the answer has gone out.
#[derive(Debug)]
pub(crate) struct HandedOut(Arc<Scope>);

impl Scope {
    pub(super) fn new(host: Host, session: Option<SessionId>, line: Option<Arc<dyn Line>>) -> Arc<Self> {
        Arc::new(Scope { host, session, line, handed_out: Mutex::default() })
    }

    fn take_handed_out(&self) -> Vec<u64> {
        std::mem::take(&mut *self.handed_out.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reach for Scope {
    fn find(&self, handle: &Handle) -> Result<Living> {
        let table = self.host.table();
        let id = self.host.locate(&table, Some(handle))?;
        table.get(id).cloned()
    }

    fn hand_out(&self, object: &Living) -> Handle {
        let id = self.host.table().hand_out(object, self.session);
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        self.host.handle(id, object.description())
    }

    fn note_sent(&self) {
        drop(self.take_handed_out());
    }

    fn line(&self) -> Option<&dyn Line> {
        self.line.as_deref()
    }

    fn daemon(&self) -> Uuid {
        self.host.daemon()
    }

    fn depth_limit(&self) -> usize {
        self.host.depth_limit()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let handed_out = self.take_handed_out();
        if handed_out.is_empty() {
            return;
        }
        let token = self.host.answer_pending();
        let mut table = self.host.table();
        // One that a method has taken meanwhile is gone already.
        let released: Vec<Living> =
            handed_out.into_iter().filter_map(|id| table.release(id, self.session, 1).ok().flatten()).collect();
        drop(table);
        drop_aside(released, token);
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Returned {
    pub(super) fn new(value: Value, scope: Arc<Scope>) -> Self {
        Returned { value, handed_out: HandedOut(scope) }
    }
}

impl HandedOut {
    /// The answer has gone out, so they are the caller's.
    pub(crate) fn keep(self) {
        drop(self.0.take_handed_out());
    }
}
