//! Assembles large messages from their chunks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;

use crate::common::buffer_pool::BufferPool;
use crate::common::error::{Error, ErrorKind, Result};

/// How many bytes a message gets before the first of them has arrived. From there on its
/// buffer grows with what has arrived, whatever size was announced.
const FIRST_BUFFER: usize = 256 * 1024;

/// The large messages of a session that are arriving, by the ids of their operations.
#[derive(Debug)]
pub(crate) struct ArrivingMessages {
    assemblies: HashMap<u64, Assembly>,
    message_limit: usize,
    buffers: BufferPool,
}

/// A large message that is arriving.
#[derive(Debug)]
struct Assembly {
    announced: usize,
    /// The message so far, and as many zeros as the buffer has had bytes before.
    buffer: Vec<u8>,
    received: usize,
    /// How many of the received bytes were read into their place since the last chunk
    /// was added.
    placed: usize,
}

// === impl ArrivingMessages ===

impl ArrivingMessages {
    pub(crate) fn new(message_limit: usize, buffers: BufferPool) -> Self {
        ArrivingMessages { assemblies: HashMap::new(), message_limit, buffers }
    }

    /// Starts to assemble a message of `announced` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] if the message is larger than the limit,
    /// [`ErrorKind::Protocol`] if another message with this id is still arriving.
    pub(crate) fn start(&mut self, id: u64, announced: u64) -> Result<()> {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > self.message_limit {
            return Err(too_large(announced, self.message_limit));
        }
        match self.assemblies.entry(id) {
            Entry::Vacant(entry) => {
                let buffer = self.buffers.take(announced).unwrap_or_default();
                entry.insert(Assembly { announced, buffer, received: 0, placed: 0 });
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
    ///
    /// An empty chunk stands for bytes that were read into their [`place`](Self::place).
    pub(crate) fn push(&mut self, id: u64, chunk: &Bytes) -> Option<Result<Bytes>> {
        let assembly = self.assemblies.get_mut(&id)?;
        let pushed = assembly.push(chunk);
        if pushed.is_ok() && assembly.received < assembly.announced {
            return None;
        }
        let Assembly { buffer, received, .. } = self.assemblies.remove(&id)?;
        Some(pushed.map(|()| self.buffers.message(buffer, received)))
    }

    /// How many bytes of memory a message takes when the next `len` have arrived; 0 if
    /// there is no such message.
    pub(crate) fn memory(&self, id: u64, len: usize) -> usize {
        self.assemblies.get(&id).map_or(0, |assembly| {
            // What was announced bounds what it can become.
            assembly.buffer.len().max(assembly.announced.min(assembly.received + len))
        })
    }

    /// Whether the next `len` bytes of a message may arrive.
    pub(crate) fn takes(&self, id: u64, len: usize) -> bool {
        self.assemblies.get(&id).is_some_and(|assembly| assembly.takes(len))
    }

    /// Returns where the next `len` bytes of a message belong; `None` if there is no such
    /// message, or no such bytes in it.
    pub(crate) fn place(&mut self, id: u64, len: usize) -> Option<&mut [u8]> {
        self.assemblies.get_mut(&id)?.place(len)
    }

    /// Notes how many bytes were read into their [`place`](Self::place).
    pub(crate) fn note_placed(&mut self, id: u64, len: usize) {
        if let Some(assembly) = self.assemblies.get_mut(&id) {
            assembly.received += len;
            assembly.placed += len;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.assemblies.is_empty()
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.assemblies.remove(&id);
    }

    pub(crate) fn clear(&mut self) {
        self.assemblies.clear();
    }
}

// === impl Assembly ===

impl Assembly {
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if more arrives than was announced, or the chunk is empty.
    fn push(&mut self, chunk: &Bytes) -> Result<()> {
        let placed = std::mem::take(&mut self.placed);
        if chunk.is_empty() && placed > 0 {
            return Ok(());
        }
        match self.place(chunk.len()) {
            Some(place) => place.copy_from_slice(chunk),
            None => {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    "the chunks of a large message do not have the announced size",
                ));
            }
        }
        self.received += chunk.len();
        Ok(())
    }

    fn takes(&self, len: usize) -> bool {
        len > 0 && len <= self.announced - self.received
    }

    fn place(&mut self, len: usize) -> Option<&mut [u8]> {
        if !self.takes(len) {
            return None;
        }
        let end = self.received + len;
        if self.buffer.capacity() < end {
            // Twice as much each time, but not more than was announced. To move a buffer
            // of this size costs the kernel a few page table entries, and no copy.
            let wanted = self.announced.min(FIRST_BUFFER.max(2 * self.buffer.capacity()));
            self.buffer.reserve_exact(wanted.max(end) - self.buffer.len());
        }
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        Some(&mut self.buffer[self.received..end])
    }
}

/// The error for a message that is too large, on both sides and in both directions.
pub(crate) fn too_large(len: usize, limit: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("the message has {len} bytes, and the limit is {limit}"),
    )
    .advise("raise `message_limit` where the daemon is created, or send it in parts")
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle as Runtime;

    use super::*;

    fn arriving() -> ArrivingMessages {
        ArrivingMessages::new(100_000_000, BufferPool::new(Runtime::current()))
    }

    #[tokio::test]
    async fn chunks_become_the_message() {
        let mut arriving = arriving();
        arriving.start(1, 5).expect("it is within the limit");
        assert!(arriving.push(2, &Bytes::from_static(b"other")).is_none());
        assert!(arriving.push(1, &Bytes::from_static(b"abc")).is_none());
        let message = arriving.push(1, &Bytes::from_static(b"de")).expect("it is complete");
        assert_eq!(message.expect("it fits"), "abcde");
        assert!(arriving.is_empty());
    }

    #[tokio::test]
    async fn placed_bytes_are_part_of_the_message() {
        let mut arriving = arriving();
        arriving.start(1, 5).expect("it is within the limit");
        assert!(arriving.place(1, 6).is_none() && arriving.place(2, 1).is_none());
        arriving.place(1, 3).expect("there is room")[..2].copy_from_slice(b"ab");
        arriving.note_placed(1, 2);
        assert!(arriving.push(1, &Bytes::new()).is_none(), "it is not complete");
        let message = arriving.push(1, &Bytes::from_static(b"cde")).expect("it is complete");
        assert_eq!(message.expect("it fits"), "abcde");
    }

    #[tokio::test]
    async fn more_than_the_limit_is_refused_at_the_announcement() {
        let mut arriving = ArrivingMessages::new(5, BufferPool::new(Runtime::current()));
        let error = arriving.start(1, 6).expect_err("six is more than five");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(
            error.to_string().starts_with("the message has 6 bytes, and the limit is 5; "),
            "{error}"
        );
    }

    #[tokio::test]
    async fn more_than_announced_is_refused() {
        let mut arriving = arriving();
        for chunk in [&b"abc"[..], b""] {
            arriving.start(1, 2).expect("it is within the limit");
            let refused = arriving.push(1, &Bytes::from_static(chunk)).expect("it is refused");
            assert_eq!(refused.expect_err("it does not fit").kind(), ErrorKind::Protocol);
            assert!(arriving.is_empty());
        }
    }

    #[tokio::test]
    async fn memory_is_taken_for_what_has_arrived() {
        let mut arriving = arriving();
        arriving.start(1, 100_000_000).expect("it is within the limit");
        assert_eq!(arriving.assemblies[&1].buffer.capacity(), 0);
        for _ in 0..10 {
            assert!(arriving.push(1, &Bytes::from(vec![1; 100_000])).is_none());
            let Assembly { buffer, received, .. } = &arriving.assemblies[&1];
            assert!(buffer.capacity() <= FIRST_BUFFER.max(2 * received));
        }
    }
}
