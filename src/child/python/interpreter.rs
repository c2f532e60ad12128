//! One interpreter: its requests, its end.
//!
//! Each request is answered once; what waits for an answer when the interpreter dies is
//! told how it died. The interpreter ends when the last object that lives in it is
//! dropped, by the end of its sockets: one for the requests, which it reads when it has
//! answered those before, and one for what cannot wait for that.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::child::object::WeakObjectRef;
use crate::child::python::frame_reader::FrameReader;
use crate::child::python::frame_writer::FrameWriter;
use crate::child::python::marshal::{AgentFrame, Item};
use crate::child::python::pending_request::see_gone;
use crate::common::definition::InterpreterFacts;
use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Result};
use crate::common::process::InterpreterProcess as Process;
use crate::common::value::{Handle, Value};

/// How long the frames of an interpreter that has died are still read.
const LAST_WORD: Duration = Duration::from_millis(50);

/// How many of the last lines that an interpreter wrote which has not started are told.
const LAST_LINES: usize = 6;

/// How long an interpreter whose socket has closed may take to end before it is killed.
const END: Duration = Duration::from_millis(1500);

/// One interpreter. Dropping it ends it, by the end of its sockets.
pub(super) struct RunningInterpreter {
    pub(super) pid: u32,
    /// Such as `3.11.7`.
    version: String,
    program: PathBuf,
    /// How long after an interruption without effect it is killed.
    pub(super) kill_when_stuck: Option<Duration>,
    /// Where its calls run.
    pub(super) runtime: Runtime,
    shared: Arc<InterpreterShared>,
    requests: FrameWriter,
    urgent: FrameWriter,
    kill: mpsc::UnboundedSender<()>,
    /// Held by each object that is being made.
    makings: Arc<()>,
    is_given_up: AtomicBool,
}

struct InterpreterShared {
    pending: Mutex<PendingRequests>,
    /// The objects that live in it, by their numbers there.
    objects: Mutex<HashMap<u64, WeakObjectRef>>,
}

#[derive(Default)]
struct PendingRequests {
    last: u64,
    /// In the order in which they are carried out.
    waiting: BTreeMap<u64, oneshot::Sender<Result<Bytes>>>,
    dead: Option<Error>,
    /// Cancelled when it is dead.
    died: CancellationToken,
}

