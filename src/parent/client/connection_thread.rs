//! The thread that carries a connection.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::{self, ThreadId};

use tokio::runtime::{Handle, RuntimeFlavor};

/// The thread that carries a connection, if its runtime has only one: the thread that
/// last polled it. While that thread waits in sync code, no response can arrive.
#[derive(Clone, Debug)]
pub(super) struct ConnectionThread(Option<Arc<Mutex<Option<ThreadId>>>>);

impl ConnectionThread {
    /// The thread of a connection on the current runtime.
    pub(super) fn new() -> Self {
        let is_single = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        ConnectionThread(is_single.then(Arc::default))
    }

    /// Runs the connection, and records the thread at each poll.
    pub(super) async fn watch<T>(self, connection: impl Future<Output = T>) -> T {
        let ConnectionThread(Some(thread)) = self else { return connection.await };
        let mut connection = pin!(connection);
        std::future::poll_fn(move |cx| -> Poll<T> {
            *thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
            connection.as_mut().poll(cx)
        })
        .await
    }

    /// Whether the current thread carries the connection.
    pub(super) fn is_current(&self) -> bool {
        let ConnectionThread(Some(thread)) = self else { return false };
        *thread.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }
}
