//! The detached messages of a session that are arriving in chunks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use prost::Message;
use tokio::sync::oneshot;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::Assembly;

/// The detached messages of a session, by the ids of their operations.
pub(super) struct Assemblies {
    arriving: HashMap<u64, (Assembly, AssemblyTarget)>,
    message_limit: usize,
}

/// The receiver of a detached message.
pub(super) enum AssemblyTarget {
    /// The operation that the arguments belong to.
    Arguments(oneshot::Sender<Result<Bytes>>),
    /// The call that the items belong to.
    Items,
}

impl Assemblies {
    pub(super) fn new(message_limit: usize) -> Self {
        Assemblies { arriving: HashMap::new(), message_limit }
    }

    /// Starts to assemble a message of `len` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if the message is larger than the limit,
    /// [`ErrorKind::Protocol`] if another message with this id is still arriving.
    pub(super) fn start(&mut self, id: u64, len: u64, target: AssemblyTarget) -> Result<()> {
        let assembly = Assembly::new(len, self.message_limit)?;
        match self.arriving.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert((assembly, target));
                Ok(())
            }
            Entry::Occupied(_) => Err(Error::new(
                ErrorKind::Protocol,
                "a detached message with this id is still arriving",
            )),
        }
    }

    /// Adds a chunk to its message, and returns the message if it is complete or failed.
    /// Chunks without a message belong to an operation that was refused or cancelled
    /// meanwhile, and are dropped.
    pub(super) fn push(
        &mut self,
        id: u64,
        chunk: &Bytes,
    ) -> Option<(AssemblyTarget, Result<Bytes>)> {
        let (assembly, _) = self.arriving.get_mut(&id)?;
        let message = assembly.push(chunk).transpose()?;
        let (_, target) = self.arriving.remove(&id)?;
        Some((target, message))
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.arriving.remove(&id);
    }

    pub(super) fn clear(&mut self) {
        self.arriving.clear();
    }
}

/// Decodes a complete detached message.
///
/// # Errors
///
/// [`ErrorKind::BadArguments`] if the message is malformed.
pub(super) fn decode_detached<M: Message + Default>(what: &str, message: Bytes) -> Result<M> {
    M::decode(message).map_err(|error| {
        let message = format!("failed to decode the detached {what}: {error}");
        Error::new(ErrorKind::BadArguments, message)
    })
}
