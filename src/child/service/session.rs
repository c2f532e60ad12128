//! One session: every operation of one client over one stream, many at once.
//!
//! Each id is answered exactly once: whoever takes it out of `running_operation` — the
//! operation that has ended, or the cancel that overtook it — sends the answer.

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

/// How many operations may run in one session.
const MAX_RUNNING: usize = 65_536;

/// One session. It ends with its stream of requests, or when the daemon has given its
/// last answer.
#[derive(Clone, Debug)]
pub(super) struct Session(Arc<SessionShared>);

#[derive(Debug)]
struct SessionShared {
    host: Host,
    message_limit: usize,
    outbox: Outbox<pb::SessionResponse>,
    running: Mutex<HashMap<u64, RunningOperation>>,
    /// Counts the tasks in `running_operation`.
    tasks: TaskTracker,
    /// What is made over this session is released with it.
    id: SessionId,
}

/// Who waits for a detached message.
enum ArrivingFor {
    /// The operation whose arguments it is.
    Arguments(oneshot::Sender<Result<Bytes>>),
    /// The call whose items it is.
    Items,
}

/// The detached messages that have begun to arrive.
type Arriving = HashMap<u64, (Assembly, ArrivingFor)>;

impl Session {
    /// Starts reading; what is given back is the stream of answers.
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
            // A client that asks without reading the answers is not read either.
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
                    // Nothing more is asked, but what was asked is still answered.
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
                    debug!(%status, "a session was broken off");
                    break;
                }
            }
        }
        self.end();
        // A client that has read all its answers has no more to ask: the end of its
        // requests says that it has got them.
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
            // Nobody wants the items, ever, and a call that returns a stream has no other
            // answer.
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
                &Error::new(ErrorKind::Protocol, "the request holds no operation known here"),
            ),
        }
    }

    fn cancel(&self, id: u64, arriving: &mut Arriving) {
        arriving.remove(&id);
        let running = self.running().remove(&id);
        if let Some(running) = &running {
            running.end();
        }
        // If it does not run any more its answer is on its way, and may be cut short.
        if running.is_some() || self.0.outbox.withdraw(id) {
            self.fail(
                id,
                &Error::new(ErrorKind::Cancelled, "the call was cancelled by its caller"),
            );
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
            // It is large, and moved often until it runs.
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

    /// The arguments of an operation, now or when all their chunks have come.
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
            return Err(Error::new(ErrorKind::Limit, "this id is one of an operation that runs"));
        }
        let assembly = Assembly::new(detached, self.0.message_limit)?;
        begin(arriving, id, assembly, ArrivingFor::Arguments(sender))?;
        let session_ended = || {
            Err(Error::new(ErrorKind::Cancelled, "the session ended before the arguments had come"))
        };
        Ok(Either::Right(async move {
            let bytes = receiver.await.unwrap_or_else(|_| session_ended())?;
            aside(bytes.len(), move || {
                let arguments = pb::Arguments::decode(bytes).map_err(|error| {
                    Error::new(
                        ErrorKind::BadArguments,
                        format!("the detached arguments cannot be decoded: {error}"),
                    )
                })?;
                given(arguments, depth_limit)
            })
            .await
        }))
    }

    /// Of an operation that was refused, nothing more is taken.
    fn keep_arriving_if_it_runs(&self, id: u64, detached: u64, arriving: &mut Arriving) {
        if detached > 0 && !self.running().contains_key(&id) {
            arriving.remove(&id);
        }
    }

    /// Runs an operation on a task of its own, which a cancel aborts.
    fn run(
        &self,
        id: u64,
        channel: Option<Arc<SessionReplyChannel>>,
        answer: impl Future<Output = Result<(Answer, Option<HandedOut>)>> + Send + 'static,
    ) {
        // Held until the handle is in, so that the task finds it however soon it ends.
        let mut running = self.running();
        if running.len() >= MAX_RUNNING || running.contains_key(&id) {
            drop(running);
            let message =
                format!("{MAX_RUNNING} operations run already, or this id is one of theirs");
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
            // Before it is taken out: a cancel that finds it gone must find none of its
            // items either.
            if let Some(channel) = way_back {
                channel.end();
            }
            // If a cancel has overtaken the answer, what that hands out is taken back by
            // being dropped.
            if session.running().remove(&id).is_some() {
                session.answer(id, answer, Sending { handed_out, _pending: pending });
            }
        });
        running.insert(id, RunningOperation { task: task.abort_handle(), channel });
    }

    fn send(&self, id: u64, answer: Answer) {
        self.0.outbox.send(pb::SessionResponse { id, result: Some(answer), detached: 0 });
    }

    /// Prepares an answer for sending; what is large on a thread of its own.
    async fn encode(&self, id: u64, answer: Answer) -> Result<Encoded> {
        let is_exception = is_exception(&answer);
        let response = pb::SessionResponse { id, result: Some(answer), detached: 0 };
        let len = response.encoded_len();
        // An exception has been made to fit, or is as short as can be.
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

    /// Cancels what runs, because nobody waits for it any more, and releases what was
    /// made.
    fn end(&self) {
        let running = std::mem::take(&mut *self.running());
        running.values().for_each(RunningOperation::end);
        self.0.host.release_session(self.0.id);
        self.0.outbox.close();
    }

    /// What is said to a call that has ended meanwhile is said to nobody.
    fn with_line(&self, id: u64, tell: impl FnOnce(&SessionReplyChannel)) {
        let channel = self.running().get(&id).and_then(|running| running.channel.clone());
        if let Some(channel) = channel {
            tell(&channel);
        }
    }

    /// Adds a chunk to what it belongs to. One that belongs to nothing is of an operation
    /// that was refused or cancelled meanwhile.
    fn collect(&self, id: u64, chunk: &Bytes, arriving: &mut Arriving) {
        let Some((assembly, _)) = arriving.get_mut(&id) else { return };
        let whole = match assembly.push(chunk) {
            Ok(None) => return,
            Ok(Some(whole)) => Ok(whole),
            Err(error) => Err(error),
        };
        match arriving.remove(&id) {
            Some((_, ArrivingFor::Arguments(waiting))) => {
                // Whoever waited may have been cancelled.
                let _ = waiting.send(whole);
            }
            // Here and now, so that the next items come after these.
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

/// Begins to put a detached message together.
///
/// # Errors
///
/// [`ErrorKind::Protocol`] if another of the same id is still arriving.
fn begin(arriving: &mut Arriving, id: u64, assembly: Assembly, waiting: ArrivingFor) -> Result<()> {
    match arriving.entry(id) {
        Entry::Vacant(entry) => {
            entry.insert((assembly, waiting));
            Ok(())
        }
        Entry::Occupied(_) => {
            Err(Error::new(ErrorKind::Protocol, "a large message of this id is still arriving"))
        }
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
        Error::new(
            ErrorKind::BadArguments,
            format!("the detached items cannot be decoded: {error}"),
        )
    })
}
