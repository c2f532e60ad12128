//! Reads the answers that come through a door.

use std::io;
use std::sync::Arc;

use tracing::debug;

use crate::common::agent::{FrameReader, Interruptible as _};
use crate::common::error::{Error, ErrorKind, KillReason};
use crate::parent::door::client::DoorClient;

/// Reads answers until their end.
pub(super) async fn read(mut reader: FrameReader, client: Arc<DoorClient>) {
    let mut lost = RuntimeEndNotifier(Some(Arc::clone(&client)));
    let malformed = loop {
        match reader.frame().await {
            Ok(frame) => {
                if let Err(what) = client.deliver(frame) {
                    break Some(what.to_owned());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                break Some(error.to_string());
            }
            Err(_) => break None,
        }
    };
    drop(reader);
    let facts = client.facts();
    let (program, pid) = (&facts.executable, facts.pid);
    debug!(pid, "an interpreter has closed its door");
    if let Some(what) = malformed {
        let message = format!("killed the interpreter `{program}` (process {pid}): {what}");
        client.fail(&Error::new(ErrorKind::Protocol, message));
        client.kill(KillReason::Malformed);
    }
    let waiting = Arc::clone(&client);
    // On the keeper, because this runtime may not be driven.
    client.keeper().spawn(async move {
        if !waiting.end_reported().await {
            let message = format!(
                "the interpreter `{}` (process {}) has closed its socket, but no exit was reported",
                waiting.facts().executable,
                waiting.facts().pid
            );
            waiting.fail(&Error::new(ErrorKind::Protocol, message));
            // Nobody can reach its objects.
            waiting.kill(KillReason::Closed);
        }
    });
    lost.0 = None;
    client.set_read_out();
}

/// Fails all calls if the reader is dropped in the middle because its runtime has ended.
struct RuntimeEndNotifier(Option<Arc<DoorClient>>);

impl Drop for RuntimeEndNotifier {
    fn drop(&mut self) {
        let Some(client) = &self.0 else { return };
        // If another reason was recorded before, that one counts.
        let message = "the async runtime that carried the connection has ended";
        let advice = "start the daemon in a runtime that outlives its proxies";
        client.fail(&Error::new(ErrorKind::RuntimeEnded, message).advise(advice));
    }
}
