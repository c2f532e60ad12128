//! Iterations: the items of a Python object, as the caller allows.
//!
//! Each is several requests, made by a task. To the caller it is one operation, in a
//! table of its own.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::common::agent::{AgentRequest, BATCH, Interruptible as _, makes_items, malformed};
use crate::common::definition::{CallArgs, Operation, PythonOptions, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Credit, Inbound, IncomingItems, ProducerControl, Window};
use crate::common::value::{Handle, Value};
use crate::parent::client::{
    CallOptions, Carrier, Expected, ItemBatch, PendingCalls, Response, Submitted,
};
use crate::parent::door::AgentDoor;
use crate::parent::door::deadline::timeout_error;

/// How long a stream may wait for its consumer when the daemon begins to end. One that
/// waits longer is not read, and would take the whole grace.
const STALL: Duration = Duration::from_millis(100);

/// An iteration. It carries its own operation: to cancel that is to abort its task.
struct Iteration {
    door: AgentDoor,
    credit: Arc<Credit>,
    task: Mutex<Option<AbortHandle>>,
    /// Not the task's own: an aborted task is dropped when its runtime gets to it, and
    /// the interpreter may have ended by then.
    iterator: Mutex<Option<Made>>,
    /// The request that it begins with.
    first: u64,
    has_begun: AtomicBool,
}

/// Grants the iteration more items, or stops it.
#[derive(Debug)]
struct Control {
    iteration: Arc<Iteration>,
    id: u64,
}

/// An object that the iteration has made.
struct Made {
    door: AgentDoor,
    handle: Handle,
}

/// Iterates over what a call returns, or over the object itself. Other calls have their
/// turns in between.
pub(super) fn start(
    door: &AgentDoor,
    number: u64,
    operation: Operation,
    arguments: CallArgs,
    options: CallOptions,
) -> Result<Submitted> {
    let (client, returns, python) = (&door.0.client, operation.returns, operation.python);
    let is_call = !operation.name.is_empty();
    let request = match is_call {
        true => {
            // Nobody asks for a coroutine as a proxy here.
            let python = PythonOptions { is_awaited: true, ..python };
            let operation = Operation { returns: Returns::Handle, python, ..operation };
            AgentRequest::of(number, operation, arguments)?
        }
        false => AgentRequest::operator(number, "iter", Returns::Handle)
            .on_main_thread(python.is_on_main_thread),
    };
    // Now, because this is its place in the order.
    let first = client.send(&request, Expected::Value, door.carrier(), true)?;
    let iteration = Arc::new(Iteration {
        door: door.clone(),
        credit: Arc::new(Credit::new(options.window.items())),
        task: Mutex::default(),
        iterator: Mutex::default(),
        first: first.id(),
        has_begun: AtomicBool::new(false),
    });
    let carrier = Arc::<Iteration>::clone(&iteration);
    let submitted = Submitted::register(client.streams(), carrier)?;
    let id = submitted.id();
    let running = Arc::clone(&iteration);
    let task = client.runtime().spawn(async move {
        let outcome = running.run(id, first, is_call, returns, options).await;
        running.close();
        let response = outcome.map(|()| Response::Done);
        drop(running.streams().complete(id, response));
    });
    *iteration.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    if let Some(timeout) = options.timeout {
        expire_after(iteration, id, timeout);
    }
    Ok(submitted)
}

/// Fails an iteration that has not ended in time.
fn expire_after(iteration: Arc<Iteration>, id: u64, timeout: Duration) {
    let (streams, client) = (Arc::clone(iteration.streams()), Arc::clone(&iteration.door.0.client));
    let timer = client.keeper().spawn(async move {
        tokio::time::sleep(timeout).await;
        let Iteration { has_begun, first, .. } = &*iteration;
        let has_begun =
            has_begun.load(Ordering::Relaxed) || iteration.door.0.client.is_running(*first);
        let error = timeout_error(timeout, has_begun);
        iteration.streams().abandon(id, &*iteration, Some(error));
    });
    let handle = timer.abort_handle();
    if streams.with(id, |call| call.timer = Some(handle)).is_none() {
        // It has ended meanwhile.
        timer.abort();
    }
}

