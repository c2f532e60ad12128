//! The objects of a daemon by number.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::RwLock;

use crate::error::{Error, ErrorKind, Result};
use crate::host::SessionId;
use crate::host::kept::Kept;
use crate::object::{Description, Hosted, no_such_object};

/// The objects of a daemon by number, counting from 1; numbers are not used again.
#[derive(Debug, Default)]
pub(super) struct Table {
    objects: BTreeMap<u64, Entry>,
    root: Option<u64>,
    last: u64,
}

#[derive(Debug)]
struct Entry {
    object: Living,
    /// How often its handle was given to the caller, less how often it was released.
    received: u64,
    /// The session it was made over, with which it goes.
    session: Option<SessionId>,
}

/// An object that lives in the host. The lock is fair: who asks first has its turn first, readers and writers alike.
#[derive(Clone, Debug)]
pub(super) struct Living {
    pub(super) cell: Arc<RwLock<Kept>>,
    description: &'static Description,
}

impl Table {
    pub(super) fn insert(&mut self, object: Box<dyn Hosted>, session: Option<SessionId>) -> u64 {
        self.last += 1;
        self.root.get_or_insert(self.last);
        let description = object.description();
        let object = Living { cell: Arc::new(RwLock::new(Kept::new(object))), description };
        self.objects.insert(self.last, Entry { object, received: 1, session });
        self.last
    }

    pub(super) fn root(&self) -> Result<u64> {
        self.root.ok_or_else(|| {
            Error::new(ErrorKind::NoSuchObject, "the daemon holds no object yet")
                .advise("make one with `Objects.Create`")
        })
    }

    pub(super) fn get(&self, id: u64) -> Result<&Living> {
        self.objects.get(&id).map(|entry| &entry.object).ok_or_else(no_such_object)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Living> {
        self.objects.remove(&id).map(|entry| entry.object)
    }

    /// Takes `count` from the handle's count and gives the object if nothing is left; 0 takes all.
    pub(super) fn release(&mut self, id: u64, count: u64) -> Result<Option<Living>> {
        let entry = self.objects.get_mut(&id).ok_or_else(no_such_object)?;
        entry.received = if count == 0 { 0 } else { entry.received.saturating_sub(count) };
        Ok(if entry.received == 0 { self.remove(id) } else { None })
    }

    /// Gives what was made over a session, but for the root, which is for all.
    pub(super) fn release_session(&mut self, session: SessionId) -> Vec<Living> {
        let root = self.root;
        let goes = |id: &u64, entry: &mut Entry| entry.session == Some(session) && Some(*id) != root;
        self.objects.extract_if(.., goes).map(|(_, entry)| entry.object).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &'static Description, bool)> {
        self.objects.iter().map(|(id, entry)| (*id, entry.object.description, self.root == Some(*id)))
    }
}

impl Living {
    pub(super) fn description(&self) -> &'static Description {
        self.description
    }
}
