//! References to the objects of a daemon.

use std::any::TypeId;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::sync::RwLock;

use crate::child::object::{Dynamic, Hosted, panic};
use crate::common::definition::TypeDescription;
use crate::common::threads::run_aside_or_here;

/// A strong reference to an object. The lock is fair: readers and writers take turns in
/// the order of their requests.
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

/// An owned object. Its drop is user code, which may block and may panic, and the last
/// reference may be dropped by a thread with other work. So the object is dropped on a
/// thread that may block, and its panic goes no further than stderr.
#[derive(Debug)]
pub(crate) struct ObjectCell(Option<Box<dyn Hosted>>);

thread_local! {
    /// Whether this thread may block.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

// === impl ObjectRef ===

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

// === impl WeakObjectRef ===

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

// === impl ObjectCell ===

impl ObjectCell {
    fn new(object: Box<dyn Hosted>) -> Self {
        ObjectCell(Some(object))
    }
}

/// Drops a value that may own objects, on a thread that may block.
pub(crate) fn drop_blocking<T>(holder: T) {
    MAY_BLOCK.set(true);
    drop(holder);
    MAY_BLOCK.set(false);
}

impl Deref for ObjectCell {
    type Target = dyn Hosted;

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().expect("the object is present until the drop")
    }
}

impl DerefMut for ObjectCell {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.as_deref_mut().expect("the object is present until the drop")
    }
}

impl Drop for ObjectCell {
    fn drop(&mut self) {
        let Some(object) = self.0.take() else { return };
        let drop_caught = move || {
            // The panic's message is on stderr already.
            let _ = panic::catch(|| drop(object));
        };
        match Handle::try_current() {
            Ok(_) if !MAY_BLOCK.get() => run_aside_or_here(drop_caught),
            _ => drop_caught(),
        }
    }
}
