//! Which thread carries a connection.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::{self, ThreadId};

use tokio::runtime::{Handle, RuntimeFlavor};

/// The thread that carries a connection: the one on which its runtime was last seen to
/// run, if that runtime has only one. While that thread waits in sync code, no answer
/// comes.
#[derive(Clone, Debug)]
pub(super) struct ConnectionThread(Option<Arc<Mutex<Option<ThreadId>>>>);

impl ConnectionThread {
    /// The carrier of what runs on the current runtime.
    pub(super) fn new() -> Self {
        let is_single = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        ConnectionThread(is_single.then(Arc::default))
    }

    /// Takes note of the thread whenever `connection` runs.
    pub(super) async fn watch<T>(self, connection: impl Future<Output = T>) -> T {
        let ConnectionThread(Some(seen)) = self else { return connection.await };
        let mut connection = pin!(connection);
        std::future::poll_fn(move |cx| -> Poll<T> {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
            connection.as_mut().poll(cx)
        })
        .await
    }

    /// Whether it is this thread.
    pub(super) fn is_this_thread(&self) -> bool {
        let ConnectionThread(Some(seen)) = self else { return false };
        *seen.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }
}
