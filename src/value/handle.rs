//! The name of an object that stays in its daemon.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::value::ser::HANDLE;

/// The name of an object that stays in its daemon. It means nothing in any other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    daemon: Uuid,
    id: u64,
}

/// How a handle is spelled where it is not a handle of its own kind, as in JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct PlainHandle {
    daemon: Uuid,
    id: u64,
}

impl Handle {
    pub(crate) fn new(daemon: Uuid, id: u64) -> Self {
        Handle { daemon, id }
    }

    /// The UUID of the daemon that holds the object.
    #[must_use]
    pub fn daemon(&self) -> Uuid {
        self.daemon
    }

    /// The object's number in that daemon.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl From<PlainHandle> for Handle {
    fn from(PlainHandle { daemon, id }: PlainHandle) -> Self {
        Handle { daemon, id }
    }
}

/// As `3@` and the daemon's UUID.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.daemon)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Handle { daemon, id } = *self;
        serializer.serialize_newtype_struct(HANDLE, &PlainHandle { daemon, id })
    }
}
