//! One session: all operations of one client over one stream, many in flight.
//!
//! Each id gets exactly one response. Whoever removes it from `running`, the operation
//! that completed or the cancel that overtook it, sends the response.

use std::collections::HashMap;
use std::future::{Future, Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, abortable};
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use prost::Message as _;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Code, Status, Streaming};
use tracing::debug;

use crate::child::host::{Caller, HandleGuard, Host, Progress, ReadyCall, SessionId};
use crate::child::service::assemblies::{
    Assemblies, AssemblyTarget, CompleteMessage, decode_detached,
};
use crate::child::service::client_memory::hold_operation;
use crate::child::service::operation::{definition, operation};
use crate::child::service::reply_channel::SessionReplyChannel;
use crate::child::service::responses::{call_response, create_response, describe, release};
use crate::child::service::running_operation::{
    EncodedResponse, ResponseGuard, RunningOperation, failure, offload,
};
use crate::child::service::{check_size, decode_arguments, in_order, with_timeout};
use crate::common::definition::{Action, CallArgs};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::transport::{ClientMemory, HeldMemory};
use crate::common::value::{Handle, Value};
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::pb::session_response::Result as SessionResult;
use crate::common::wire::{
    CHUNK_SIZE, FrameMemory, FrameStream, Outbox, SendGuard as _, arguments_weight,
    copied_by_decoding, failure_from_error, handle_from_pb, pb, response_weight,
};

/// The arguments of an operation: inline, or once their chunks have arrived.
type CallArgsFuture = Either<Ready<Result<CallArgs>>, BoxFuture<'static, Result<CallArgs>>>;

/// What counts an operation, unless its client is trusted.
type OperationMemory = Option<Arc<HeldMemory>>;

/// How many operations may run at once in one session.
const MAX_RUNNING: usize = 65_536;

/// No more requests are read while so many bytes of responses wait to be sent, or as many
/// as the largest message has, if that is more.
const MIN_WAITING: usize = 16 * 1024 * 1024;

/// How many times as many may wait for a client that is trusted. It reads its responses,
/// and large ones should not hold up its small calls.
const TRUSTED: usize = 4;

/// The id of a failure that belongs to no operation.
const NO_ID: u64 = 0;

/// The status of a session whose requests broke off with `status`.
fn broken_off_by(status: &Status) -> Status {
    match status.code() {
        // So tonic reports a message that it cannot decode.
        Code::Internal => Status::invalid_argument(format!(
            "the session was broken off, because a frame is malformed: {}",
            status.message()
        )),
        code => Status::new(code, status.message()),
    }
}

/// One session. It ends with its stream of requests, or when the daemon has drained.
#[derive(Clone, Debug)]
pub(super) struct Session(Arc<SessionShared>);

#[derive(Debug)]
struct SessionShared {
    host: Host,
    message_limit: usize,
    outbox: Outbox<pb::SessionResponse>,
    /// What counts the operations and responses; `None` for a client that is trusted.
    memory: Option<ClientMemory>,
    running: Mutex<HashMap<u64, RunningOperation>>,
    /// Counts the tasks in `running`.
    tasks: TaskTracker,
    /// Objects made over this session are released with it.
    id: SessionId,
    /// Whether calls may run on the thread that reads them.
    runs_calls: bool,
}

/// An operation with its place in its object's queue.
pub(super) enum Work {
    /// A call that can run on the thread that has read it.
    Now(ReadyOperation),
    /// Anything else. It runs when it is polled.
    Later(BoxFuture<'static, ()>),
}

/// A call that can run at once, and what its response needs.
pub(super) struct ReadyOperation {
    id: u64,
    call: ReadyCall,
    pending: TaskTrackerToken,
    _task: TaskTrackerToken,
}

impl Session {
    /// Creates a session and the stream of its responses. If `runs_calls`, its reader
    /// runs the calls that can run at once: a cancel does not reach such a call, whose
    /// response comes when it has run.
    pub(super) fn new(
        host: Host,
        message_limit: usize,
        runs_calls: bool,
        memory: Option<ClientMemory>,
    ) -> (Self, FrameStream<pb::SessionResponse>) {
        let times = if memory.is_some() { 1 } else { TRUSTED };
        let most_bytes = message_limit.max(MIN_WAITING).saturating_mul(times);
        let counted = memory.clone().map(|memory| Arc::new(memory) as Arc<dyn FrameMemory>);
        let (outbox, responses) = Outbox::with_room(most_bytes, counted);
        let id = host.new_session();
        let shared = SessionShared {
            host,
            message_limit,
            outbox,
            memory,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            id,
            runs_calls,
        };
        (Session(Arc::new(shared)), responses)
    }

