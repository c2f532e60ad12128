//! One session: all operations of one client over one stream, many in flight.
//!
//! Each id gets exactly one response. Whoever removes it from `running`, the operation
//! that completed or the cancel that overtook it, sends the response.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::Either;
use prost::Message as _;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tonic::Streaming;
use tracing::debug;

use crate::child::host::{Caller, HandedOut, Host, Progress, SessionId};
use crate::child::service::objects::{call_response, create_response, describe, release};
use crate::child::service::operation::{definition, operation};
use crate::child::service::reply_channel::SessionReplyChannel;
use crate::child::service::running_operation::{Encoded, RunningOperation, Sending, aside};
use crate::child::service::{check_size, given, within};
use crate::common::definition::CallArgs;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::pb::session_response::Result as Answer;
use crate::common::wire::{
    Assembly, CHUNK_SIZE, FrameStream, Outbox, SendGuard as _, failure_from_error, handle_from_pb,
    pb, too_large,
};

/// How many operations may run at once in one session.
const MAX_RUNNING: usize = 65_536;

/// One session. It ends with its stream of requests, or when the daemon has drained.
#[derive(Clone, Debug)]
pub(super) struct Session(Arc<SessionShared>);

#[derive(Debug)]
struct SessionShared {
    host: Host,
    message_limit: usize,
    outbox: Outbox<pb::SessionResponse>,
    running: Mutex<HashMap<u64, RunningOperation>>,
    /// Counts the tasks in `running`.
    tasks: TaskTracker,
    /// Objects made over this session are released with it.
    id: SessionId,
}

/// The receiver of a detached message.
enum ArrivingFor {
    /// The operation that the arguments belong to.
    Arguments(oneshot::Sender<Result<Bytes>>),
    /// The call that the items belong to.
    Items,
}

/// The detached messages that are arriving.
type Arriving = HashMap<u64, (Assembly, ArrivingFor)>;

impl Session {
    /// Starts reading requests and returns the stream of responses.
    pub(super) fn start(
        host: Host,
        message_limit: usize,
        requests: Streaming<pb::SessionRequest>,
    ) -> FrameStream<pb::SessionResponse> {
        let (outbox, answers) = Outbox::new();
        let id = host.new_session();
        let inner = SessionShared {
            host,
            message_limit,
            outbox,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
            id,
        };
        tokio::spawn(Session(Arc::new(inner)).serve(requests));
        answers
    }

    async fn serve(self, mut requests: Streaming<pb::SessionRequest>) {
        let open = self.0.host.open_session();
        let mut arriving = Arriving::new();
        let ending = self.0.host.ending();
        loop {
            // Backpressure: requests are not read while the client does not read the
            // responses.
            let request = async {
                self.0.outbox.room().await;
                requests.message().await
            };
            let request = tokio::select! {
                biased;
                request = request => request,
                _ = ending.drained() => break,
                () = self.0.outbox.gone() => break,
            };
            match request {
                Ok(Some(request)) => self.take(request, &mut arriving),
                Ok(None) => {
                    // No more requests come, but the earlier ones still get their
                    // responses.
                    drop(std::mem::take(&mut arriving));
                    let lines: Vec<_> = self
                        .running()
                        .values()
                        .filter_map(|running| running.channel.clone())
                        .collect();
                    lines.iter().for_each(|channel| channel.half_close());
                    self.0.tasks.close();
                    tokio::select! {
                        () = self.0.tasks.wait() => {}
                        _ = ending.drained() => {}
                        () = self.0.outbox.gone() => {}
                    }
                    break;
                }
                Err(status) => {
                    debug!(%status, "a session was aborted");
                    break;
                }
            }
        }
        self.end();
        // A client ends its requests once it has read every response.
        while let Ok(Some(_)) = requests.message().await {}
        drop(open);
    }

