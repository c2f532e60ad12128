//! Releasing objects in the daemon.

use std::sync::Arc;

use crate::common::value::Handle;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, handle_to_pb, pb};
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::response::Response;

/// Releases an object, without waiting for the response. If the daemon has ended, so has
/// the object.
pub(super) fn release(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    handle: &Handle,
) {
    // A handle without a daemon was made up by somebody and names no object.
    if handle.daemon().is_nil() {
        return;
    }
    let Some(id) = pending.register_unawaited() else { return };
    let release = pb::ReleaseRequest { handle: Some(handle_to_pb(handle)), count: 1 };
    let operation = Some(Operation::Release(release));
    outbox.send(pb::SessionRequest { id, operation, detached: 0 });
}

/// Releases the objects in a response that nobody waits for any more.
pub(super) fn release_unclaimed(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    unclaimed: Option<Response>,
) {
    for handle in unclaimed.iter().flat_map(Response::handles) {
        release(pending, outbox, &handle);
    }
}
