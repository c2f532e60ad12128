//! The objects of a daemon by id.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::watch;

use crate::child::object::{ObjectRef, no_such_object};
use crate::common::definition::TypeDescription;
use crate::common::error::{Error, ErrorKind, Result};

/// Identifies a session of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(pub(super) u64);

/// The objects of a daemon by id. The ids of Rust objects count from 1; a Python object
/// has its interpreter's. None is reused.
#[derive(Debug, Default)]
pub(super) struct ObjectTable {
    objects: BTreeMap<u64, Entry>,
    /// The ids by the objects' addresses, so that an object always gets the same handle.
    ids: HashMap<usize, u64>,
    root: Option<u64>,
    last_id: u64,
    /// Notified when an object is added or removed.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Entry {
    object: ObjectRef,
    /// How often each session has received the handle, less how often it has released it.
    /// `None` stands for unary RPCs.
    received: Vec<(Option<SessionId>, u64)>,
}

impl ObjectTable {
    /// Adds a new object and counts the handle that its creator receives.
    pub(super) fn insert(&mut self, object: &ObjectRef, session: Option<SessionId>) -> u64 {
        let id = self.hand_out(object, session);
        self.root.get_or_insert(id);
        id
    }

    /// Counts one more handle of an object for a session, and adds the object if it is
    /// new.
    pub(super) fn hand_out(&mut self, object: &ObjectRef, session: Option<SessionId>) -> u64 {
        let id = *self.ids.entry(object.address()).or_insert_with(|| match object.dynamic() {
            Some(dynamic) => dynamic.id(),
            None => {
                self.last_id += 1;
                self.last_id
            }
        });
        let entry = self.objects.entry(id).or_insert_with(|| {
            self.changes.send_replace(());
            Entry { object: object.clone(), received: Vec::new() }
        });
        entry.count(session);
        id
    }

    /// Counts one more handle of a known object; returns whether it is known.
    pub(super) fn count(&mut self, id: u64, session: Option<SessionId>) -> bool {
        self.objects.get_mut(&id).map(|entry| entry.count(session)).is_some()
    }

    pub(super) fn root(&self) -> Result<u64> {
        self.root.ok_or_else(|| {
            Error::new(ErrorKind::NoSuchObject, "the daemon has no objects yet")
                .advise("create one with `Objects.Create`")
        })
    }

    pub(super) fn get(&self, id: u64) -> Result<&ObjectRef> {
        self.objects.get(&id).map(|entry| &entry.object).ok_or_else(no_such_object)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<ObjectRef> {
        let object = self.objects.remove(&id)?.object;
        self.ids.remove(&object.address());
        self.changes.send_replace(());
        Some(object)
    }

    /// Notifies when an object is added or removed, from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Subtracts `count` from the session's handles, and returns the object if nobody has
    /// a handle left. A count of 0 releases the handles of all sessions.
    pub(super) fn release(
        &mut self,
        id: u64,
        session: Option<SessionId>,
        count: u64,
    ) -> Result<Option<ObjectRef>> {
        let entry = self.objects.get_mut(&id).ok_or_else(no_such_object)?;
        entry.received.retain_mut(|(known, received)| {
            if *known == session {
                *received = received.saturating_sub(count);
            }
            count > 0 && *received > 0
        });
        Ok(if entry.received.is_empty() { self.remove(id) } else { None })
    }

    /// Removes and returns the objects that only this session has handles of, except the
    /// root, which belongs to everybody.
    pub(super) fn release_session(&mut self, session: SessionId) -> Vec<ObjectRef> {
        let root = self.root;
        let mut left = Vec::new();
        for (id, entry) in &mut self.objects {
            entry.received.retain(|(known, _)| *known != Some(session));
            if entry.received.is_empty() && Some(*id) != root {
                left.push(*id);
            }
        }
        left.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &'static TypeDescription, bool)> {
        self.objects
            .iter()
            .map(|(id, entry)| (*id, entry.object.description(), self.root == Some(*id)))
    }
}

impl Entry {
    fn count(&mut self, session: Option<SessionId>) {
        match self.received.iter_mut().find(|(known, _)| *known == session) {
            Some((_, count)) => *count += 1,
            None => self.received.push((session, 1)),
        }
    }
}
