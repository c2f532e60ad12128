//! One interpreter: its requests and its end.
//!
//! Each request is answered once. When the interpreter dies, the requests that still wait
//! fail with how it died. The interpreter ends when the last object in it is dropped,
//! because its sockets close: one for requests, which it reads in turn, and one for what
//! cannot wait for its turn. The ends of its other door are kept here until the parent
//! asks for them; while the parent uses that door, it holds the interpreter too.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::child::object::WeakObjectRef;
use crate::child::python::interpreter_ends::InterpreterEnds;
use crate::common::agent::{
    AgentRequest, Frame, FrameReader, FrameWriter, Interruptible, Item, NOT_ASKED,
    interpreter_died, is_begun, no_handles, outcome,
};
use crate::common::definition::InterpreterFacts;
use crate::common::error::{DeadProcess, Death, Error, ErrorKind, KillReason, Result};
use crate::common::handshake::DaemonMessage;
use crate::common::process::InterpreterProcess as Process;
use crate::common::value::Handle;

/// How long the last frames of a dead interpreter are still read.
const LAST_FRAMES: Duration = Duration::from_millis(50);

/// How long an interpreter that has closed its socket may take to exit before it is
/// killed.
const EXIT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long an interpreter that is wanted, but has closed its socket, may take to exit.
const CLOSED_TIMEOUT: Duration = Duration::from_millis(200);

const SIGKILL: i32 = 9;

/// A running interpreter. Dropping it closes its sockets, which ends it.
pub(super) struct RunningInterpreter {
    /// Its number in its daemon.
    pub(super) number: u64,
    facts: InterpreterFacts,
    /// How long after an interruption without effect the interpreter is killed.
    pub(super) kill_when_stuck: Option<Duration>,
    /// Whether it carries out calls on threads, and so several at once.
    pub(super) has_threads: bool,
    /// The runtime of its calls.
    pub(super) runtime: Runtime,
    shared: Arc<InterpreterShared>,
    /// Dropped before the sockets are closed: an interpreter that ends because of that
    /// was not wanted any more.
    kill: mpsc::UnboundedSender<KillReason>,
    requests: FrameWriter,
    urgent: FrameWriter,
    ends: Arc<InterpreterEnds>,
    /// Held by each object that is being made.
    makings: Arc<()>,
    is_given_up: AtomicBool,
    /// The other ends of the door for the parent, until it has them.
    parent_door: Mutex<Option<[OwnedFd; 2]>>,
}

struct InterpreterShared {
    pending: Mutex<PendingRequests>,
    /// Those that do not wait for their turn.
    urgent: Mutex<PendingRequests>,
    /// The objects in the interpreter, by their numbers there.
    objects: Mutex<HashMap<u64, WeakObjectRef>>,
    /// How long it may take to exit once it is not wanted any more.
    end_time: Mutex<Duration>,
}

#[derive(Default)]
struct PendingRequests {
    last: u64,
    /// In the order in which the interpreter carries them out.
    waiting: WaitingRequests,
    dead: Option<Error>,
    /// Cancelled when the interpreter is dead.
    died: CancellationToken,
}

/// A request that has been sent.
pub(super) struct SentRequest {
    pub(super) interpreter: Arc<RunningInterpreter>,
    pub(super) id: u64,
    answer: AwaitedAnswer,
}

/// What the interpreter says of a request.
struct AwaitedAnswer {
    /// Sent when the request has begun, if the interpreter says so; dropped before the
    /// answer is sent.
    begun: oneshot::Receiver<()>,
    answer: oneshot::Receiver<Result<Frame>>,
}

/// A request that waits for its answer.
struct WaitingRequest {
    /// `None` once it has begun.
    begun: Option<oneshot::Sender<()>>,
    answer: oneshot::Sender<Result<Frame>>,
}

/// A started interpreter that is ready for requests.
pub(super) struct StartedInterpreter {
    pub(super) process: Process,
    pub(super) program: PathBuf,
    pub(super) version: String,
    pub(super) since: Instant,
    pub(super) incoming: FrameReader,
    pub(super) requests: FrameWriter,
    pub(super) urgent: (FrameReader, FrameWriter),
    pub(super) parent_door: Option<[OwnedFd; 2]>,
    pub(super) has_threads: bool,
}