impl Iteration {
    async fn run(
        self: &Arc<Self>,
        id: u64,
        first: Submitted,
        is_call: bool,
        returns: Returns,
        CallOptions { window, python, .. }: CallOptions,
    ) -> Result<()> {
        let is_on_main_thread = python.is_on_main_thread;
        let mut made = self.made(first.await?)?;
        self.has_begun.store(true, Ordering::Relaxed);
        if is_call {
            let number = self.door.0.client.number_of(&made.handle)?;
            let iter = AgentRequest::operator(number, "iter", Returns::Handle);
            let iter = iter.on_main_thread(is_on_main_thread);
            made = self.made(self.submit(&iter, Expected::Value)?.await?)?;
        }
        let number = self.door.0.client.number_of(&made.handle)?;
        // As in a local loop: code that makes an item runs when the consumer waits for
        // it, unless the caller has asked for some ahead.
        let is_on_demand = !window.is_exact() && makes_items(made.handle.type_name());
        *self.iterator() = Some(made);
        let Some(inbound) = self.open(id, window) else { return Ok(()) };
        loop {
            let wanted = async {
                let room = self.credit.room().await;
                if is_on_demand {
                    inbound.wanted().await;
                }
                room
            };
            let room = tokio::select! {
                biased;
                room = wanted => room,
                () = self.stalled() => return Err(closed()),
            };
            let begun = Instant::now();
            let request = AgentRequest::items(number, room.min(BATCH), returns)
                .on_main_thread(is_on_main_thread);
            let response = self.submit(&request, Expected::Items)?.await?;
            let Response::Items(ItemBatch { items, is_exhausted, bytes }) = response else {
                return Err(malformed());
            };
            self.credit.spend(items.len());
            for handle in inbound.push(items, bytes)?.iter().flat_map(Value::handles) {
                self.door.release(&handle, 1);
            }
            if is_exhausted {
                return Ok(());
            }
            if begun.elapsed() > STALL && self.streams().is_ending() {
                return Err(closed());
            }
        }
    }

    /// Waits until the daemon begins to end, and [`STALL`] longer.
    async fn stalled(&self) {
        self.streams().ending().await;
        // On the keeper, because the caller's runtime may have no timer.
        let patience = self.door.0.client.keeper().spawn(async {
            tokio::time::sleep(STALL).await;
        });
        let _ = patience.await;
    }

    /// Answers the call with the receiving end of the stream; `None` if nobody waits any
    /// more.
    fn open(self: &Arc<Self>, id: u64, window: Window) -> Option<Arc<Inbound>> {
        let inbound = Arc::<Inbound>::default();
        let opened = self.streams().with(id, |call| {
            let response = call.response.take()?;
            call.inbound = Some(Arc::clone(&inbound));
            Some(response)
        });
        let response = opened.flatten()?;
        let control = Control { iteration: Arc::clone(self), id };
        let items = IncomingItems::new(Arc::clone(&inbound), Arc::new(control), window);
        // If the caller has stopped waiting at this very moment, the stream is dropped
        // here, which stops it.
        drop(response.send(Ok(Response::Opened(items))));
        Some(inbound)
    }

    fn submit(&self, request: &AgentRequest, expected: Expected) -> Result<Submitted> {
        let client = &self.door.0.client;
        client.send(request, expected, self.door.carrier(), false)
    }

    fn made(&self, response: Response) -> Result<Made> {
        match response {
            Response::Returned(Value::Handle(handle)) => {
                Ok(Made { door: self.door.clone(), handle })
            }
            _ => Err(malformed()),
        }
    }

    /// Gives the iterator back, if there is one. As after a `break`, it is closed if
    /// nothing else refers to it.
    fn close(&self) {
        let iterator = self.iterator().take();
        drop(iterator);
    }

    fn iterator(&self) -> MutexGuard<'_, Option<Made>> {
        self.iterator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> &Arc<PendingCalls> {
        self.door.0.client.streams()
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the daemon is shutting down, and the stream was idle")
}

impl Carrier for Iteration {
    fn cancel(&self, streams: &Arc<PendingCalls>, id: u64, _: bool) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
        self.close();
        // The task does not remove it any more.
        drop(streams.claim(id));
    }

    fn release(&self, _: &Arc<PendingCalls>, handle: &Handle, count: u64) {
        self.door.release(handle, count);
    }
}

impl ProducerControl for Control {
    fn grant(&self, items: u32) {
        self.iteration.credit.grant(items);
    }

    fn stop(&self) {
        // In a copy made by `fork`, the locks may be held by threads that do not exist
        // there.
        if !self.iteration.streams().is_forked_copy() {
            self.iteration.streams().abandon(self.id, &*self.iteration, None);
        }
    }

    fn discard(&self, items: &[Value]) {
        if !self.iteration.streams().is_forked_copy() {
            items
                .iter()
                .flat_map(Value::handles)
                .for_each(|handle| self.iteration.door.release(&handle, 1));
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.door.release(&self.handle, 1);
    }
}

impl fmt::Debug for Iteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iteration").finish_non_exhaustive()
    }
}
