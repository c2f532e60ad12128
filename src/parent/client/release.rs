//! Releasing objects in the daemon.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::value::Handle;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, handle_to_pb, pb};
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::response::Response;

/// Releases an object `count` times, without waiting for the response. If the daemon has ended, so has
/// the object.
pub(super) fn release(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    handle: &Handle,
    count: u64,
) {
    // A handle without a daemon was made up by somebody and names no object.
    if handle.daemon().is_nil() {
        return;
    }
    let Some(id) = pending.unawaited_id() else { return };
    let release = pb::ReleaseRequest { handle: Some(handle_to_pb(handle)), count };
    let operation = Some(Operation::Release(release));
    outbox.send(pb::SessionRequest { id, operation, detached: 0 });
}

/// Releases each object as often as its handle occurs.
pub(super) fn release_all(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    handles: impl Iterator<Item = Handle>,
) {
    let mut counts: HashMap<Handle, u64> = HashMap::new();
    handles.for_each(|handle| *counts.entry(handle).or_default() += 1);
    if counts.is_empty() {
        return;
    }
    outbox.cork();
    counts.iter().for_each(|(handle, count)| release(pending, outbox, handle, *count));
    outbox.uncork();
}

/// Releases the objects in a response that nobody waits for any more.
pub(super) fn release_unclaimed(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    unclaimed: Option<Response>,
) {
    release_all(pending, outbox, unclaimed.iter().flat_map(Response::handles));
}