/// Which interpreter of its daemon a new one is.
pub(super) struct NewInterpreter {
    pub(super) number: u64,
    /// Whether it has a door for the parent.
    pub(super) has_parent_door: bool,
    /// Sends messages to the parent.
    pub(super) owner: Option<mpsc::UnboundedSender<OwnerMessage>>,
    pub(super) on_end: OnEnd,
    pub(super) ends: Arc<InterpreterEnds>,
}

/// What the parent is told, and descriptors for it.
pub(crate) type OwnerMessage = (DaemonMessage, Vec<OwnedFd>);

/// Called when the interpreter has ended: whether anybody still used it, whether it was
/// to end before it did, its program, and how it ended.
pub(super) type OnEnd = Box<dyn FnOnce(bool, bool, &str, &Death) + Send>;

impl RunningInterpreter {
    /// Takes over a started interpreter. Must be called on the keeper.
    pub(super) fn new(
        started: StartedInterpreter,
        new: NewInterpreter,
        kill_when_stuck: Option<Duration>,
        runtime: Runtime,
    ) -> Self {
        let StartedInterpreter { process, program, version, since, incoming, requests, .. } =
            started;
        let (listed, urgent) = started.urgent;
        let executable = program.display().to_string();
        let has_threads = started.has_threads;
        let facts = InterpreterFacts { pid: process.pid(), version, executable };
        let shared = Arc::new(InterpreterShared {
            pending: Mutex::default(),
            urgent: Mutex::default(),
            objects: Mutex::default(),
            end_time: Mutex::new(EXIT_TIMEOUT),
        });
        let (makings, is_given_up) = (Arc::default(), AtomicBool::new(false));
        let (kill, killed) = mpsc::unbounded_channel();
        new.ends.note_start();
        let answers = read(incoming, Arc::clone(&shared), |shared| &shared.pending);
        let urgent_answers = read(listed, Arc::clone(&shared), |shared| &shared.urgent);
        let reading = runtime.spawn(async move {
            tokio::pin!(answers);
            tokio::select! {
                biased;
                malformed = &mut answers => malformed,
                // If that one only ends, the other end of this one is still to come.
                Some(malformed) = urgent_answers => Some(malformed),
            }
        });
        let NewInterpreter { number, on_end, ends, .. } = new;
        tokio::spawn(watch(process, killed, reading, Arc::clone(&shared), on_end, program, since));
        RunningInterpreter {
            number,
            facts,
            kill_when_stuck,
            has_threads,
            runtime,
            shared,
            requests,
            urgent,
            kill,
            ends,
            makings,
            is_given_up,
            parent_door: Mutex::new(started.parent_door),
        }
    }

    /// Sends a request; requests are carried out in the order in which they are sent.
    /// `number` returns the interpreter's number of an object.
    ///
    /// # Errors
    ///
    /// How the interpreter has died, if it has, and what `number` fails with.
    pub(super) fn send(
        self: &Arc<Self>,
        request: &AgentRequest,
        number: &mut impl FnMut(&Handle) -> Result<u64>,
    ) -> Result<SentRequest> {
        let frame = request.frame(number)?;
        let (id, answer) = self.requests.send(frame, || self.shared.pending().register())?;
        Ok(SentRequest { interpreter: Arc::clone(self), id, answer })
    }

    /// Sends a request that is not answered and refers to no objects.
    pub(super) fn post(&self, request: &AgentRequest) {
        match request.frame(&mut no_handles) {
            Ok(frame) => self.requests.post(frame),
            Err(_) => debug_assert!(false, "a small request without handles can be sent"),
        }
    }

    /// Asks for the objects in the interpreter, whoever holds them: their numbers and
    /// types. The request waits for no other.
    pub(super) async fn list(&self) -> Result<Vec<(u64, String)>> {
        let frame = AgentRequest::new("objects").frame(&mut no_handles)?;
        let (_, answer) = self.urgent.send(frame, || self.shared.urgent().register())?;
        let gone = |_| Err(Error::new(ErrorKind::Died, "the interpreter has ended"));
        let rows = outcome(&answer.answer.await.unwrap_or_else(gone)?, &self.facts)?;
        let rows = rows.into_items()?;
        let row = |row: Item| {
            let [number, type_name, _] = row.into_array()?;
            Ok((number.number()?, type_name.into_text()?))
        };
        rows.into_iter().map(row).collect()
    }

