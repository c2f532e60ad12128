//! What makes Python objects, and knows those that others than the host hold.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::child::object::{CallScope, ObjectRef};
use crate::common::definition::PythonDefinition;
use crate::common::error::Result;
use crate::common::value::Value;

/// The composition root sets it, because the room that it stands for is above this one.
static PYTHON: OnceLock<&'static dyn PythonObjects> = OnceLock::new();

/// Makes Python objects. The parent has a way of its own to them, so it may hold some
/// that the host knows nothing of; they are found by their ids.
pub(crate) trait PythonObjects: fmt::Debug + Send + Sync {
    fn make(
        &self,
        definition: PythonDefinition,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: Arc<dyn CallScope>,
    ) -> BoxFuture<'static, Result<ObjectRef>>;

    /// Returns an object that may live in a running interpreter, without keeping it
    /// there. Whether it does is found out when it is called.
    fn find(&self, daemon: Uuid, id: u64, type_name: &str) -> Option<ObjectRef>;

    /// Returns the ids and the types of all objects, whoever holds them.
    fn list(&self, daemon: Uuid) -> BoxFuture<'static, Vec<(u64, String)>>;

    /// Releases all handles of an object, whoever holds them; returns whether it can be
    /// one.
    fn release(&self, daemon: Uuid, id: u64) -> bool;

    fn health(&self, daemon: Uuid, id: u64) -> BoxFuture<'static, ForeignHealth>;

    /// Forgets a daemon that has ended.
    fn forget(&self, daemon: Uuid);
}

/// The health of an object that the host does not hold.
pub(crate) enum ForeignHealth {
    /// It exists; the future completes when it is worth looking again.
    Serving(BoxFuture<'static, ()>),
    /// It lived in an interpreter that has died.
    Died,
    Unknown,
}

/// Sets what makes Python objects.
#[cfg(feature = "python")]
pub(crate) fn set_python(python: &'static dyn PythonObjects) {
    // Fails if it is already set, always to the same.
    let _ = PYTHON.set(python);
}

/// Returns what makes Python objects, if the program supports them.
pub(crate) fn python() -> Option<&'static dyn PythonObjects> {
    PYTHON.get().copied()
}