    fn take(&self, request: pb::SessionRequest, arriving: &mut Arriving) {
        let pb::SessionRequest { id, operation, detached } = request;
        match operation {
            Some(Operation::Call(mut call)) => {
                let arguments = std::mem::take(&mut call.arguments);
                let inline =
                    pb::Arguments { arguments, keywords: std::mem::take(&mut call.keywords) };
                match self.arguments(id, detached, inline, arriving) {
                    Ok(given) => self.call(id, call, given),
                    Err(error) => self.fail(id, &error),
                }
                self.keep_arriving_if_it_runs(id, detached, arriving);
            }
            Some(Operation::Create(mut create)) => {
                let arguments = std::mem::take(&mut create.arguments);
                let inline =
                    pb::Arguments { arguments, keywords: std::mem::take(&mut create.keywords) };
                match self.arguments(id, detached, inline, arriving) {
                    Ok(given) => self.create(id, create, given),
                    Err(error) => self.fail(id, &error),
                }
                self.keep_arriving_if_it_runs(id, detached, arriving);
            }
            Some(Operation::Describe(request)) => {
                let described = describe(&self.0.host, request);
                self.run(id, None, async move { Ok((Answer::Describe(described.await?), None)) });
            }
            Some(Operation::Release(request)) => {
                match release(&self.0.host, Some(self.0.id), request) {
                    Ok(response) => self.send(id, Answer::Release(response)),
                    Err(error) => self.fail(id, &error),
                }
            }
            Some(Operation::Cancel(pb::Cancel {})) => self.cancel(id, arriving),
            Some(Operation::Chunk(chunk)) => self.collect(id, &chunk.data, arriving),
            // The caller stops the stream, and a call that returns a stream has no other
            // response.
            Some(Operation::Credit(pb::Credit { stream: 0, items: 0 })) => {
                self.cancel(id, arriving)
            }
            Some(Operation::Credit(credit)) => self.with_line(id, |channel| channel.grant(&credit)),
            Some(Operation::Items(items)) if detached == 0 => {
                self.with_line(id, |channel| channel.take(items))
            }
            Some(Operation::Items(_)) => self.with_line(id, |channel| {
                let assembly = Assembly::new(detached, self.0.message_limit);
                if let Err(error) =
                    assembly.and_then(|assembly| begin(arriving, id, assembly, ArrivingFor::Items))
                {
                    channel.refuse(&error);
                }
            }),
            None => self.fail(
                id,
                &Error::new(ErrorKind::Protocol, "the request has no operation, or an unknown one"),
            ),
        }
    }

    fn cancel(&self, id: u64, arriving: &mut Arriving) {
        arriving.remove(&id);
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
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) {
        let operation = operation(call.method.clone(), call.action(), call.returns());
        let handle =
            call.handle.map(|handle| handle_from_pb(handle, self.0.host.daemon())).transpose();
        let SessionShared { host, outbox, message_limit, .. } = &*self.0;
        let channel = SessionReplyChannel::new(
            id,
            call.credit,
            outbox.clone(),
            *message_limit,
            host.depth_limit(),
        );
        let progress = call.timeout.is_some().then(Progress::default);
        let caller = Caller {
            session: Some(self.0.id),
            channel: Some(channel.clone()),
            progress: progress.clone(),
        };
        let answer = match handle {
            // Boxed, because the future is large and is moved several times before it
            // runs.
            Ok(handle) => Box::pin(host.call(caller, handle, operation, given)),
            Err(error) => return self.fail(id, &error),
        };
        let message_limit = *message_limit;
        self.run(id, Some(channel), async move {
            let (response, handed_out) =
                call_response(within(call.timeout, progress, answer).await, message_limit)?;
            Ok((Answer::Call(response), handed_out))
        });
    }

    fn create(
        &self,
        id: u64,
        create: pb::CreateRequest,
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) {
        let made = match definition(create.definition, self.0.host.daemon()) {
            Ok(definition) => self.0.host.create(Some(self.0.id), definition, given),
            Err(error) => return self.fail(id, &error),
        };
        let message_limit = self.0.message_limit;
        self.run(id, None, async move {
            let (response, handed_out) =
                create_response(within(create.timeout, None, made).await, message_limit)?;
            Ok((Answer::Create(response), handed_out))
        });
    }

