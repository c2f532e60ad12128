//! Sends what an iterator has made, while it makes the next item.

use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::common::error::Result;
use crate::common::stream::{Gathered, Taken};
use crate::common::value::Value;

/// How long an item may wait for others that are sent with it.
const PATIENCE: Duration = Duration::from_millis(1);

/// The items that an iterator has made. Most are sent together, by the task that runs the
/// iterator. If that takes longer for the next one, another task sends them meanwhile.
#[derive(Debug)]
pub(super) struct MadeItems {
    shared: Arc<MadeShared>,
    _sending: AbortOnDropHandle<()>,
}

/// Sends items to the caller.
type SendItems = Box<dyn Fn(Vec<Value>) -> BoxFuture<'static, Result<()>> + Send + Sync>;

struct MadeShared {
    gathered: Gathered,
    send: SendItems,
    /// Held from taking items until they are sent, so that they stay in order.
    turn: Mutex<()>,
    /// Why the other task could not send items.
    failed: SyncMutex<Result<()>>,
}

impl MadeItems {
    pub(super) fn new(send: SendItems) -> Self {
        let shared = Arc::new(MadeShared {
            gathered: Gathered::default(),
            send,
            turn: Mutex::default(),
            failed: SyncMutex::new(Ok(())),
        });
        let sending = tokio::spawn(Arc::clone(&shared).send_what_waits());
        MadeItems { shared, _sending: AbortOnDropHandle::new(sending) }
    }

    /// Where the iterator adds its items.
    pub(super) fn gathered(&self) -> &Gathered {
        &self.shared.gathered
    }

    /// Sends what has not been sent.
    pub(super) async fn send(&self) -> Result<()> {
        let _turn = self.shared.turn.lock().await;
        self.shared.failed().clone()?;
        match self.shared.gathered.take() {
            items if items.is_empty() => Ok(()),
            items => (self.shared.send)(items).await,
        }
    }
}

impl MadeShared {
    async fn send_what_waits(self: Arc<Self>) {
        loop {
            self.gathered.wait().await;
            // Quick iterators are looked at once in a while, and never waited for.
            loop {
                sleep(PATIENCE).await;
                let _turn = self.turn.lock().await;
                match self.gathered.take_after(PATIENCE) {
                    Taken::None => break,
                    Taken::TooEarly => {}
                    Taken::Items(items) => {
                        if let Err(error) = (self.send)(items).await {
                            *self.failed() = Err(error);
                            return;
                        }
                    }
                }
            }
        }
    }

    fn failed(&self) -> MutexGuard<'_, Result<()>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MadeShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeShared").field("gathered", &self.gathered).finish_non_exhaustive()
    }
}
