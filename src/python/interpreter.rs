//! One interpreter: its start, its requests, its end.
//!
//! Each request is answered once; what waits for an answer when the interpreter dies is told how it died. The interpreter ends when the last object that
//! lives in it is dropped, by the end of its sockets: one for the requests, which it reads when it has answered those before, and one for what cannot wait
//! for that.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::definition::PythonDefinition;
use crate::error::{Death, Error, ErrorKind, Result, Whose};
use crate::object::WeakLiving;
use crate::process::{Interpreter as Process, keeper};
use crate::python::choose::choose;
use crate::python::incoming::Incoming;
use crate::python::marshal::{Frame, Item, encode};
use crate::python::outgoing::Outgoing;
use crate::python::waiting::see_gone;
use crate::python::{AGENT, BOOTSTRAP};
use crate::value::{Handle, Value};

/// How long the interpreter may take from its start until it can be asked, if the caller does not say.
const START: Duration = Duration::from_secs(10);

/// How long the frames of an interpreter that has died are still read.
const LAST_WORD: Duration = Duration::from_millis(50);

/// How many of the last lines that an interpreter wrote which has not started are told.
const LAST_LINES: usize = 6;

/// How long an interpreter whose socket has closed may take to end before it is killed.
const END: Duration = Duration::from_millis(1500);

/// One interpreter. Dropping it ends it.
pub(super) struct Interpreter {
    pub(super) pid: u32,
    /// How long after an interruption without effect it is killed.
    pub(super) kill_when_stuck: Option<Duration>,
    /// Where its calls run.
    pub(super) runtime: Runtime,
    shared: Arc<Shared>,
    requests: Arc<Outgoing>,
    urgent: Arc<Outgoing>,
    kill: mpsc::UnboundedSender<()>,
    /// Held by each object that is being made.
    makings: Arc<()>,
    is_given_up: AtomicBool,
}

struct Shared {
    pending: Mutex<Pending>,
    /// The objects that live in it, by their numbers there.
    objects: Mutex<HashMap<u64, WeakLiving>>,
}

#[derive(Default)]
struct Pending {
    last: u64,
    /// In the order in which they are carried out.
    waiting: BTreeMap<u64, oneshot::Sender<Result<Bytes>>>,
    dead: Option<Error>,
    /// Cancelled when it is dead.
    died: CancellationToken,
}

/// What the agent is told of the daemon's limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// In levels.
    pub(super) depth: usize,
    /// In bytes.
    pub(super) message: usize,
}

