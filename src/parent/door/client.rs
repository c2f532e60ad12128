//! The requests that went through a door, and their answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::common::agent::{
    self, AgentHandle, AgentRequest, Frame, FrameWriter, Interruptible, Item, NOT_ASKED, ObjectId,
    is_begun, is_interruption, item_value, no_handles, number_of, outcome, watch_stuck,
};
use crate::common::definition::{CallArgs, InterpreterFacts};
use crate::common::error::{Error, ErrorKind, KillReason, Result};
use crate::common::threads::run_aside_or_here;
use crate::common::transport::LaneSocket;
use crate::common::value::{Handle, MAX_DEPTH, ObjectKind, Value};
use crate::common::wire::{exception_from_pb, exception_to_pb, too_large};
use crate::parent::client::{
    Carrier, ClaimedCall, Description, Expected, ItemBatch, Limits, PendingCall, PendingCalls,
    Response, Submitted,
};
use crate::parent::door::deadline::expired_error;

/// How long the last frames of a dead interpreter are still read.
const LAST_FRAMES: Duration = Duration::from_millis(50);

/// Answers from this size on are decoded on a thread of their own, so that they do not
/// hold up others.
const DECODE_ASIDE: usize = 256 * 1024;

/// What a door belongs to.
pub(crate) struct DoorSettings {
    pub(crate) daemon: Uuid,
    /// The interpreter's number in the daemon.
    pub(crate) interpreter: u64,
    pub(crate) facts: InterpreterFacts,
    pub(crate) kind: DoorKind,
    pub(crate) limits: Limits,
    /// The runtime that reads the answers.
    pub(crate) runtime: Runtime,
    /// The runtime of the timers; it is always driven.
    pub(crate) keeper: Runtime,
    /// Asks the daemon to kill the interpreter.
    pub(crate) kill: Box<dyn Fn(KillReason) + Send + Sync>,
}

/// What the parent must know of the interpreter behind a door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DoorKind {
    pub(crate) kill_when_stuck: Option<Duration>,
    /// Whether it carries out calls on threads, and so several at once.
    pub(crate) has_threads: bool,
}

/// The requests that went through a door, and their answers.
pub(crate) struct DoorClient {
    settings: DoorSettings,
    pending: Arc<PendingCalls>,
    /// The iterations, each of which makes several requests.
    streams: Arc<PendingCalls>,
    requests: FrameWriter,
    urgent: FrameWriter,
    /// Whether the daemon ends, and nothing new is sent.
    is_ending: AtomicBool,
    /// Cancelled when all answers have been read.
    read_out: CancellationToken,
}

impl DoorClient {
    pub(super) fn new(settings: DoorSettings, requests: LaneSocket, urgent: LaneSocket) -> Self {
        let runtime = settings.runtime.clone();
        DoorClient {
            pending: PendingCalls::new(),
            streams: PendingCalls::new(),
            requests: FrameWriter::new(requests, runtime.clone()),
            urgent: FrameWriter::new(urgent, runtime),
            is_ending: AtomicBool::new(false),
            read_out: CancellationToken::new(),
            settings,
        }
    }

    /// Ends the reader with the interpreter, a forked copy of which may hold the other
    /// end of the socket for ever.
    pub(super) fn abort_when_ended(&self, reading: AbortHandle) {
        let read_out = self.read_out.clone();
        self.keeper().spawn(async move {
            read_out.cancelled().await;
            reading.abort();
        });
    }

    /// Sends a request after those that were sent before. One that `begins` a call is
    /// refused when the daemon ends.
    pub(super) fn send(
        &self,
        request: &AgentRequest,
        expected: Expected,
        carrier: Arc<dyn Carrier>,
        begins: bool,
    ) -> Result<Submitted> {
        let frame = request.frame(&mut |handle| self.number_of(handle))?;
        let (len, limit) = (frame.len(), self.settings.limits.message);
        if len > limit {
            return Err(too_large(len, limit));
        }
        self.requests.send(frame, || {
            let submitted = Submitted::register(&self.pending, carrier)?;
            if begins && self.is_ending.load(Ordering::Relaxed) {
                // It was not sent, so no answer will remove it.
                drop(self.pending.claim(submitted.id()));
                return Err(Error::new(
                    ErrorKind::Closed,
                    "the daemon is shutting down and accepts no more calls",
                ));
            }
            if expected != Expected::Value {
                self.pending.with(submitted.id(), |call| call.expected = expected);
            }
            Ok((submitted.id(), submitted))
        })
    }