/// What a request says.
pub(super) type Payload = Vec<(&'static str, Item)>;

/// A request that has been sent.
pub(super) struct Request {
    pub(super) id: u64,
    answer: oneshot::Receiver<Result<Bytes>>,
}

/// What has been started, and has said that it can be asked.
pub(super) struct StartedInterpreter {
    pub(super) process: Process,
    pub(super) program: PathBuf,
    pub(super) version: String,
    pub(super) since: Instant,
    pub(super) incoming: FrameReader,
    pub(super) requests: FrameWriter,
    pub(super) urgent: FrameWriter,
}

impl RunningInterpreter {
    /// Takes over what has been started. Must be called on the keeper.
    pub(super) fn new(
        started: StartedInterpreter,
        kill_when_stuck: Option<Duration>,
        runtime: Runtime,
    ) -> Self {
        let StartedInterpreter { process, program, version, since, incoming, requests, urgent } =
            started;
        let pid = process.pid();
        let shared =
            Arc::new(InterpreterShared { pending: Mutex::default(), objects: Mutex::default() });
        let (makings, is_given_up) = (Arc::default(), AtomicBool::new(false));
        let (kill, killed) = mpsc::unbounded_channel();
        let reading = runtime.spawn(read(incoming, Arc::clone(&shared)));
        tokio::spawn(watch(process, killed, reading, Arc::clone(&shared), program.clone(), since));
        RunningInterpreter {
            pid,
            version,
            program,
            kill_when_stuck,
            runtime,
            shared,
            requests,
            urgent,
            kill,
            makings,
            is_given_up,
        }
    }

    /// Sends a request; requests are carried out in the order in which they are sent.
    ///
    /// # Errors
    ///
    /// How it has died, if it has.
    pub(super) fn send(
        &self,
        operation: &str,
        payload: Payload,
        number: &mut dyn FnMut(&Handle) -> Result<u64>,
    ) -> Result<Request> {
        let payload =
            Item::Dict(payload.into_iter().map(|(name, item)| (name.into(), item)).collect());
        self.ask(operation, payload, number)
    }

    fn ask(
        &self,
        operation: &str,
        payload: Item,
        number: &mut dyn FnMut(&Handle) -> Result<u64>,
    ) -> Result<Request> {
        let tail = AgentFrame::tail(operation, &payload, &mut |handle| number(handle))?;
        let (sender, answer) = oneshot::channel();
        let mut pending = self.shared.pending();
        if let Some(dead) = &pending.dead {
            return Err(dead.clone());
        }
        let id = pending.last + 1;
        // Under the lock, so that the order of the numbers is that of the frames.
        self.requests.send(&AgentFrame::head(id)?, tail)?;
        pending.last = id;
        pending.waiting.insert(id, sender);
        Ok(Request { id, answer })
    }

    /// What callers may know of it.
    pub(super) fn facts(&self) -> InterpreterFacts {
        InterpreterFacts {
            pid: self.pid,
            version: self.version.clone(),
            executable: self.program.display().to_string(),
        }
    }

    /// Interrupts a request, wherever it is.
    pub(super) fn interrupt(&self, id: u64) {
        tell(&self.urgent, "interrupt", id.into());
    }

    /// Gives handles back. An object that does not let itself be let go of is a stuck
    /// one.
    pub(super) fn release(self: &Arc<Self>, number: u64, count: u64) {
        let payload = Value::Tuple(vec![number.into(), count.into()]);
        let Some(grace) = self.kill_when_stuck else {
            return tell(&self.requests, "release", payload);
        };
        // If it is dead there is nothing to give back.
        if let Ok(request) = self.ask("release", payload.into(), &mut |_| Ok(0)) {
            see_gone(Arc::clone(self), request, grace);
        }
    }

    pub(super) fn kill(&self) {
        // If nobody listens it is dead.
        let _ = self.kill.send(());
    }

    /// Whether it is the turn of a request, as far as is known here.
    pub(super) fn is_running(&self, id: u64) -> bool {
        self.shared.pending().waiting.first_key_value().is_some_and(|(first, _)| *first == id)
    }

    /// Counts an object that is being made, until what is given back is dropped.
    pub(super) fn making(&self) -> Arc<()> {
        Arc::clone(&self.makings)
    }

    /// Whether objects may be made in it.
    pub(super) fn is_wanted(&self) -> bool {
        self.shared.pending().dead.is_none() && !self.is_given_up.load(Ordering::Relaxed)
    }

    /// Has no more objects made in it, if none lives there and no other than the caller's
    /// is being made.
    pub(super) fn give_up_if_empty(&self) -> bool {
        // Its own count, and that of the caller.
        let is_empty = self.objects().is_empty() && Arc::strong_count(&self.makings) <= 2;
        if is_empty {
            self.is_given_up.store(true, Ordering::Relaxed);
        }
        is_empty
    }

    /// What is cancelled when it is dead.
    pub(super) fn died(&self) -> CancellationToken {
        self.shared.pending().died.clone()
    }

    /// The objects that live in it, by their numbers there.
    pub(super) fn objects(&self) -> MutexGuard<'_, HashMap<u64, WeakObjectRef>> {
        self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    /// Waits for the answer: a frame.
    ///
    /// # Cancel safety
    ///
    /// The answer can be waited for again.
    pub(super) async fn answer(&mut self) -> Result<Bytes> {
        let gone = |_| Err(Error::new(ErrorKind::Died, "the interpreter is gone"));
        (&mut self.answer).await.unwrap_or_else(gone)
    }
}

impl InterpreterShared {
    fn pending(&self) -> MutexGuard<'_, PendingRequests> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &Error) {
        let waiting = {
            let mut pending = self.pending();
            pending.dead.get_or_insert_with(|| error.clone());
            pending.died.cancel();
            std::mem::take(&mut pending.waiting)
        };
        for waiting in waiting.into_values() {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}

/// Sends what is not answered.
fn tell(outgoing: &FrameWriter, operation: &str, payload: Value) {
    let told = AgentFrame::new(0, operation, payload).encode(&mut |_| Ok(0));
    // It is small. If the interpreter is dead there is nothing to tell it.
    let _ = told.and_then(|frame| outgoing.send(&frame, Vec::new()));
}

/// The last lines of what it wrote, in one.
pub(super) fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ")
}

/// Reads answers until their end; gives what was wrong with them, if anything was.
async fn read(mut incoming: FrameReader, shared: Arc<InterpreterShared>) -> Option<String> {
    loop {
        let frame = match incoming.frame().await {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Some(error.to_string());
            }
            Err(_) => return None,
        };
        let Some(id) = id_of(&frame) else { return Some("a frame is no answer".to_owned()) };
        let waiting = shared.pending().waiting.remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(Ok(frame));
        }
    }
}

