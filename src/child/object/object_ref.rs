//! References to the objects of a daemon.

use std::any::TypeId;
use std::sync::{Arc, Weak};

use tokio::sync::RwLock;

use crate::child::object::object_cell::ObjectCell;
use crate::child::object::{Dynamic, Hosted};
use crate::common::definition::TypeDescription;

/// A strong reference to an object. The lock is fair: readers and writers take turns in
/// the order in which they asked.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRef {
    pub(crate) cell: Arc<RwLock<ObjectCell>>,
    description: &'static TypeDescription,
    object_type: TypeId,
    dynamic: Option<Arc<dyn Dynamic>>,
}

/// A weak reference to an object.
#[derive(Clone, Debug)]
pub(crate) struct WeakObjectRef {
    cell: Weak<RwLock<ObjectCell>>,
    description: &'static TypeDescription,
    object_type: TypeId,
    dynamic: Option<Weak<dyn Dynamic>>,
}

impl ObjectRef {
    pub(crate) fn new(object: Box<dyn Hosted>) -> Self {
        let (description, object_type, dynamic) =
            (object.description(), object.object_type(), object.dynamic());
        ObjectRef {
            cell: Arc::new(RwLock::new(ObjectCell::new(object))),
            description,
            object_type,
            dynamic,
        }
    }

    pub(crate) fn description(&self) -> &'static TypeDescription {
        self.description
    }

    pub(super) fn object_type(&self) -> TypeId {
        self.object_type
    }

    /// Returns the object as [`Dynamic`] if its methods are only known at run time.
    pub(crate) fn dynamic(&self) -> Option<&Arc<dyn Dynamic>> {
        self.dynamic.as_ref()
    }

    /// Returns a number that is unique among the living objects.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.cell) as usize
    }

    pub(crate) fn downgrade(&self) -> WeakObjectRef {
        WeakObjectRef {
            cell: Arc::downgrade(&self.cell),
            description: self.description,
            object_type: self.object_type,
            dynamic: self.dynamic.as_ref().map(Arc::downgrade),
        }
    }
}

impl WeakObjectRef {
    /// Returns whether the object has no strong reference left.
    pub(crate) fn is_gone(&self) -> bool {
        self.cell.strong_count() == 0
    }

    pub(crate) fn upgrade(&self) -> Option<ObjectRef> {
        Some(ObjectRef {
            cell: self.cell.upgrade()?,
            description: self.description,
            object_type: self.object_type,
            dynamic: match &self.dynamic {
                Some(dynamic) => Some(dynamic.upgrade()?),
                None => None,
            },
        })
    }
}