    /// Starts reading requests from a stream and returns the stream of responses. If the
    /// session is broken off, the stream ends with the reason.
    pub(super) fn start(
        host: Host,
        message_limit: usize,
        requests: Streaming<pb::SessionRequest>,
        memory: Option<ClientMemory>,
    ) -> BoxStream<'static, Result<pb::SessionResponse, Status>> {
        let (session, responses) = Session::new(host, message_limit, false, memory);
        let (broken_off, reason) = oneshot::channel();
        tokio::spawn(session.serve(requests, broken_off));
        // Without a reason, the session has ended in order.
        let reason = reason.into_stream().filter_map(|reason| ready(reason.ok().map(Err)));
        responses.map(Ok).chain(reason).boxed()
    }

    async fn serve(
        self,
        mut requests: Streaming<pb::SessionRequest>,
        broken_off: oneshot::Sender<Status>,
    ) {
        let open = self.open();
        let mut assemblies = self.assemblies();
        let reason = loop {
            let request = async {
                self.room().await;
                requests.message().await
            };
            let request = tokio::select! {
                biased;
                request = request => request,
                () = self.unwanted() => break None,
            };
            match request {
                Ok(Some(request)) => {
                    if let Some(Work::Later(work)) = self.handle(request, &mut assemblies) {
                        tokio::spawn(work);
                    }
                }
                Ok(None) => {
                    assemblies.clear();
                    self.complete().await;
                    break None;
                }
                Err(status) => {
                    debug!(%status, "a session was aborted");
                    break Some(broken_off_by(&status));
                }
            }
        };
        match reason {
            // This fails only if the client has gone.
            Some(reason) => drop(broken_off.send(reason)),
            None => drop(broken_off),
        }
        self.end();
        // A client ends its requests once it has read every response.
        while let Ok(Some(_)) = requests.message().await {}
        drop(open);
    }