    /// Releases an object `count` times, without waiting for the answer. If the
    /// interpreter has ended, so has the object.
    pub(super) fn release(self: &Arc<Self>, handle: &Handle, count: u64) {
        let Some(id) = ObjectId::of(handle.id()) else { return };
        let request = AgentRequest::release(id.object, count);
        if self.kill_when_stuck().is_some() {
            return self.send_unawaited(&request);
        }
        if let Ok(frame) = request.frame(&mut no_handles) {
            self.requests.post(frame);
        }
    }

    /// Sends a request for whose answer nobody waits. If it takes too long, it is treated
    /// as stuck.
    pub(super) fn send_unawaited(self: &Arc<Self>, request: &AgentRequest) {
        let Ok(frame) = request.frame(&mut |handle| self.number_of(handle)) else { return };
        let ended = || Error::new(ErrorKind::Died, "the interpreter has ended");
        let register = || {
            let id = self.pending.register_unawaited().ok_or_else(ended)?;
            Ok((id, id))
        };
        let Ok(id) = self.requests.send(frame, register) else { return };
        let Some(grace) = self.kill_when_stuck() else { return };
        let client = Arc::clone(self);
        let watching = async move { match watch_stuck(&*client, id, Some(grace), false).await {} };
        let watching = self.keeper().spawn(watching).abort_handle();
        if self.pending.with(id, |call| call.timer = Some(watching.clone())).is_none() {
            // It has been answered meanwhile.
            watching.abort();
        }
    }

