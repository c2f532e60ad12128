//! The detached messages of a session that are arriving in chunks.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::common::buffer_pool::BufferPool;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::HeldMemory;
use crate::common::wire::ArrivingMessages;

/// The detached messages of a session, by the ids of their operations.
pub(super) struct Assemblies {
    arriving: ArrivingMessages,
    targets: HashMap<u64, CountedTarget>,
}

/// What a detached message is for, and what counts its memory.
struct CountedTarget {
    target: AssemblyTarget,
    memory: Option<Arc<HeldMemory>>,
    /// How many bytes of it have been counted.
    counted: usize,
}

/// A detached message that is complete, or why it cannot be completed.
pub(super) struct CompleteMessage {
    pub(super) target: AssemblyTarget,
    pub(super) message: Result<Bytes>,
    /// What counts its memory, if that is counted.
    pub(super) memory: Option<Arc<HeldMemory>>,
}

/// The receiver of a detached message.
pub(super) enum AssemblyTarget {
    /// The operation that the arguments belong to.
    Arguments(oneshot::Sender<Result<Bytes>>),
    /// The call that the items belong to.
    Items,
}

impl Assemblies {
    /// Must be called on the daemon's runtime. Buffers are only kept for a client that is
    /// trusted, because what is kept is not counted.
    pub(super) fn new(message_limit: usize, is_trusted: bool) -> Self {
        let buffers = match is_trusted {
            true => BufferPool::new(Runtime::current()),
            false => BufferPool::keeping_nothing(Runtime::current()),
        };
        let arriving = ArrivingMessages::new(message_limit, buffers);
        Assemblies { arriving, targets: HashMap::new() }
    }

    /// The messages themselves, for a reader that puts chunks in their place.
    pub(super) fn arriving(&mut self) -> &mut ArrivingMessages {
        &mut self.arriving
    }

    /// Starts to assemble a message of `len` bytes. `memory` counts those that arrive.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if the message is larger than the limit,
    /// [`ErrorKind::Protocol`] if another message with this id is still arriving.
    pub(super) fn start(
        &mut self,
        id: u64,
        len: u64,
        target: AssemblyTarget,
        memory: Option<Arc<HeldMemory>>,
    ) -> Result<()> {
        self.arriving.start(id, len)?;
        self.targets.insert(id, CountedTarget { target, memory, counted: 0 });
        Ok(())
    }

    /// Adds a chunk to its message, and returns the message and what counts it if it is
    /// complete or failed. Chunks without a message belong to an operation that was
    /// refused or cancelled meanwhile, and are dropped.
    pub(super) fn push(&mut self, id: u64, chunk: &Bytes) -> Option<CompleteMessage> {
        let message = match self.count(id, chunk.len()) {
            Ok(()) => self.arriving.push(id, chunk)?,
            Err(error) => {
                self.arriving.remove(id);
                Err(error)
            }
        };
        let CountedTarget { target, memory, .. } = self.targets.remove(&id)?;
        Some(CompleteMessage { target, message, memory })
    }

    /// Counts the memory that the next `len` bytes of a message take.
    fn count(&mut self, id: u64, len: usize) -> Result<()> {
        let Some(CountedTarget { memory: Some(memory), counted, .. }) = self.targets.get_mut(&id)
        else {
            return Ok(());
        };
        let bytes = self.arriving.memory(id, len);
        memory.grow(bytes.saturating_sub(*counted))?;
        *counted = bytes.max(*counted);
        Ok(())
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.arriving.remove(id);
        self.targets.remove(&id);
    }

    pub(super) fn clear(&mut self) {
        self.arriving.clear();
        self.targets.clear();
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
