//! An object that lives in a daemon, shared by all who hold it.

use std::any::TypeId;
use std::sync::Arc;

use tokio::sync::RwLock;

use crate::object::kept::Kept;
use crate::object::{Description, Hosted};

/// An object that lives in a daemon. The lock is fair: who asks first has its turn first, readers and writers alike.
#[derive(Clone, Debug)]
pub(crate) struct Living {
    pub(crate) cell: Arc<RwLock<Kept>>,
    description: &'static Description,
    object_type: TypeId,
}

impl Living {
    pub(crate) fn new(object: Box<dyn Hosted>) -> Self {
        let (description, object_type) = (object.description(), object.object_type());
        Living { cell: Arc::new(RwLock::new(Kept::new(object))), description, object_type }
    }

    pub(crate) fn description(&self) -> &'static Description {
        self.description
    }

    pub(super) fn object_type(&self) -> TypeId {
        self.object_type
    }

    /// A number that no other living object has now.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.cell) as usize
    }
}