    /// Delivers an answer to its waiter.
    ///
    /// # Errors
    ///
    /// What is wrong with the frame.
    pub(super) fn deliver(self: &Arc<Self>, frame: Frame) -> Result<(), &'static str> {
        let id = frame.id().ok_or("a frame is not an answer")?;
        if is_begun(&frame) && self.pending.with(id, |call| call.is_begun = true).is_some() {
            return Ok(());
        }
        if is_interruption(&frame) {
            let waits = |call: &mut PendingCall| call.response.is_some() && call.expired.is_none();
            if self.pending.with(id, waits) == Some(true) {
                // The caller has not asked for it, so the interpreter ends. How it ended
                // is reported soon, and then the call fails with that.
                return Ok(());
            }
        }
        if frame.len() < DECODE_ASIDE {
            let Some(claimed) = self.pending.claim_unanswered(id) else {
                return self.not_asked();
            };
            let response = self.response(&frame, claimed.expected());
            self.complete(claimed, response);
            return Ok(());
        }
        // It stays in the table until it is decoded, so that its deadline can fail it.
        let Some(expected) = self.pending.begin_answer(id) else { return self.not_asked() };
        let client = Arc::clone(self);
        // On oad's own threads: those of the caller's runtime may all wait for answers.
        run_aside_or_here(move || client.decode(id, &frame, expected));
        Ok(())
    }

    /// Decodes an answer to a request that is pending, and delivers it.
    pub(super) fn decode(self: &Arc<Self>, id: u64, frame: &Frame, expected: Expected) {
        let response = self.response(frame, expected);
        match self.pending.claim(id) {
            Some(claimed) => self.complete(claimed, response),
            // All have failed meanwhile.
            None => self.release_all(response.ok()),
        }
    }

    /// Every request is answered once, unless all have failed meanwhile.
    fn not_asked(&self) -> Result<(), &'static str> {
        if self.pending.has_failed() { Ok(()) } else { Err(NOT_ASKED) }
    }

    fn complete(self: &Arc<Self>, claimed: ClaimedCall, response: Result<Response>) {
        let unclaimed = match claimed.expired() {
            None => claimed.complete(response),
            Some(timeout) => {
                let error = expired_error(timeout, response.as_ref().err());
                drop(claimed.complete(Err(error)));
                response.ok()
            }
        };
        self.release_all(unclaimed);
    }

    /// Releases the objects in a response that nobody waits for any more.
    fn release_all(self: &Arc<Self>, unclaimed: Option<Response>) {
        for handle in unclaimed.iter().flat_map(Response::handles) {
            self.release(&handle, 1);
        }
    }

    fn response(self: &Arc<Self>, frame: &Frame, expected: Expected) -> Result<Response> {
        let answer = outcome(frame, &self.settings.facts)
            .map_err(|error| self.shortened(error, frame.len()))?;
        match expected {
            Expected::Value => self.value(answer).map(Response::Returned),
            Expected::Items => {
                let (items, is_exhausted) = agent::items(answer)?;
                let items = items.into_iter().map(|item| self.value(item));
                let items = items.collect::<Result<_>>()?;
                Ok(Response::Items(ItemBatch { items, is_exhausted, bytes: frame.len() }))
            }
            Expected::Description => {
                agent::description(answer).map(Description::from).map(Response::Described)
            }
        }
    }

    /// An exception that is larger than the limit on messages is shortened, as the daemon
    /// does for its other clients.
    fn shortened(&self, error: Error, len: usize) -> Error {
        let limit = self.settings.limits.message;
        match error.exception() {
            Some(exception) if len > limit / 2 => {
                exception_from_pb(exception_to_pb(exception, limit))
                    .map_or(error, Error::from_exception)
            }
            _ => error,
        }
    }

    /// Reads a value, whose handles are counted for the caller from now on.
    fn value(self: &Arc<Self>, item: Item) -> Result<Value> {
        let DoorSettings { daemon, interpreter, limits, .. } = self.settings;
        let mut received = Vec::new();
        let read = &mut |object: AgentHandle| {
            let AgentHandle { number, type_name, name } = object;
            let id = ObjectId { interpreter, object: number }.to_number();
            let kind = ObjectKind { type_name, interfaces: Vec::new(), name };
            let handle = Handle::new(daemon, id).of_kind(kind);
            received.push(handle.clone());
            Ok(handle)
        };
        let value = item_value(item, read, limits.depth);
        value.inspect_err(|_| received.iter().for_each(|handle| self.release(handle, 1)))
    }

    /// The interpreter's number of an object.
    pub(super) fn number_of(&self, handle: &Handle) -> Result<u64> {
        if let Some(number) = number_of(handle) {
            return Ok(number);
        }
        if !handle.daemon().is_nil() && handle.daemon() != self.settings.daemon {
            return Err(Error::no_such_object());
        }
        let message = match ObjectId::of(handle.id()) {
            Some(id) if id.interpreter == self.settings.interpreter => return Ok(id.object),
            Some(_) => "the object lives in another interpreter",
            None => "a Rust object cannot be passed to a Python object",
        };
        Err(Error::new(ErrorKind::BadArguments, message))
    }

    pub(super) fn check_depth(&self, (values, keywords): &CallArgs) -> Result<()> {
        // `ArgumentsBuilder` has checked the maximum depth.
        if self.settings.limits.depth < MAX_DEPTH {
            let mut all = values.iter().chain(keywords.iter().map(|(_, value)| value));
            all.try_for_each(|value| value.check_depth(self.settings.limits.depth))?;
        }
        Ok(())
    }

    /// Refuses new requests, because the daemon ends, and waits until the others have
    /// been answered.
    pub(crate) async fn drained(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.pending.note_ending();
        self.streams.note_ending();
        for pending in [&self.streams, &self.pending] {
            let is_empty = CancellationToken::new();
            pending.notify_when_empty(is_empty.clone());
            is_empty.cancelled().await;
        }
    }

    /// How many calls have not been answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Refuses every new request with `error`. Those in flight may still be answered.
    pub(crate) fn refuse(&self, error: &Error) {
        self.pending.refuse(error);
        self.streams.refuse(error);
    }

    /// Fails every request, in flight and new, because the interpreter or the daemon has
    /// ended, and closes the sockets. Answers that were sent before are read first.
    pub(crate) async fn end(&self, error: &Error) {
        // If it takes longer, a forked copy of the interpreter holds the socket.
        let _ = timeout(LAST_FRAMES, self.read_out.cancelled()).await;
        self.fail(error);
        self.read_out.cancel();
        self.requests.close();
        self.urgent.close();
    }

    pub(super) fn fail(&self, error: &Error) {
        self.pending.fail(error);
        self.streams.fail(error);
    }

    /// See [`PendingCalls::end_reported`].
    pub(super) async fn end_reported(&self) -> bool {
        self.pending.end_reported().await
    }

    pub(super) fn set_read_out(&self) {
        self.read_out.cancel();
    }

    pub(super) fn pending(&self) -> &Arc<PendingCalls> {
        &self.pending
    }

    pub(super) fn streams(&self) -> &Arc<PendingCalls> {
        &self.streams
    }

    pub(super) fn facts(&self) -> &InterpreterFacts {
        &self.settings.facts
    }

    pub(super) fn keeper(&self) -> &Runtime {
        &self.settings.keeper
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.settings.runtime
    }

    pub(super) fn kill_when_stuck(&self) -> Option<Duration> {
        self.settings.kind.kill_when_stuck
    }
}

impl Interruptible for DoorClient {
    fn is_running(&self, id: u64) -> bool {
        self.pending.is_running(id, self.settings.kind.has_threads)
    }

    fn interrupt(&self, id: u64) {
        if let Ok(frame) = AgentRequest::interrupt(id).frame(&mut no_handles) {
            self.urgent.post(frame);
        }
    }

    fn kill(&self, reason: KillReason) {
        (self.settings.kill)(reason);
    }
}

impl fmt::Debug for DoorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorClient").field("pid", &self.facts().pid).finish_non_exhaustive()
    }
}
