//! The state that a host shares with the calls that run in it.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle as Runtime;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::child::host::ending::Ending;
use crate::child::host::table::ObjectTable;
use crate::child::object::{ObjectRef, drop_blocking, no_such_object, python};
use crate::common::definition::TypeDescription;
use crate::common::error::Result;
use crate::common::threads::run_aside_or_here;
use crate::common::value::{Handle, ObjectKind};

/// The state of a host.
#[derive(Debug)]
pub(super) struct HostState {
    pub(super) daemon: Uuid,
    pub(super) depth_limit: usize,
    pub(super) message_limit: usize,
    pub(super) table: Mutex<ObjectTable>,
    pub(super) sessions: AtomicU64,
    /// Counts waiting and running calls, including creations and calls whose caller is
    /// gone.
    pub(super) calls: TaskTracker,
    /// Counts the responses that are not on their way yet.
    pub(super) responses: TaskTracker,
    /// Counts what else the shutdown waits for: drops of objects, and the calls between
    /// the parent and its Python objects, which the host knows nothing of. No client
    /// reads anything of these.
    pub(super) others: TaskTracker,
    /// Counts the sessions whose clients may not have read every response.
    pub(super) open_sessions: TaskTracker,
    pub(super) ending: Ending,
}

impl HostState {
    pub(super) fn new(daemon: Uuid, depth_limit: usize, message_limit: usize) -> Self {
        HostState {
            daemon,
            depth_limit,
            message_limit,
            table: Mutex::default(),
            sessions: AtomicU64::new(0),
            calls: TaskTracker::new(),
            responses: TaskTracker::new(),
            others: TaskTracker::new(),
            open_sessions: TaskTracker::new(),
            ending: Ending::new(),
        }
    }

    pub(super) fn handle(&self, id: u64, description: &'static TypeDescription) -> Handle {
        let interfaces = description.interfaces.iter().copied().map(str::to_owned).collect();
        let type_name = description.name.to_owned();
        let kind = ObjectKind { type_name, interfaces, name: String::new() };
        Handle::new(self.daemon, id).of_kind(kind)
    }

    pub(super) fn locate(&self, table: &ObjectTable, handle: Option<&Handle>) -> Result<u64> {
        match handle {
            None => table.root(),
            // A person who types an object's id may leave out the daemon's.
            Some(handle) if handle.daemon().is_nil() || handle.daemon() == self.daemon => {
                Ok(handle.id())
            }
            Some(_) => Err(no_such_object()),
        }
    }

    /// Finds an object: one of the table's, or one that only the parent holds.
    pub(super) fn find(&self, table: &ObjectTable, handle: Option<&Handle>) -> Result<ObjectRef> {
        let id = self.locate(table, handle)?;
        table.get(id).cloned().or_else(|error| {
            let type_name = handle.map_or("", Handle::type_name);
            let found = python().and_then(|python| python.find(self.daemon, id, type_name));
            found.ok_or(error)
        })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, ObjectTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops objects on a thread that may block; the shutdown waits for it.
pub(super) fn drop_in_background(
    objects: impl IntoIterator<Item = ObjectRef>,
    token: TaskTrackerToken,
) {
    let objects: Vec<ObjectRef> = objects.into_iter().collect();
    if objects.is_empty() {
        return;
    }
    let drop_all = move || {
        drop_blocking(objects);
        drop(token);
    };
    match Runtime::try_current() {
        Ok(_) => run_aside_or_here(drop_all),
        // The runtime has ended, so blocking this thread delays nothing.
        Err(_) => drop_all(),
    }
}