    /// Returns the arguments of an operation, now or once all their chunks have arrived.
    fn arguments(
        &self,
        id: u64,
        detached: u64,
        inline: pb::Arguments,
        arriving: &mut Arriving,
    ) -> Result<impl Future<Output = Result<CallArgs>> + Send + use<>> {
        let depth_limit = self.0.host.depth_limit();
        if detached == 0 {
            check_size(&inline, self.0.message_limit)?;
            return Ok(Either::Left(ready(given(inline, depth_limit))));
        }
        let (sender, receiver) = oneshot::channel();
        if self.running().contains_key(&id) {
            return Err(Error::new(
                ErrorKind::Limit,
                "an operation with this id is already running",
            ));
        }
        let assembly = Assembly::new(detached, self.0.message_limit)?;
        begin(arriving, id, assembly, ArrivingFor::Arguments(sender))?;
        let session_ended = || {
            Err(Error::new(ErrorKind::Cancelled, "the session ended before the arguments arrived"))
        };
        Ok(Either::Right(async move {
            let bytes = receiver.await.unwrap_or_else(|_| session_ended())?;
            aside(bytes.len(), move || {
                let arguments = pb::Arguments::decode(bytes).map_err(|error| {
                    Error::new(
                        ErrorKind::BadArguments,
                        format!("failed to decode the detached arguments: {error}"),
                    )
                })?;
                given(arguments, depth_limit)
            })
            .await
        }))
    }

    /// Discards the rest of a detached message if its operation was refused.
    fn keep_arriving_if_it_runs(&self, id: u64, detached: u64, arriving: &mut Arriving) {
        if detached > 0 && !self.running().contains_key(&id) {
            arriving.remove(&id);
        }
    }

    /// Runs an operation on its own task, which a cancel aborts.
    fn run(
        &self,
        id: u64,
        channel: Option<Arc<SessionReplyChannel>>,
        answer: impl Future<Output = Result<(Answer, Option<HandedOut>)>> + Send + 'static,
    ) {
        // Locked until the abort handle is inserted, so that the task finds its entry
        // however soon it completes.
        let mut running = self.running();
        if running.len() >= MAX_RUNNING || running.contains_key(&id) {
            drop(running);
            let message = format!(
                "an operation with this id is already running, or {MAX_RUNNING} others are"
            );
            return self.fail(id, &Error::new(ErrorKind::Limit, message));
        }
        let (session, pending, way_back) =
            (self.clone(), self.0.host.answer_pending(), channel.clone());
        let task = self.0.tasks.spawn(async move {
            let answered = async {
                let (answer, handed_out) = answer.await?;
                Ok((session.encode(id, answer).await?, handed_out))
            };
            let (answer, handed_out) =
                answered.await.unwrap_or_else(|error| (failure(id, &error).into(), None));
            // End the channel before removing the entry: a cancel that does not find the
            // entry must not find any unsent items either.
            if let Some(channel) = way_back {
                channel.end();
            }
            // If a cancel overtook the response, dropping `handed_out` releases its
            // handles.
            if session.running().remove(&id).is_some() {
                session.answer(id, answer, Sending { handed_out, _pending: pending });
            }
        });
        running.insert(id, RunningOperation { task: task.abort_handle(), channel });
    }

    fn send(&self, id: u64, answer: Answer) {
        self.0.outbox.send(pb::SessionResponse { id, result: Some(answer), detached: 0 });
    }

