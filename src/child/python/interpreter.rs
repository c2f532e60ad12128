//! One interpreter: its requests and its end.
//!
//! Each request is answered once. When the interpreter dies, the requests that still wait
//! fail with how it died. The interpreter ends when the last object in it is dropped,
//! because its sockets close: one for requests, which it reads in turn, and one for what
//! cannot wait for its turn.

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
use crate::child::python::frames::{FrameReader, FrameWriter};
use crate::child::python::marshal::{AgentFrame, no_handles};
use crate::child::python::request::AgentRequest;
use crate::common::definition::InterpreterFacts;
use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Result};
use crate::common::process::InterpreterProcess as Process;
use crate::common::value::Handle;

/// How long the last frames of a dead interpreter are still read.
const LAST_FRAMES: Duration = Duration::from_millis(50);

/// How much of the end of an interpreter's stderr an error's message contains.
const LAST_LINES: usize = 6;
const LAST_CHARACTERS: usize = 200;

/// How long an interpreter whose socket has closed may take to exit before it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_millis(1500);

/// A running interpreter. Dropping it closes its sockets, which ends it.
pub(super) struct RunningInterpreter {
    pub(super) pid: u32,
    /// Such as `3.11.7`.
    version: String,
    program: PathBuf,
    /// How long after an interruption without effect the interpreter is killed.
    pub(super) kill_when_stuck: Option<Duration>,
    /// The runtime of its calls.
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
    /// The objects in the interpreter, by their numbers there.
    objects: Mutex<HashMap<u64, WeakObjectRef>>,
}

#[derive(Default)]
struct PendingRequests {
    last: u64,
    /// In the order in which the interpreter carries them out.
    waiting: BTreeMap<u64, oneshot::Sender<Result<Bytes>>>,
    dead: Option<Error>,
    /// Cancelled when the interpreter is dead.
    died: CancellationToken,
}

/// A request that has been sent.
pub(super) struct SentRequest {
    pub(super) interpreter: Arc<RunningInterpreter>,
    pub(super) id: u64,
    answer: oneshot::Receiver<Result<Bytes>>,
}

/// A started interpreter that is ready for requests.
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
    /// Takes over a started interpreter. Must be called on the keeper.
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
        let tail = request.tail(number)?;
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
        Ok(SentRequest { interpreter: Arc::clone(self), id, answer })
    }

    /// Sends a request that is not answered and refers to no objects.
    pub(super) fn post(&self, request: &AgentRequest) {
        let tail = request.tail(&mut no_handles);
        let sent = tail.and_then(|tail| self.requests.send(&AgentFrame::head(0)?, tail));
        debug_assert!(sent.is_ok(), "a small request without handles can be sent");
    }

    /// What callers may know about the interpreter.
    pub(super) fn facts(&self) -> InterpreterFacts {
        InterpreterFacts {
            pid: self.pid,
            version: self.version.clone(),
            executable: self.program.display().to_string(),
        }
    }

    /// Interrupts a request, whether it runs or waits.
    pub(super) fn interrupt(&self, id: u64) {
        let frame = AgentFrame::new(0, "interrupt", id).encode(&mut no_handles);
        let sent = frame.and_then(|frame| self.urgent.send(&frame, Vec::new()));
        debug_assert!(sent.is_ok(), "a small frame without handles can be sent");
    }

    pub(super) fn kill(&self) {
        // If nobody receives it, the interpreter is dead.
        let _ = self.kill.send(());
    }

    /// Whether it is a request's turn, as far as the daemon knows.
    pub(super) fn is_running(&self, id: u64) -> bool {
        self.shared.pending().waiting.first_key_value().is_some_and(|(first, _)| *first == id)
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

impl SentRequest {
    /// Waits for the answer, which is a frame.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the answer can be waited for again.
    pub(super) async fn answer(&mut self) -> Result<Bytes> {
        let gone = |_| Err(Error::new(ErrorKind::Died, "the interpreter has ended"));
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

/// The end of what an interpreter wrote to stderr, in one line.
pub(super) fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ");
    match words.char_indices().rev().nth(LAST_CHARACTERS - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &words[start..]),
        _ => words,
    }
}

/// Reads answers until their end, and returns what was wrong with them, if anything.
async fn read(mut incoming: FrameReader, shared: Arc<InterpreterShared>) -> Option<String> {
    loop {
        let frame = match incoming.frame().await {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Some(error.to_string());
            }
            Err(_) => return None,
        };
        let Some(id) = id_of(&frame) else { return Some("a frame is not an answer".to_owned()) };
        let waiting = shared.pending().waiting.remove(&id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(Ok(frame));
        }
    }
}

/// The number of an answer: the first item of its tuple.
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

/// Owns the process: waits for its exit or kills it, and fails the requests that wait.
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
                    let _ = timeout(EXIT_TIMEOUT, process.exited()).await;
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
                    }
                    // Its answers end before the process does.
                    _ => drop(timeout(EXIT_TIMEOUT, process.exited()).await),
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
