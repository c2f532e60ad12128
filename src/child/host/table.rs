//! The objects of a daemon by number.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::watch;

use crate::child::host::SessionId;
use crate::child::object::{ObjectRef, no_such_object};
use crate::common::definition::TypeDescription;
use crate::common::error::{Error, ErrorKind, Result};

/// The objects of a daemon by number, counting from 1; numbers are not used again.
#[derive(Debug, Default)]
pub(super) struct ObjectTable {
    objects: BTreeMap<u64, Entry>,
    /// The numbers by the objects' addresses, so that one handed out again has the same.
    numbers: HashMap<usize, u64>,
    root: Option<u64>,
    last: u64,
    /// Told when an object has come or gone.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Entry {
    object: ObjectRef,
    /// How often its handle was given to each session, less how often it was released.
    /// Without a session: over unary RPCs.
    received: Vec<(Option<SessionId>, u64)>,
}

impl ObjectTable {
    /// Takes a new object in, and counts the handle that its maker is given.
    pub(super) fn insert(&mut self, object: &ObjectRef, session: Option<SessionId>) -> u64 {
        let id = self.hand_out(object, session);
        self.root.get_or_insert(id);
        id
    }

    /// Counts one more handle of an object that is given to a session.
    pub(super) fn hand_out(&mut self, object: &ObjectRef, session: Option<SessionId>) -> u64 {
        let id = *self.numbers.entry(object.address()).or_insert_with(|| {
            self.last += 1;
            self.last
        });
        let entry = self.objects.entry(id).or_insert_with(|| {
            self.changes.send_replace(());
            Entry { object: object.clone(), received: Vec::new() }
        });
        entry.count(session);
        id
    }

    /// Counts one more handle of an object that is there already; gives whether it is.
    pub(super) fn count(&mut self, id: u64, session: Option<SessionId>) -> bool {
        self.objects.get_mut(&id).map(|entry| entry.count(session)).is_some()
    }

    pub(super) fn root(&self) -> Result<u64> {
        self.root.ok_or_else(|| {
            Error::new(ErrorKind::NoSuchObject, "the daemon holds no object yet")
                .advise("make one with `Objects.Create`")
        })
    }

    pub(super) fn get(&self, id: u64) -> Result<&ObjectRef> {
        self.objects.get(&id).map(|entry| &entry.object).ok_or_else(no_such_object)
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<ObjectRef> {
        let object = self.objects.remove(&id)?.object;
        self.numbers.remove(&object.address());
        self.changes.send_replace(());
        Some(object)
    }

    /// Tells when an object has come or gone, from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Takes `count` from what the session has received, and gives the object if nothing
    /// is left; 0 takes all, of all sessions.
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

    /// Gives what only this session has received, but for the root, which is for all.
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