/// The first item of the tuple that an answer is.
fn id_of(frame: &[u8]) -> Option<u64> {
    match frame.get(..6)? {
        [b'(', 3, 0, 0, 0, b'i'] => {
            Some(u32::from_le_bytes(frame.get(6..10)?.try_into().ok()?).into())
        }
        [b'(', 3, 0, 0, 0, b'l'] => {
            let count = i32::from_le_bytes(frame.get(6..10)?.try_into().ok()?);
            let digits = frame.get(10..10 + usize::try_from(count).ok()?.min(4) * 2)?;
            let digit = |digit: &[u8]| u64::from(u16::from_le_bytes([digit[0], digit[1]]));
            Some(digits.chunks_exact(2).rev().fold(0, |number, next| (number << 15) | digit(next)))
        }
        _ => None,
    }
}

/// Owns the process: sees it end, or kills it, and tells who waits.
async fn watch(
    process: Process,
    mut killed: mpsc::UnboundedReceiver<()>,
    mut reading: JoinHandle<Option<String>>,
    shared: Arc<InterpreterShared>,
    program: PathBuf,
    started: Instant,
) {
    let pid = process.pid();
    let mut read_out = false;
    loop {
        tokio::select! {
            biased;
            () = process.exited() => break,
            order = killed.recv() => {
                if order.is_none() {
                    // The interpreter is no longer wanted, and its socket closed.
                    let _ = timeout(END, process.exited()).await;
                }
                process.kill();
                process.exited().await;
                break;
            }
            nonsense = &mut reading, if !read_out => {
                read_out = true;
                match nonsense {
                    Ok(Some(what)) => {
                        let message = format!("the interpreter `{}` (process {pid}) was killed: {what}", program.display());
                        shared.fail(&Error::new(ErrorKind::Protocol, message));
                    }
                    // Its answers end before it does: it is ending.
                    _ => drop(timeout(END, process.exited()).await),
                }
                process.kill();
            }
        }
    }
    let last_frames = async {
        if !read_out && timeout(LAST_WORD, &mut reading).await.is_err() {
            // A copy that it has forked holds the socket.
            reading.abort();
        }
    };
    let ((status, stderr), ()) = tokio::join!(process.reap(), last_frames);
    let death =
        Death { whose: DeadProcess::Interpreter, pid, status, stderr, uptime: started.elapsed() };
    let message =
        format!("the interpreter `{}` (process {pid}) died: {}", program.display(), death.status);
    debug!(pid, "an interpreter has ended");
    let (words, error) = (last_words(&death.stderr), Error::new(ErrorKind::Died, message));
    let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
    shared.fail(&error.with_death(Arc::new(death)));
}

impl fmt::Debug for RunningInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter").field("pid", &self.pid).finish_non_exhaustive()
    }
}
