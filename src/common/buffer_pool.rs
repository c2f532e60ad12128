//! Buffers of large messages, which are used again.
//!
//! The allocator gives a buffer of this size back to the kernel. For a new one the kernel
//! clears each page when it is touched first, which costs as much as to copy the bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle as Runtime;

/// How many bytes of buffers are kept.
const MAX_KEPT: usize = 128 * 1024 * 1024;

/// How many buffers are kept.
const MAX_BUFFERS: usize = 4;

/// Smaller buffers are not kept; the allocator keeps them itself.
const MIN_KEPT: usize = 128 * 1024;

/// How long buffers are kept while no message needs them.
const IDLE: Duration = Duration::from_secs(2);

/// The buffers of one session and direction that are not in use.
#[derive(Clone, Debug)]
pub(crate) struct BufferPool(Arc<PoolShared>);

#[derive(Debug)]
struct PoolShared {
    state: Mutex<PoolState>,
    /// Where the time runs after which buffers are given back.
    runtime: Runtime,
    /// How many buffers are kept at most.
    most: usize,
}

#[derive(Debug, Default)]
struct PoolState {
    buffers: Vec<Vec<u8>>,
    /// A buffer was taken or given back since the task that waits for [`IDLE`] looked.
    was_used: bool,
    is_watched: bool,
}

/// The bytes of a message in a buffer of a pool.
struct PooledMessage {
    buffer: Vec<u8>,
    len: usize,
    pool: Weak<PoolShared>,
}

impl BufferPool {
    /// Creates a pool; `runtime` is one that is always driven.
    pub(crate) fn new(runtime: Runtime) -> Self {
        BufferPool(Arc::new(PoolShared { state: Mutex::default(), runtime, most: MAX_BUFFERS }))
    }

    /// A pool that keeps nothing, for a peer that must not make this process keep memory.
    pub(crate) fn keeping_nothing(runtime: Runtime) -> Self {
        BufferPool(Arc::new(PoolShared { state: Mutex::default(), runtime, most: 0 }))
    }

    /// Takes a buffer for a message of `len` bytes, if there is one that is neither too
    /// small nor much too large: a message is kept together with its buffer.
    pub(crate) fn take(&self, len: usize) -> Option<Vec<u8>> {
        let mut state = self.0.state();
        state.was_used = true;
        let fits = |buffer: &Vec<u8>| (len..=len.saturating_mul(2)).contains(&buffer.len());
        let index = state.buffers.iter().position(fits)?;
        Some(state.buffers.swap_remove(index))
    }

    /// Makes a message of the first `len` bytes of a buffer. The buffer comes back when
    /// the last part of the message is dropped.
    pub(crate) fn message(&self, buffer: Vec<u8>, len: usize) -> Bytes {
        if buffer.len() < MIN_KEPT {
            return Bytes::from(buffer).slice(..len);
        }
        Bytes::from_owner(PooledMessage { buffer, len, pool: Arc::downgrade(&self.0) })
    }
}

impl PoolShared {
    fn give_back(self: &Arc<Self>, buffer: Vec<u8>) {
        let mut state = self.state();
        state.was_used = true;
        state.buffers.push(buffer);
        // The oldest go first.
        let mut dropped = Vec::new();
        while state.buffers.len() > self.most || state.kept() > MAX_KEPT {
            dropped.push(state.buffers.remove(0));
        }
        let must_watch = !state.is_watched && !state.buffers.is_empty();
        state.is_watched |= must_watch;
        drop(state);
        if must_watch {
            self.runtime.spawn(give_up(Arc::downgrade(self)));
        }
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PoolState {
    fn kept(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }
}

/// Drops the buffers of a pool once it has not been used for a while.
async fn give_up(pool: Weak<PoolShared>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.state();
        if !std::mem::take(&mut state.was_used) {
            state.is_watched = false;
            let buffers = std::mem::take(&mut state.buffers);
            drop(state);
            return drop(buffers);
        }
    }
}

impl AsRef<[u8]> for PooledMessage {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for PooledMessage {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> BufferPool {
        BufferPool::new(Runtime::current())
    }

    #[tokio::test]
    async fn buffer_is_used_again_once_its_message_is_dropped() {
        let pool = pool();
        let buffer = vec![0; MIN_KEPT];
        let place = buffer.as_ptr();
        let part = pool.message(buffer, MIN_KEPT).slice(1..2);
        assert!(pool.take(MIN_KEPT).is_none(), "a part of the message is in use");
        drop(part);
        assert!(pool.take(MIN_KEPT / 2 - 1).is_none(), "it is much too large");
        let buffer = pool.take(MIN_KEPT).expect("it is back");
        assert_eq!(buffer.as_ptr(), place);
    }

    #[tokio::test]
    async fn kept_buffers_are_bounded() {
        let pool = pool();
        let messages: Vec<Bytes> =
            (0..MAX_BUFFERS + 3).map(|_| pool.message(vec![0; MIN_KEPT], 1)).collect();
        drop(messages);
        assert_eq!(pool.0.state().buffers.len(), MAX_BUFFERS);
        drop(pool.message(vec![0; MAX_KEPT + 1], 1));
        assert!(pool.0.state().buffers.is_empty());
    }

    #[tokio::test]
    async fn pool_that_keeps_nothing_gives_buffers_back_at_once() {
        let pool = BufferPool::keeping_nothing(Runtime::current());
        drop(pool.message(vec![0; MIN_KEPT], 1));
        assert!(pool.0.state().buffers.is_empty() && !pool.0.state().is_watched);
    }

    #[tokio::test(start_paused = true)]
    async fn unused_buffers_are_given_back() {
        let pool = pool();
        drop(pool.message(vec![0; MIN_KEPT], 1));
        tokio::time::sleep(IDLE * 3).await;
        assert!(pool.0.state().buffers.is_empty());
        let message = pool.message(vec![0; MIN_KEPT], 1);
        drop(pool);
        drop(message);
    }
}
