//! The session as what carries operations.

use std::sync::Arc;

use crate::common::value::Handle;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{Outbox, handle_to_pb, pb};
use crate::parent::client::pending::{Carrier, PendingCalls};

impl Carrier for Outbox<pb::SessionRequest> {
    fn cancel(&self, _: &Arc<PendingCalls>, id: u64, _: bool) {
        // Some chunks of a detached message may have been sent; the cancel covers those.
        let _ = self.withdraw(id);
        let operation = Some(Operation::Cancel(pb::Cancel {}));
        self.send(pb::SessionRequest { id, operation, detached: 0 });
    }

    fn release(&self, pending: &Arc<PendingCalls>, handle: &Handle, count: u64) {
        // A handle without a daemon was made up by somebody and names no object.
        if handle.daemon().is_nil() {
            return;
        }
        let Some(id) = pending.unawaited_id() else { return };
        let release = pb::ReleaseRequest { handle: Some(handle_to_pb(handle)), count };
        let operation = Some(Operation::Release(release));
        self.send(pb::SessionRequest { id, operation, detached: 0 });
    }
}
