//! The objects of a daemon by number.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::RwLock;

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Description, Hosted};

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
}

/// An object that lives in the host. The lock is fair: who asks first has its turn first, readers and writers alike.
#[derive(Clone, Debug)]
pub(super) struct Living {
    pub(super) cell: Arc<RwLock<Cell>>,
    description: &'static Description,
}

/// Where an object is, until a method that takes `self` has taken it.
#[derive(Debug)]
pub(super) enum Cell {
    Present(Box<dyn Hosted>),
    Taken,
}

impl Table {
    pub(super) fn insert(&mut self, object: Box<dyn Hosted>) -> u64 {
        self.last += 1;
        self.root.get_or_insert(self.last);
        let description = object.description();
        let object = Living { cell: Arc::new(RwLock::new(Cell::Present(object))), description };
        self.objects.insert(self.last, Entry { object, received: 1 });
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

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &'static Description, bool)> {
        self.objects.iter().map(|(id, entry)| (*id, entry.object.description, self.root == Some(*id)))
    }

    pub(super) fn into_objects(self) -> impl Iterator<Item = Living> {
        self.objects.into_values().map(|entry| entry.object)
    }
}

impl Living {
    pub(super) fn description(&self) -> &'static Description {
        self.description
    }
}

/// One error for a stale handle, a guessed one and one of another daemon, so that it tells nobody which it was.
pub(super) fn no_such_object() -> Error {
    Error::new(ErrorKind::NoSuchObject, "the daemon holds no object of this handle")
        .advise("it was released or taken by a method that ends it, or the handle is another daemon's")
}