    /// Encodes a response; a large one on a thread of its own.
    async fn encode(&self, id: u64, answer: Answer) -> Result<Encoded> {
        let is_exception = is_exception(&answer);
        let response = pb::SessionResponse { id, result: Some(answer), detached: 0 };
        let len = response.encoded_len();
        // An exception has already been shortened to fit, as far as possible.
        if len > self.0.message_limit && !is_exception {
            return Err(too_large(len, self.0.message_limit));
        }
        if len <= CHUNK_SIZE {
            return Ok(Encoded::Whole(response));
        }
        Ok(Encoded::Detached(aside(len, move || Ok(response.encode_to_vec())).await?.into()))
    }

    fn answer(&self, id: u64, answer: Encoded, sending: Sending) {
        match answer {
            Encoded::Whole(response) => {
                self.0.outbox.send(response);
                Box::new(sending).sent();
            }
            Encoded::Detached(message) => {
                let announcement =
                    pb::SessionResponse { id, result: None, detached: message.len() as u64 };
                self.0.outbox.send_detached(announcement, id, message, Some(Box::new(sending)));
            }
        }
    }

    fn fail(&self, id: u64, error: &Error) {
        self.0.outbox.send(failure(id, error));
    }

    /// Cancels running operations, because nobody waits for them, and releases the
    /// session's objects.
    fn end(&self) {
        let running = std::mem::take(&mut *self.running());
        running.values().for_each(RunningOperation::end);
        self.0.host.release_session(self.0.id);
        self.0.outbox.close();
    }

    /// Applies `tell` to the channel of a running call; does nothing if the call has
    /// ended.
    fn with_line(&self, id: u64, tell: impl FnOnce(&SessionReplyChannel)) {
        let channel = self.running().get(&id).and_then(|running| running.channel.clone());
        if let Some(channel) = channel {
            tell(&channel);
        }
    }

    /// Adds a chunk to its message. Chunks without one belong to an operation that was
    /// refused or cancelled meanwhile, and are dropped.
    fn collect(&self, id: u64, chunk: &Bytes, arriving: &mut Arriving) {
        let Some((assembly, _)) = arriving.get_mut(&id) else { return };
        let whole = match assembly.push(chunk) {
            Ok(None) => return,
            Ok(Some(whole)) => Ok(whole),
            Err(error) => Err(error),
        };
        match arriving.remove(&id) {
            Some((_, ArrivingFor::Arguments(waiting))) => {
                // Fails if the operation was cancelled.
                let _ = waiting.send(whole);
            }
            // Decoded right here, so that items stay in order.
            Some((_, ArrivingFor::Items)) => match whole.and_then(|whole| decode_items(&whole)) {
                Ok(items) => self.with_line(id, |channel| channel.take(items)),
                Err(error) => self.with_line(id, |channel| channel.refuse(&error)),
            },
            None => {}
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, RunningOperation>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to assemble a detached message.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if another message with this id is still arriving.
fn begin(arriving: &mut Arriving, id: u64, assembly: Assembly, waiting: ArrivingFor) -> Result<()> {
    match arriving.entry(id) {
        Entry::Vacant(entry) => {
            entry.insert((assembly, waiting));
            Ok(())
        }
        Entry::Occupied(_) => Err(Error::new(
            ErrorKind::Protocol,
            "a detached message with this id is still arriving",
        )),
    }
}

fn is_exception(answer: &Answer) -> bool {
    use pb::{call_response, create_response};
    match answer {
        Answer::Call(response) => {
            matches!(response.outcome, Some(call_response::Outcome::Exception(_)))
        }
        Answer::Create(response) => {
            matches!(response.outcome, Some(create_response::Outcome::Exception(_)))
        }
        _ => false,
    }
}

fn failure(id: u64, error: &Error) -> pb::SessionResponse {
    pb::SessionResponse {
        id,
        result: Some(Answer::Failure(failure_from_error(error))),
        detached: 0,
    }
}

fn decode_items(message: &Bytes) -> Result<pb::Items> {
    pb::Items::decode(message.clone()).map_err(|error| {
        Error::new(ErrorKind::BadArguments, format!("failed to decode the detached items: {error}"))
    })
}
