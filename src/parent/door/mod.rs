//! The caller's door to an interpreter: calls of Python objects go straight to the agent,
//! in its frames, and no process is in between.
//!
//! The daemon passes the sockets when the parent asks for them. It starts the
//! interpreter, watches and ends it; it reports its death, and kills it if told to. To
//! the caller a call is what it is in a session: an id, a place in the table of
//! [`PendingCalls`](crate::parent::client::PendingCalls), one response. Below are the
//! frames; above is the daemon, which owns the doors. Deliberately absent: retries, and
//! any wish to know which objects there are: the agent counts the handles of each door.

mod client;
mod deadline;
mod iteration;
mod reader;

pub(crate) use client::{DoorClient, DoorKind, DoorSettings};

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::common::agent::{AgentRequest, FrameReader, Interruptible as _, watch_stuck};
use crate::common::definition::{Action, CallArgs, Operation, PythonSource};
use crate::common::error::Result;
use crate::common::transport::LaneSocket;
use crate::common::value::Handle;
use crate::parent::client::{
    CallOptions, Carrier, Expected, PendingCall, PendingCalls, Submitted, TIMEOUT_REPORT_DELAY,
};
use crate::parent::door::deadline::{timeout_error, unread_error};
use crate::parent::door::reader::read;

/// A door to an interpreter. It keeps the interpreter running. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AgentDoor(Arc<DoorShared>);

struct DoorShared {
    client: Arc<DoorClient>,
    this: Weak<DoorShared>,
    /// Dropped with the last clone; the daemon then ends the interpreter, unless somebody
    /// else has objects there.
    _hold: Box<dyn Send + Sync>,
}

/// Opens a door. Its answers are read by a task of the runtime in the settings.
pub(crate) fn open_door(
    settings: DoorSettings,
    [requests, urgent]: [OwnedFd; 2],
) -> io::Result<Arc<DoorClient>> {
    let requests = LaneSocket::new(requests);
    let reader = {
        let _entered = settings.runtime.enter();
        FrameReader::new(&requests, settings.keeper.clone())?
    };
    let client = Arc::new(DoorClient::new(settings, requests, LaneSocket::new(urgent)));
    let reading = client.runtime().spawn(read(reader, Arc::clone(&client)));
    client.abort_when_ended(reading.abort_handle());
    Ok(client)
}

impl AgentDoor {
    pub(crate) fn new(client: Arc<DoorClient>, hold: impl Send + Sync + 'static) -> Self {
        AgentDoor(Arc::new_cyclic(|this| DoorShared {
            client,
            this: Weak::clone(this),
            _hold: Box::new(hold),
        }))
    }

    /// Calls a method, or performs another operation on an object.
    pub(crate) fn call(
        &self,
        handle: &Handle,
        operation: Operation,
        arguments: CallArgs,
        options: CallOptions,
    ) -> Result<Submitted> {
        let number = self.0.client.number_of(handle)?;
        self.0.client.check_depth(&arguments)?;
        if operation.action == Action::Iterate {
            return iteration::start(self, number, operation, arguments, options);
        }
        let request = AgentRequest::of(number, operation, arguments)?;
        self.submit(&request, Expected::Value, options.timeout)
    }

    /// Makes an object. The response is its handle.
    pub(crate) fn create(
        &self,
        source: PythonSource,
        arguments: CallArgs,
        timeout: Option<Duration>,
    ) -> Result<Submitted> {
        self.0.client.check_depth(&arguments)?;
        self.submit(&AgentRequest::make(source, arguments)?, Expected::Value, timeout)
    }

    /// Asks for the description of an object.
    pub(crate) fn describe(&self, handle: &Handle) -> Result<Submitted> {
        let request = AgentRequest::describe(self.0.client.number_of(handle)?);
        self.submit(&request, Expected::Description, None)
    }

    /// Releases an object whose handle came through this door.
    pub(crate) fn release(&self, handle: &Handle, count: u64) {
        self.0.client.release(handle, count);
    }

    fn submit(
        &self,
        request: &AgentRequest,
        expected: Expected,
        timeout: Option<Duration>,
    ) -> Result<Submitted> {
        let client = &self.0.client;
        let submitted = client.send(request, expected, self.carrier(), true)?;
        if let Some(timeout) = timeout {
            expire_after(&submitted, timeout, &self.0);
        }
        Ok(submitted)
    }

    fn carrier(&self) -> Arc<dyn Carrier> {
        Arc::<DoorShared>::clone(&self.0)
    }
}

/// Fails a call with [`ErrorKind::Timeout`] unless it is answered in time. The agent is
/// told at once, and its answer says how far the call had come.
///
/// The timer runs on the keeper, because neither the waiter's runtime nor that of the
/// connection may be driven at the moment.
fn expire_after(submitted: &Submitted, timeout: Duration, door: &Arc<DoorShared>) {
    let (id, door) = (submitted.id(), Arc::clone(door));
    let keeper = door.client.keeper().clone();
    let pending = Arc::clone(door.client.pending());
    let timer = keeper.spawn(async move {
        tokio::time::sleep(timeout).await;
        let (client, pending) = (&door.client, door.client.pending());
        let expire = |call: &mut PendingCall| {
            call.expired = Some(timeout);
            call.is_answered
        };
        match pending.with(id, expire) {
            None => return,
            Some(true) => return pending.abandon(id, &*door, Some(unread_error(timeout))),
            Some(false) => client.interrupt(id),
        }
        tokio::time::sleep(TIMEOUT_REPORT_DELAY).await;
        let error = match pending.with(id, |call| call.is_answered) {
            Some(true) => unread_error(timeout),
            // Code that does not react runs, or another call does.
            _ => timeout_error(timeout, client.is_running(id)),
        };
        pending.abandon(id, &*door, Some(error));
    });
    let handle = timer.abort_handle();
    if pending.with(id, |call| call.timer = Some(handle)).is_none() {
        // It has completed meanwhile.
        timer.abort();
    }
}

/// The request is interrupted, and watched until it is answered. Until then the
/// interpreter is kept. One whose answer is being decoded needs neither.
impl Carrier for DoorShared {
    fn cancel(&self, pending: &Arc<PendingCalls>, id: u64, is_expired: bool) {
        let client = &self.client;
        // It does not run any more.
        if pending.with(id, |call| call.is_answered) == Some(true) {
            return;
        }
        if !is_expired {
            client.interrupt(id);
        }
        let Some(door) = self.this.upgrade() else { return };
        let watching = async move {
            let client = &door.client;
            match watch_stuck(&**client, id, client.kill_when_stuck(), true).await {}
        };
        let watching = client.keeper().spawn(watching).abort_handle();
        if pending.with(id, |call| call.timer = Some(watching.clone())).is_none() {
            // It has been answered meanwhile.
            watching.abort();
        }
    }

    fn release(&self, _: &Arc<PendingCalls>, handle: &Handle, count: u64) {
        self.client.release(handle, count);
    }
}

impl fmt::Debug for AgentDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DoorShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("interpreter", &self.client.facts().pid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