    /// Counts the session as open until the returned guard is dropped.
    pub(super) fn open(&self) -> impl Send + 'static + use<> {
        self.0.host.open_session()
    }

    pub(super) fn assemblies(&self) -> Assemblies {
        Assemblies::new(self.0.message_limit, self.0.memory.is_none())
    }

    /// Waits while too many responses wait to be sent. This is backpressure: requests are
    /// not read while the client does not read the responses.
    pub(super) async fn room(&self) {
        self.0.outbox.room().await;
    }

    /// Waits until no more requests are wanted: the daemon has drained, or nobody reads
    /// the responses any more.
    pub(super) async fn unwanted(&self) {
        let ending = self.0.host.ending();
        tokio::select! {
            _ = ending.drained() => {}
            () = self.0.outbox.gone() => {}
        }
    }

    /// Waits for the running operations, once no more requests come.
    pub(super) async fn complete(&self) {
        let channels: Vec<_> =
            self.running().values().filter_map(|running| running.channel.clone()).collect();
        channels.iter().for_each(|channel| channel.half_close());
        self.0.tasks.close();
        tokio::select! {
            () = self.0.tasks.wait() => {}
            () = self.unwanted() => {}
        }
    }

    /// Handles a request. An operation is returned as work that may take its time.
    pub(super) fn handle(
        &self,
        request: pb::SessionRequest,
        assemblies: &mut Assemblies,
    ) -> Option<Work> {
        let pb::SessionRequest { id, operation, detached } = request;
        if self.is_repeated(id, operation.as_ref()) {
            self.refuse_repeated(id);
            return None;
        }
        match operation {
            Some(Operation::Call(mut call)) => {
                let arguments = in_order(
                    std::mem::take(&mut call.arguments),
                    std::mem::take(&mut call.keywords),
                    std::mem::take(&mut call.ordered_keywords),
                );
                return self.start_operation(
                    id,
                    detached,
                    arguments,
                    assemblies,
                    |call_args, memory| self.call(id, call, call_args, memory),
                );
            }
            Some(Operation::Create(mut create)) => {
                let arguments = in_order(
                    std::mem::take(&mut create.arguments),
                    std::mem::take(&mut create.keywords),
                    std::mem::take(&mut create.ordered_keywords),
                );
                return self.start_operation(
                    id,
                    detached,
                    arguments,
                    assemblies,
                    |call_args, memory| self.create(id, *create, call_args, memory),
                );
            }
            Some(Operation::Describe(request)) => {
                let memory = match self.hold_operation(&pb::Arguments::default()) {
                    Ok(memory) => memory,
                    Err(error) => return self.refuse(id, &error),
                };
                let described = describe(&self.0.host, request);
                return self.run(id, None, memory, async move {
                    Ok((SessionResult::Describe(described.await?), None))
                });
            }
            Some(Operation::Release(request)) => {
                match release(&self.0.host, Some(self.0.id), request) {
                    Ok(response) => self.send(id, SessionResult::Release(response)),
                    Err(error) => self.fail(id, &error),
                }
            }
            Some(Operation::Cancel(pb::Cancel {})) => self.cancel(id, assemblies),
            Some(Operation::Chunk(chunk)) => self.add_chunk(id, &chunk.data, assemblies),
            // The caller stops the stream, and a call that returns a stream has no other
            // response.
            Some(Operation::Credit(pb::Credit { stream: 0, items: 0 })) => {
                self.cancel(id, assemblies)
            }
            Some(Operation::Credit(credit)) => {
                self.with_channel(id, |channel| channel.grant(&credit))
            }
            Some(Operation::Items(items)) if detached == 0 => {
                self.with_channel(id, |channel| channel.deliver(items))
            }
            Some(Operation::Items(_)) => self.with_channel(id, |channel| {
                // Counted as far as it has arrived.
                let memory = self.0.memory.as_ref().map(|memory| memory.hold_anyway(0).into());
                let started = assemblies.start(id, detached, AssemblyTarget::Items, memory);
                if let Err(error) = started {
                    channel.fail_streams(&error);
                }
            }),
            None => self.fail(
                id,
                &Error::new(ErrorKind::Protocol, "the request has no operation, or an unknown one"),
            ),
        }
        None
    }

    /// Whether this would be a second operation with the id of one that runs, or whose
    /// response is being sent. The ids of a lane are oad's own.
    fn is_repeated(&self, id: u64, operation: Option<&Operation>) -> bool {
        let begins = match operation {
            Some(
                Operation::Call(_)
                | Operation::Create(_)
                | Operation::Describe(_)
                | Operation::Release(_),
            )
            | None => true,
            Some(
                Operation::Cancel(_)
                | Operation::Chunk(_)
                | Operation::Credit(_)
                | Operation::Items(_),
            ) => false,
        };
        begins
            && !self.0.runs_calls
            && (self.running().contains_key(&id) || self.0.outbox.is_sending(id))
    }

    /// Refuses a second operation with a running id, under an id of its own: under the
    /// other it would be the first one's answer.
    fn refuse_repeated(&self, id: u64) {
        let message = format!("an operation with the id {id} is already running");
        let error = Error::new(ErrorKind::Protocol, message).advise("use every id only once");
        self.fail(NO_ID, &error);
    }

    /// Fails an operation that was not started.
    fn refuse(&self, id: u64, error: &Error) -> Option<Work> {
        self.fail(id, error);
        None
    }

    /// Starts an operation with its arguments.
    fn start_operation(
        &self,
        id: u64,
        detached: u64,
        inline: pb::Arguments,
        assemblies: &mut Assemblies,
        start: impl FnOnce(CallArgsFuture, OperationMemory) -> Option<Work>,
    ) -> Option<Work> {
        let arguments = self.hold_operation(&inline).and_then(|memory| {
            let call_args = self.arguments(id, detached, inline, assemblies, memory.clone())?;
            Ok((call_args, memory))
        });
        let work = match arguments {
            Ok((call_args, memory)) => start(call_args, memory),
            Err(error) => self.refuse(id, &error),
        };
        // The operation was refused: discard the rest of its detached arguments.
        if detached > 0 && !self.running().contains_key(&id) {
            assemblies.remove(id);
        }
        work
    }

    fn hold_operation(&self, arguments: &pb::Arguments) -> Result<OperationMemory> {
        Ok(hold_operation(self.0.memory.as_ref(), arguments, 0)?.map(Arc::new))
    }

    fn cancel(&self, id: u64, assemblies: &mut Assemblies) {
        assemblies.remove(id);
        let running = self.running().remove(&id);
        if let Some(running) = &running {
            running.end();
        }
        // If it no longer runs, its response may be partly sent and can be cut short.
        if running.is_some() || self.0.outbox.withdraw(id) {
            self.fail(id, &Error::new(ErrorKind::Cancelled, "the caller cancelled the call"));
        }
    }

    fn call(
        &self,
        id: u64,
        call: pb::CallRequest,
        call_args: CallArgsFuture,
        memory: OperationMemory,
    ) -> Option<Work> {
        let operation = operation(&call);
        let handle =
            call.handle.map(|handle| handle_from_pb(handle, self.0.host.daemon())).transpose();
        let call_args = match (call_args, &handle) {
            (Either::Left(decoded), Ok(handle))
                if self.0.runs_calls
                    && operation.action == Action::Call
                    && call.timeout.is_none() =>
            {
                match self.call_at_once(id, handle.as_ref(), &operation.name, decoded.into_inner())
                {
                    Ok(ready) => return Some(Work::Now(ready)),
                    Err(call_args) => Either::Left(std::future::ready(call_args)),
                }
            }
            (call_args, _) => call_args,
        };
        let SessionShared { host, outbox, message_limit, .. } = &*self.0;
        let channel = SessionReplyChannel::new(
            id,
            call.credit,
            outbox.clone(),
            *message_limit,
            host.depth_limit(),
            self.0.memory.clone(),
        );
        let progress = call.timeout.is_some().then(Progress::default);
        let caller = Caller {
            session: Some(self.0.id),
            channel: Some(channel.clone()),
            progress: progress.clone(),
        };
        let result = match handle {
            // Boxed, because the future is large and is moved several times before it
            // runs.
            Ok(handle) => Box::pin(host.call(caller, handle, operation, call_args)),
            Err(error) => return self.refuse(id, &error),
        };
        let message_limit = *message_limit;
        self.run(id, Some(channel), memory, async move {
            let (response, handles) =
                call_response(with_timeout(call.timeout, progress, result).await, message_limit)?;
            Ok((SessionResult::Call(response), handles))
        })
    }

    fn call_at_once(
        &self,
        id: u64,
        handle: Option<&Handle>,
        method: &str,
        call_args: Result<CallArgs>,
    ) -> Result<ReadyOperation, Result<CallArgs>> {
        let (values, keywords) = call_args.map_err(Err)?;
        // Its items arrive while the call runs, and find it in the table of running ones.
        if values.iter().chain(keywords.iter().map(|(_, value)| value)).any(Value::has_stream) {
            return Err(Ok((values, keywords)));
        }
        let SessionShared { host, tasks, id: session, .. } = &*self.0;
        let (pending, _task) = (host.response_pending(), tasks.token());
        let call = host.call_at_once(*session, handle, method, (values, keywords)).map_err(Ok)?;
        Ok(ReadyOperation { id, call, pending, _task })
    }

    /// Answers a call that cannot run.
    pub(super) fn refuse_now(&self, ready: ReadyOperation, error: &Error) {
        self.fail(ready.id, error);
    }

    /// Runs a call on this thread; returns what is left to do if its response is large.
    pub(super) fn run_now(&self, ready: ReadyOperation) -> Option<BoxFuture<'static, ()>> {
        let ReadyOperation { id, call, pending, _task } = ready;
        let message_limit = self.0.message_limit;
        let (result, handles) = match call_response(call.run(), message_limit) {
            Ok((response, handles)) => (SessionResult::Call(response), handles),
            Err(error) => (SessionResult::Failure(failure_from_error(&error)), None),
        };
        let guard = ResponseGuard { handles, held: None, _pending: pending };
        let response = pb::SessionResponse { id, result: Some(result), detached: 0 };
        let len = response.encoded_len();
        if len <= CHUNK_SIZE.min(message_limit) {
            self.respond(id, EncodedResponse::Whole(response, len), guard);
            return None;
        }
        let (session, result) = (self.clone(), response.result?);
        Some(Box::pin(async move {
            let _task = _task;
            let encoded = EncodedResponse::encode(id, result, message_limit).await;
            match encoded {
                Ok(response) => session.respond(id, response, guard),
                Err(error) => session.fail(id, &error),
            }
        }))
    }

    fn create(
        &self,
        id: u64,
        create: pb::CreateRequest,
        call_args: CallArgsFuture,
        memory: OperationMemory,
    ) -> Option<Work> {
        let created = match definition(create.definition, self.0.host.daemon()) {
            Ok(definition) => self.0.host.create(Some(self.0.id), definition, call_args),
            Err(error) => return self.refuse(id, &error),
        };
        let message_limit = self.0.message_limit;
        self.run(id, None, memory, async move {
            let (response, handles) =
                create_response(with_timeout(create.timeout, None, created).await, message_limit)?;
            Ok((SessionResult::Create(response), handles))
        })
    }

    /// Returns the arguments of an operation, now or once all their chunks have arrived.
    fn arguments(
        &self,
        id: u64,
        detached: u64,
        inline: pb::Arguments,
        assemblies: &mut Assemblies,
        memory: OperationMemory,
    ) -> Result<CallArgsFuture> {
        let depth_limit = self.0.host.depth_limit();
        if detached == 0 {
            check_size(&inline, self.0.message_limit)?;
            return Ok(Either::Left(ready(decode_arguments(inline, depth_limit))));
        }
        let (sender, receiver) = oneshot::channel();
        assemblies.start(id, detached, AssemblyTarget::Arguments(sender), memory.clone())?;
        let session_ended = || {
            Err(Error::new(ErrorKind::Cancelled, "the session ended before the arguments arrived"))
        };
        Ok(Either::Right(Box::pin(async move {
            let bytes = receiver.await.unwrap_or_else(|_| session_ended())?;
            let len = bytes.len();
            offload(copied_by_decoding::<pb::Arguments>(&bytes), move || {
                let arguments = decode_detached("arguments", bytes)?;
                if let Some(memory) = memory {
                    memory.grow(arguments_weight(&arguments).saturating_sub(len))?;
                }
                decode_arguments(arguments, depth_limit)
            })
            .await
        })))
    }

    /// Prepares an operation, which a cancel aborts. `memory` counts it while it runs.
    fn run(
        &self,
        id: u64,
        channel: Option<Arc<SessionReplyChannel>>,
        memory: OperationMemory,
        result: impl Future<Output = Result<(SessionResult, Option<HandleGuard>)>> + Send + 'static,
    ) -> Option<Work> {
        // Locked until the abort handle is inserted, so that the task finds its entry
        // however soon it completes.
        let mut running = self.running();
        if running.contains_key(&id) {
            drop(running);
            self.refuse_repeated(id);
            return None;
        }
        if running.len() >= MAX_RUNNING {
            drop(running);
            let message = format!("{MAX_RUNNING} operations are already running in this session");
            return self.refuse(id, &Error::new(ErrorKind::Limit, message));
        }
        let (session, message_limit) = (self.clone(), self.0.message_limit);
        let (pending, ended_channel) = (self.0.host.response_pending(), channel.clone());
        // Boxed first: what is put around it then moves a pointer, not the large future.
        let (work, task) = abortable(Box::pin(async move {
            let encoded = async {
                let (result, handles) = result.await?;
                Ok((EncodedResponse::encode(id, result, message_limit).await?, handles))
            };
            let (response, handles) =
                encoded.await.unwrap_or_else(|error| (failure(id, &error).into(), None));
            // End the channel before removing the entry: a cancel that does not find the
            // entry must not find any unsent items either.
            if let Some(channel) = ended_channel {
                channel.end();
            }
            // What is counted from now on is the response.
            drop(memory);
            // If a cancel overtook the response, dropping `handles` releases them.
            if session.running().remove(&id).is_some() {
                let guard = ResponseGuard { handles, held: None, _pending: pending };
                session.respond(id, response, guard);
            }
        }));
        running.insert(id, RunningOperation { task, channel });
        // An aborted operation has no result.
        Some(Work::Later(self.0.tasks.track_future(work).map(drop).boxed()))
    }

    fn send(&self, id: u64, result: SessionResult) {
        self.0.outbox.send(pb::SessionResponse { id, result: Some(result), detached: 0 });
    }

    fn respond(&self, id: u64, response: EncodedResponse, mut guard: ResponseGuard) {
        match response {
            EncodedResponse::Whole(response, len) => {
                let bytes = match &self.0.memory {
                    None => len,
                    Some(memory) => {
                        let weight = response_weight(&response);
                        // The outbox counts it from now on.
                        if let Err(error) = memory.check(weight) {
                            return self.fail(id, &error);
                        }
                        weight
                    }
                };
                // A caller that has its response may end the daemon at once, which must
                // not find the call unfinished.
                self.0.outbox.send_after(response, bytes, || Box::new(guard).sent());
            }
            EncodedResponse::Detached(message) => {
                let held = self.0.memory.as_ref().map(|memory| memory.hold(message.len()));
                match held.transpose() {
                    Ok(held) => guard.held = held,
                    Err(error) => return self.fail(id, &error),
                }
                let announcement =
                    pb::SessionResponse { id, result: None, detached: message.len() as u64 };
                self.0.outbox.send_detached(announcement, id, message, Some(Box::new(guard)));
            }
        }
    }

    fn fail(&self, id: u64, error: &Error) {
        self.0.outbox.send(failure(id, error));
    }

    /// Cancels running operations, because nobody waits for them, and releases the
    /// session's objects.
    pub(super) fn end(&self) {
        let running = std::mem::take(&mut *self.running());
        running.values().for_each(RunningOperation::end);
        self.0.host.release_session(self.0.id);
        self.0.outbox.close();
    }

    /// Calls `act` with the channel of a running call; does nothing if the call has
    /// ended.
    fn with_channel(&self, id: u64, act: impl FnOnce(&SessionReplyChannel)) {
        let channel = self.running().get(&id).and_then(|running| running.channel.clone());
        if let Some(channel) = channel {
            act(&channel);
        }
    }

    /// Adds a chunk to its message. Chunks without one belong to an operation that was
    /// refused or cancelled meanwhile, and are dropped.
    fn add_chunk(&self, id: u64, chunk: &Bytes, assemblies: &mut Assemblies) {
        let Some(complete) = assemblies.push(id, chunk) else { return };
        let CompleteMessage { target, message, memory: _until_delivered } = complete;
        match target {
            AssemblyTarget::Arguments(sender) => {
                // Fails if the operation was cancelled.
                let _ = sender.send(message);
            }
            // Decoded right here, so that items stay in order.
            AssemblyTarget::Items => {
                match message.and_then(|message| decode_detached("items", message)) {
                    Ok(items) => self.with_channel(id, |channel| channel.deliver(items)),
                    Err(error) => self.with_channel(id, |channel| channel.fail_streams(&error)),
                }
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, RunningOperation>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
