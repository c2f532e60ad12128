//! An owned object whose drop blocks nobody.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use tokio::runtime::Handle;

use crate::child::object::{Hosted, panic};

thread_local! {
    /// Whether this thread may block.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

/// An owned object. Its drop is user code, which may block and may panic, and the last
/// reference may be dropped by a thread with other work. So the object is dropped on a
/// thread that may block, and its panic goes no further than stderr.
#[derive(Debug)]
pub(crate) struct ObjectCell(Option<Box<dyn Hosted>>);

impl ObjectCell {
    pub(super) fn new(object: Box<dyn Hosted>) -> Self {
        ObjectCell(Some(object))
    }
}

/// Drops a value that may own objects, on a thread that may block.
pub(crate) fn drop_here<T>(holder: T) {
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
            Ok(runtime) if !MAY_BLOCK.get() => drop(runtime.spawn_blocking(drop_caught)),
            _ => drop_caught(),
        }
    }
}