/// What a request says.
pub(super) type Payload = Vec<(&'static str, Item)>;

/// A request that has been sent.
pub(super) struct Request {
    pub(super) id: u64,
    answer: oneshot::Receiver<Result<Bytes>>,
}

impl Interpreter {
    /// Starts an interpreter and sends it the agent. Dropped before that is done, it ends what it has begun.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Spawn`] if it cannot be started, is no Python that will do, or does not say so in time.
    pub(super) async fn start(definition: PythonDefinition, limits: Limits) -> Result<Self> {
        let runtime = Runtime::current();
        // On the keeper, whose thread lives as long as the process, and whose task nobody drops halfway: what it has started it ends.
        let starting = keeper()?.spawn(launch(definition, limits, runtime));
        starting.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Spawn, "oad itself failed")))
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
        let payload = Item::Dict(payload.into_iter().map(|(name, item)| (name.into(), item)).collect());
        self.ask(operation, payload, number)
    }

    fn ask(&self, operation: &str, payload: Item, number: &mut dyn FnMut(&Handle) -> Result<u64>) -> Result<Request> {
        let tail = Frame::tail(operation, &payload, &mut |handle| number(handle))?;
        let (sender, answer) = oneshot::channel();
        let mut pending = self.shared.pending();
        if let Some(dead) = &pending.dead {
            return Err(dead.clone());
        }
        let id = pending.last + 1;
        // Under the lock, so that the order of the numbers is that of the frames.
        self.requests.send(&Frame::head(id)?, tail)?;
        pending.last = id;
        pending.waiting.insert(id, sender);
        Ok(Request { id, answer })
    }

    /// Interrupts a request, wherever it is.
    pub(super) fn interrupt(&self, id: u64) {
        tell(&self.urgent, "interrupt", id.into());
    }

    /// Gives handles back. An object that does not let itself be let go of is a stuck one.
    pub(super) fn release(self: &Arc<Self>, number: u64, count: u64) {
        let payload = Value::Tuple(vec![number.into(), count.into()]);
        let Some(grace) = self.kill_when_stuck else { return tell(&self.requests, "release", payload) };
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

    /// Has no more objects made in it, if none lives there and no other than the caller's is being made.
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
    pub(super) fn objects(&self) -> MutexGuard<'_, HashMap<u64, WeakLiving>> {
        self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of its sockets is what ends it.
impl Drop for Interpreter {
    fn drop(&mut self) {
        self.requests.close();
        self.urgent.close();
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

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
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

async fn launch(definition: PythonDefinition, limits: Limits, runtime: Runtime) -> Result<Interpreter> {
    let PythonDefinition { interpreter, path, start_timeout, kill_when_stuck, .. } = definition;
    let started = Instant::now();
    let limit = start_timeout.unwrap_or(START);
    let deadline = started + limit;
    // It looks at files, which may be on a disk that does not answer.
    let choosing = tokio::task::spawn_blocking(move || choose(&interpreter));
    let late = |what: &str| Error::new(ErrorKind::Spawn, format!("the interpreter {what} within {limit:?}"));
    let chosen = timeout_at(deadline, choosing).await.map_err(|_| late("was not found"))?;
    let program = chosen.map_err(|_| Error::new(ErrorKind::Spawn, "oad itself failed"))??;
    let arguments = ["-u", "-B", "-c", BOOTSTRAP].map(OsStr::new);
    let (process, sockets) = Process::start(&program, &arguments)?;
    let pid = process.pid();
    // Read and written where the daemon's calls are.
    let opened = {
        let _entered = runtime.enter();
        let [requests, urgent] = sockets;
        UnixStream::from_std(requests).and_then(|requests| Ok([open(requests), open(UnixStream::from_std(urgent)?)]))
    };
    let greeted = match opened {
        Err(error) => Err(failed(&program, &format!("its sockets cannot be used: {error}"))),
        Ok([(mut incoming, requests), (_, urgent)]) => {
            let greeting = greet(&mut incoming, &requests, &program, &path, limits);
            let greeted = timeout_at(deadline, greeting).await;
            greeted
                .unwrap_or_else(|_| Err(failed(&program, &format!("it has not started within {limit:?}"))))
                .map(|()| (incoming, requests, urgent))
        }
    };
    let (incoming, requests, urgent) = match greeted {
        Ok(ends) => ends,
        Err(error) => {
            process.kill();
            let (status, stderr) = process.reap().await;
            // What it has written says more than that it has said nothing, and a message is what everybody reads.
            let words = last_words(&stderr);
            let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
            let death = Death { whose: Whose::Interpreter, pid, status, stderr, uptime: started.elapsed() };
            return Err(error.with_death(Arc::new(death)));
        }
    };
    debug!(pid, program = %program.display(), "an interpreter has started");
    let shared = Arc::new(Shared { pending: Mutex::default(), objects: Mutex::default() });
    let (makings, is_given_up) = (Arc::default(), AtomicBool::new(false));
    let (kill, killed) = mpsc::unbounded_channel();
    let reading = runtime.spawn(read(incoming, Arc::clone(&shared)));
    tokio::spawn(watch(process, killed, reading, Arc::clone(&shared), program, started));
    Ok(Interpreter { pid, kill_when_stuck, runtime, shared, requests, urgent, kill, makings, is_given_up })
}

/// Must be called within the runtime where it is to be read and written.
fn open(socket: UnixStream) -> (Incoming, Arc<Outgoing>) {
    let (reader, writer) = socket.into_split();
    (Incoming::new(reader), Outgoing::start(writer))
}

/// Sends what is not answered.
fn tell(outgoing: &Outgoing, operation: &str, payload: Value) {
    let told = Frame::new(0, operation, payload).encode(&mut |_| Ok(0));
    // It is small. If the interpreter is dead there is nothing to tell it.
    let _ = told.and_then(|frame| outgoing.send(&frame, Vec::new()));
}

/// The first words: its version, the agent's text, the hello.
async fn greet(
    incoming: &mut Incoming,
    requests: &Outgoing,
    program: &Path,
    path: &[String],
    limits: Limits,
) -> Result<()> {
    let broken = |error: io::Error| failed(program, &format!("it ended, or is no Python: {error}"));
    let first = incoming.frame().await.map_err(broken)?;
    check_version(program, &first)?;
    let no_handles = &mut |_: &Handle| Err(super::nothing());
    requests.send(&[], encode(&AGENT.into(), no_handles)?)?;
    let path = Value::List(path.iter().map(|entry| Value::from(entry.as_str())).collect::<Vec<_>>().into());
    let hello = Item::dict([
        ("depth", (limits.depth as u64).into()),
        ("limit", (limits.message as u64).into()),
        ("daemon", Process::parent().into()),
        ("path", path.into()),
    ]);
    let hello = Frame::new(1, "hello", hello);
    requests.send(&[], hello.encode(no_handles)?)?;
    let answer = incoming.frame().await.map_err(broken)?;
    match Frame::decode(&answer)?.word.as_str() {
        "value" => Ok(()),
        _ => Err(failed(program, "it does not take the agent")),
    }
}

fn check_version(program: &Path, frame: &[u8]) -> Result<()> {
    let version = || {
        let [major, minor, micro, name] = Frame::decode(frame)?.payload.into_array()?;
        Ok::<_, Error>((major.number::<u32>()?, minor.number::<u32>()?, micro.number::<u32>()?, name.into_text()?))
    };
    let (major, minor, micro, name) = version().map_err(|_| failed(program, "it is no Python"))?;
    if name != "cpython" {
        return Err(failed(program, &format!("it is {name} {major}.{minor}.{micro}, and oad needs CPython")));
    }
    if (major, minor) < (3, 6) {
        let what = format!("it is Python {major}.{minor}.{micro}, and oad needs 3.6 or newer");
        return Err(failed(program, &what).advise("name another interpreter, or a virtual environment of one"));
    }
    Ok(())
}

fn failed(program: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Spawn, format!("the interpreter `{}` will not do: {what}", program.display()))
}

/// The last lines of what it wrote, in one.
fn last_words(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ")
}

/// Reads answers until their end; gives what was wrong with them, if anything was.
async fn read(mut incoming: Incoming, shared: Arc<Shared>) -> Option<String> {
    loop {
        let frame = match incoming.frame().await {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Some(error.to_string()),
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
        [b'(', 3, 0, 0, 0, b'i'] => Some(u32::from_le_bytes(frame.get(6..10)?.try_into().ok()?).into()),
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
    shared: Arc<Shared>,
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
    let death = Death { whose: Whose::Interpreter, pid, status, stderr, uptime: started.elapsed() };
    let message = format!("the interpreter `{}` (process {pid}) died: {}", program.display(), death.status);
    debug!(pid, "an interpreter has ended");
    let (words, error) = (last_words(&death.stderr), Error::new(ErrorKind::Died, message));
    let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
    shared.fail(&error.with_death(Arc::new(death)));
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter").field("pid", &self.pid).finish_non_exhaustive()
    }
}
