//! An object that lives in a daemon, shared by all who hold it.

use std::any::TypeId;
use std::sync::{Arc, Weak};

use tokio::sync::RwLock;

use crate::child::object::object_cell::ObjectCell;
use crate::child::object::{Dynamic, Hosted};
use crate::common::definition::TypeDescription;

/// An object that lives in a daemon. The lock is fair: who asks first has its turn first,
/// readers and writers alike.
#[derive(Clone, Debug)]
pub(crate) struct ObjectRef {
    pub(crate) cell: Arc<RwLock<ObjectCell>>,
    description: &'static TypeDescription,
    object_type: TypeId,
    dynamic: Option<Arc<dyn Dynamic>>,
}

/// The same, without keeping it.
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

    /// The object as one whose abilities are not known before it is asked, if it is such.
    pub(crate) fn dynamic(&self) -> Option<&Arc<dyn Dynamic>> {
        self.dynamic.as_ref()
    }

    /// A number that no other living object has now.
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
    /// Whether nobody holds it any more.
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
