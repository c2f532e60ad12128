//! The streams that calls return.

use std::sync::Arc;

use prost::Message as _;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Inbound, IncomingItems, ProducerControl};
use crate::common::value::Value;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, pb, values_from_pb};
use crate::parent::client::limits::Limits;
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::release::release_all;
use crate::parent::client::response::Response;

/// Sends flow-control credit to the daemon, which produces the stream's items.
#[derive(Debug)]
struct Download {
    id: u64,
    pending: Arc<PendingCalls>,
    outbox: Outbox<pb::SessionRequest>,
}

/// Answers a call that has returned a stream with the receiving end of it.
pub(super) fn open(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    id: u64,
    is_on_demand: bool,
) {
    let inbound = Arc::<Inbound>::default();
    let opened = pending.with(id, |call| {
        let response = call.response.take()?;
        call.inbound = Some(Arc::clone(&inbound));
        Some((response, call.window))
    });
    // Otherwise nobody waits any more, and the cancel is on its way.
    let Some((response, window)) = opened.flatten() else { return };
    let control = Download { id, pending: Arc::clone(pending), outbox: outbox.clone() };
    let items = IncomingItems::new(inbound, Arc::new(control), window.opened(is_on_demand));
    // If the caller has stopped waiting at this very moment, the stream is dropped here,
    // which stops it.
    drop(response.send(Ok(Response::Opened(items))));
}

/// Delivers items that have arrived.
pub(super) fn receive(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    id: u64,
    items: pb::Items,
    limits: Limits,
) {
    let inbound = pending.with(id, |call| call.inbound.clone()).flatten();
    match push(inbound.as_deref(), items, limits) {
        Ok(unclaimed) => discard(pending, outbox, &unclaimed),
        Err(error) => pending.abandon(id, outbox, Some(error)),
    }
}

/// Releases the objects in items that nobody reads.
fn discard(pending: &Arc<PendingCalls>, outbox: &Outbox<pb::SessionRequest>, items: &[Value]) {
    release_all(pending, outbox, items.iter().flat_map(Value::handles));
}

/// Decodes items and puts them where they are read. Returns them if nobody reads them any
/// more.
fn push(inbound: Option<&Inbound>, items: pb::Items, limits: Limits) -> Result<Vec<Value>> {
    let bytes = items.encoded_len();
    let values = values_from_pb(items.values)
        .map_err(|error: Error| error.with_kind(ErrorKind::Protocol))?;
    values.iter().try_for_each(|value| value.check_depth(limits.depth))?;
    match inbound {
        Some(inbound) => inbound.push(values, bytes),
        None => Ok(values),
    }
}

impl ProducerControl for Download {
    fn grant(&self, items: u32) {
        let operation = Some(Operation::Credit(pb::Credit { stream: 0, items }));
        self.outbox.send(pb::SessionRequest { id: self.id, operation, detached: 0 });
    }

    fn stop(&self) {
        // In a copy made by `fork`, the locks may be held by threads that do not exist
        // there.
        if !self.pending.is_forked_copy() {
            self.pending.abandon(self.id, &self.outbox, None);
        }
    }

    fn discard(&self, items: &[Value]) {
        if !self.pending.is_forked_copy() {
            discard(&self.pending, &self.outbox, items);
        }
    }
}
