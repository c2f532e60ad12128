//! Releasing objects in responses that nobody waits for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::value::Handle;
use crate::parent::client::pending::{Carrier, PendingCalls};
use crate::parent::client::response::Response;

/// Releases each object as often as its handle occurs.
pub(crate) fn release_all(
    pending: &Arc<PendingCalls>,
    carrier: &dyn Carrier,
    handles: impl Iterator<Item = Handle>,
) {
    let mut counts: HashMap<Handle, u64> = HashMap::new();
    handles.for_each(|handle| *counts.entry(handle).or_default() += 1);
    counts.iter().for_each(|(handle, count)| carrier.release(pending, handle, *count));
}

/// Releases the objects in a response that nobody waits for any more.
pub(super) fn release_unclaimed(
    pending: &Arc<PendingCalls>,
    carrier: &dyn Carrier,
    unclaimed: Option<Response>,
) {
    release_all(pending, carrier, unclaimed.iter().flat_map(Response::handles));
}