    /// Takes the ends of the door for the parent; `None` if it has them already.
    pub(super) fn take_parent_door(&self) -> Option<[OwnedFd; 2]> {
        self.parent_door.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What callers may know about the interpreter.
    pub(super) fn facts(&self) -> &InterpreterFacts {
        &self.facts
    }

    /// Counts an object that is being made, until the returned guard is dropped.
    pub(super) fn making(&self) -> Arc<()> {
        Arc::clone(&self.makings)
    }

    /// Whether new objects may be made in the interpreter.
    pub(super) fn is_wanted(&self) -> bool {
        self.shared.pending().dead.is_none() && !self.is_given_up.load(Ordering::Relaxed)
    }

    /// Refuses new objects from now on, if the interpreter has no objects and only the
    /// caller is making one. Returns whether that is so.
    pub(super) fn give_up_if_empty(&self) -> bool {
        // One count is the interpreter's own, one is the caller's.
        let is_empty = self.objects().is_empty() && Arc::strong_count(&self.makings) <= 2;
        if is_empty {
            self.is_given_up.store(true, Ordering::Relaxed);
        }
        is_empty
    }

    /// Cancelled when the interpreter is dead.
    pub(super) fn died(&self) -> CancellationToken {
        self.shared.pending().died.clone()
    }

    /// The objects in the interpreter, by their numbers there.
    pub(super) fn objects(&self) -> MutexGuard<'_, HashMap<u64, WeakObjectRef>> {
        self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its sockets close after this, which ends it.
impl Drop for RunningInterpreter {
    fn drop(&mut self) {
        let (exit, kill) = self.ends.times();
        *self.shared.end_time.lock().unwrap_or_else(PoisonError::into_inner) = kill;
        match AgentRequest::end_within(exit).frame(&mut no_handles) {
            Ok(frame) => self.urgent.post(frame),
            Err(_) => debug_assert!(false, "a small frame without handles can be sent"),
        }
    }
}

impl Interruptible for RunningInterpreter {
    fn interrupt(&self, id: u64) {
        match AgentRequest::interrupt(id).frame(&mut no_handles) {
            Ok(frame) => self.urgent.post(frame),
            Err(_) => debug_assert!(false, "a small frame without handles can be sent"),
        }
    }

    fn kill(&self, reason: KillReason) {
        // If nobody receives it, the interpreter is dead.
        let _ = self.kill.send(reason);
    }

    fn is_running(&self, id: u64) -> bool {
        let pending = self.shared.pending();
        let waits = |request: &WaitingRequest| request.begun.is_some();
        match pending.waiting.get(&id) {
            None => false,
            Some(request) if !waits(request) => true,
            Some(_) if self.has_threads => false,
            Some(_) => {
                pending.waiting.iter().find(|(_, request)| waits(request)).map(|(id, _)| *id)
                    == Some(id)
            }
        }
    }
}

impl SentRequest {
    /// Waits until the interpreter says that the request has begun, or answers it.
    /// Returns whether it has said so.
    pub(super) async fn begun(&mut self) -> bool {
        (&mut self.answer.begun).await.is_ok()
    }

    /// Waits for the answer, which is a frame.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the answer can be waited for again.
    pub(super) async fn answer(&mut self) -> Result<Frame> {
        let gone = |_| Err(Error::new(ErrorKind::Died, "the interpreter has ended"));
        (&mut self.answer.answer).await.unwrap_or_else(gone)
    }
}

impl InterpreterShared {
    fn pending(&self) -> MutexGuard<'_, PendingRequests> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn urgent(&self) -> MutexGuard<'_, PendingRequests> {
        self.urgent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &Error) {
        let waiting = [self.pending().fail(error), self.urgent().fail(error)];
        for waiting in waiting.into_iter().flat_map(BTreeMap::into_values) {
            waiting.complete(Err(error.clone()));
        }
    }
}

type WaitingRequests = BTreeMap<u64, WaitingRequest>;

impl WaitingRequest {
    fn complete(self, answer: Result<Frame>) {
        drop(self.begun);
        // If nobody waits, nobody wants it.
        let _ = self.answer.send(answer);
    }
}

impl PendingRequests {
    /// Registers a request; returns its number, and that again with its answer.
    fn register(&mut self) -> Result<(u64, (u64, AwaitedAnswer))> {
        if let Some(dead) = &self.dead {
            return Err(dead.clone());
        }
        let (begun, begins) = oneshot::channel();
        let (sender, answer) = oneshot::channel();
        self.last += 1;
        self.waiting.insert(self.last, WaitingRequest { begun: Some(begun), answer: sender });
        Ok((self.last, (self.last, AwaitedAnswer { begun: begins, answer })))
    }

    /// Returns those that wait.
    fn fail(&mut self, error: &Error) -> WaitingRequests {
        self.dead.get_or_insert_with(|| error.clone());
        self.died.cancel();
        std::mem::take(&mut self.waiting)
    }
}

/// Reads answers until their end, and returns what was wrong with them, if anything.
async fn read(
    mut incoming: FrameReader,
    shared: Arc<InterpreterShared>,
    pending: fn(&InterpreterShared) -> &Mutex<PendingRequests>,
) -> Option<String> {
    loop {
        let frame = match incoming.frame().await {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Some(error.to_string());
            }
            Err(_) => return None,
        };
        let Some(id) = frame.id() else { return Some("a frame is not an answer".to_owned()) };
        let mut pending = pending(&shared).lock().unwrap_or_else(PoisonError::into_inner);
        if is_begun(&frame)
            && let Some(waiting) = pending.waiting.get_mut(&id)
        {
            // If nobody waits, nobody wants to know.
            let _ = waiting.begun.take().map(|begun| begun.send(()));
            continue;
        }
        let waiting = pending.waiting.remove(&id);
        let has_failed = pending.dead.is_some();
        drop(pending);
        match waiting {
            Some(waiting) => waiting.complete(Ok(frame)),
            // Every request is answered once, unless all have failed meanwhile.
            None if has_failed => {}
            None => return Some(NOT_ASKED.to_owned()),
        }
    }
}

/// Owns the process: waits for its exit or kills it, and fails the requests that wait.
async fn watch(
    process: Process,
    mut killed: mpsc::UnboundedReceiver<KillReason>,
    mut reading: JoinHandle<Option<String>>,
    shared: Arc<InterpreterShared>,
    on_end: OnEnd,
    program: PathBuf,
    started: Instant,
) {
    let pid = process.pid();
    let (mut read_out, mut was_left, mut reason) = (false, false, None);
    loop {
        tokio::select! {
            biased;
            () = process.exited() => break,
            order = killed.recv() => {
                match order {
                    // The interpreter is no longer wanted, and its socket closed.
                    None => {
                        was_left = true;
                        let time = *shared.end_time.lock().unwrap_or_else(PoisonError::into_inner);
                        let _ = timeout(time, process.exited()).await;
                    }
                    Some(why) => reason = Some(why),
                }
                process.kill();
                process.exited().await;
                break;
            }
            malformed = &mut reading, if !read_out => {
                read_out = true;
                match malformed {
                    Ok(Some(what)) => {
                        let program = program.display();
                        let message =
                            format!("killed the interpreter `{program}` (process {pid}): {what}");
                        shared.fail(&Error::new(ErrorKind::Protocol, message));
                        reason = Some(KillReason::Malformed);
                    }
                    // Its answers end before the process does.
                    _ if killed.is_closed() => drop(timeout(EXIT_TIMEOUT, process.exited()).await),
                    _ => {
                        if timeout(CLOSED_TIMEOUT, process.exited()).await.is_err() {
                            reason = Some(KillReason::Closed);
                        }
                    }
                }
                process.kill();
            }
        }
    }
    let last_frames = async {
        if !read_out && timeout(LAST_FRAMES, &mut reading).await.is_err() {
            // A forked copy still holds the socket.
            reading.abort();
        }
    };
    let ((status, stderr), ()) = tokio::join!(process.reap(), last_frames);
    let reason = reason.filter(|_| status.signal() == Some(SIGKILL));
    let reason = reason.map(|reason| reason.text().to_owned());
    let (whose, uptime) = (DeadProcess::Interpreter, started.elapsed());
    let death = Death { whose, pid, status, reason, stderr, uptime };
    debug!(pid, "an interpreter has ended");
    let is_wanted = !matches!(killed.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    let program = program.display().to_string();
    // Before the parent learns of it, which may make its next object at once.
    shared.fail(&interpreter_died(&program, death.clone()));
    on_end(is_wanted, was_left, &program, &death);
}

impl fmt::Debug for RunningInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter").field("pid", &self.facts.pid).finish_non_exhaustive()
    }
}
