//! The streams that calls return: their items are put where they are read, and more are
//! allowed as they are.

use std::sync::Arc;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Inbound, IncomingItems, ProducerControl};
use crate::common::value::Value;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, pb, values_from_pb};
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::{Limits, Response, release};

/// The way to who makes the items of a stream.
#[derive(Debug)]
struct Download {
    id: u64,
    pending: Arc<PendingCalls>,
    outbox: Outbox<pb::SessionRequest>,
}

/// A call has returned a stream: who waits for the answer gets that.
pub(super) fn open(pending: &Arc<PendingCalls>, outbox: &Outbox<pb::SessionRequest>, id: u64) {
    let inbound = Arc::<Inbound>::default();
    let opened = pending.with(id, |waiting| {
        let answer = waiting.answer.take()?;
        waiting.inbound = Some(Arc::clone(&inbound));
        Some((answer, waiting.window))
    });
    // Nobody waits any more, and the cancel is on its way.
    let Some((answer, window)) = opened.flatten() else { return };
    let upstream = Download { id, pending: Arc::clone(pending), outbox: outbox.clone() };
    // If whoever waited has gone this moment, the stream is dropped, and that stops it.
    drop(answer.send(Ok(Response::Opened(IncomingItems::new(
        inbound,
        Arc::new(upstream),
        window,
    )))));
}

/// Items have come.
pub(super) fn take(
    pending: &Arc<PendingCalls>,
    outbox: &Outbox<pb::SessionRequest>,
    id: u64,
    items: pb::Items,
    limits: Limits,
) {
    let inbound = pending.with(id, |waiting| waiting.inbound.clone()).flatten();
    match push(inbound.as_deref(), items, limits) {
        Ok(nobodys) => discard(pending, outbox, &nobodys),
        Err(error) => pending.abandon(id, outbox, Some(error)),
    }
}

/// The objects in items that nobody takes are released.
fn discard(pending: &Arc<PendingCalls>, outbox: &Outbox<pb::SessionRequest>, items: &[Value]) {
    items.iter().flat_map(Value::handles).for_each(|handle| release(pending, outbox, &handle));
}

/// Gives back what nobody takes.
fn push(inbound: Option<&Inbound>, items: pb::Items, limits: Limits) -> Result<Vec<Value>> {
    let values = values_from_pb(items.values)
        .map_err(|error: Error| error.with_kind(ErrorKind::Protocol))?;
    values.iter().try_for_each(|value| value.check_depth(limits.depth))?;
    match inbound {
        Some(inbound) => inbound.push(values),
        None => Ok(values),
    }
}

impl ProducerControl for Download {
    fn grant(&self, items: u32) {
        let operation = Some(Operation::Credit(pb::Credit { stream: 0, items }));
        self.outbox.send(pb::SessionRequest { id: self.id, operation, detached: 0 });
    }

    fn stop(&self) {
        // In a fork's copy the locks may be held by threads that it does not have.
        if !self.pending.is_copy() {
            self.pending.abandon(self.id, &self.outbox, None);
        }
    }

    fn discard(&self, items: &[Value]) {
        if !self.pending.is_copy() {
            discard(&self.pending, &self.outbox, items);
        }
    }
}
