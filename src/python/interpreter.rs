//! One interpreter: its start, its requests, its end.
//!
//! Each request is answered once; what waits for an answer when the interpreter dies is told how it died. The interpreter ends when the last object that
//! lives in it is dropped, by the end of its socket.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::definition::PythonDefinition;
use crate::error::{Death, Error, ErrorKind, Result};
use crate::object::WeakLiving;
use crate::process::{Interpreter as Process, keeper};
use crate::python::choose::choose;
use crate::python::marshal::{Frame, Item, encode};
use crate::python::{AGENT, BOOTSTRAP};
use crate::value::{Handle, Value};

/// A longer frame is refused: the interpreter has gone mad.
const MAX_FRAME: u32 = 1 << 30;

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
    shared: Arc<Shared>,
    frames: mpsc::UnboundedSender<Vec<u8>>,
    kill: mpsc::UnboundedSender<()>,
}

struct Shared {
    pending: Mutex<Pending>,
    /// The objects that live in it, by their numbers there.
    objects: Mutex<HashMap<u64, WeakLiving>>,
}

#[derive(Default)]
struct Pending {
    last: i64,
    waiting: HashMap<i64, oneshot::Sender<Result<Vec<u8>>>>,
    dead: Option<Error>,
}

/// What a request says.
pub(super) type Payload = Vec<(&'static str, Item)>;

/// A request that has been sent.
pub(super) struct Request {
    pub(super) id: i64,
    answer: oneshot::Receiver<Result<Vec<u8>>>,
}

impl Interpreter {
    /// Starts an interpreter and sends it the agent. Dropped before that is done, it ends what it has begun.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Spawn`] if it cannot be started, is no Python that will do, or does not say so in time.
    pub(super) async fn start(definition: PythonDefinition, depth: usize) -> Result<Self> {
        let runtime = Runtime::current();
        // On the keeper, whose thread lives as long as the process, and whose task nobody drops halfway: what it has started it ends.
        let starting = keeper()?.spawn(launch(definition, depth, runtime));
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
        let (sender, answer) = oneshot::channel();
        let mut pending = self.shared.pending();
        if let Some(dead) = &pending.dead {
            return Err(dead.clone());
        }
        pending.last += 1;
        let id = pending.last;
        let frame = frame(Frame::new(id.unsigned_abs(), operation, payload).encode(&mut |handle| number(handle))?)?;
        pending.waiting.insert(id, sender);
        // Under the lock, so that the order of the numbers is that of the frames. The writer goes only with the interpreter.
        let _ = self.frames.send(frame);
        Ok(Request { id, answer })
    }

    /// Sends what is not answered.
    fn tell(&self, operation: &str, payload: Value) {
        let told = Frame::new(0, operation, payload).encode(&mut |_| Ok(0)).and_then(frame);
        if let Ok(frame) = told {
            // If it is dead there is nothing to tell it.
            let _ = self.frames.send(frame);
        }
    }

    /// Interrupts a request, wherever it is.
    pub(super) fn interrupt(&self, id: i64) {
        self.tell("interrupt", id.into());
    }

    /// Gives handles back.
    pub(super) fn release(&self, number: u64, count: u64) {
        self.tell("release", Value::Tuple(vec![number.into(), count.into()]));
    }

    /// Whether a request has not been answered.
    pub(super) fn is_pending(&self, id: i64) -> bool {
        self.shared.pending().waiting.contains_key(&id)
    }

    pub(super) fn kill(&self) {
        // If nobody listens it is dead.
        let _ = self.kill.send(());
    }

    pub(super) fn is_dead(&self) -> bool {
        self.shared.pending().dead.is_some()
    }

    /// The objects that live in it, by their numbers there.
    pub(super) fn objects(&self) -> MutexGuard<'_, HashMap<u64, WeakLiving>> {
        self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    /// Waits for the answer: a frame.
    pub(super) async fn answer(self) -> Result<Vec<u8>> {
        let gone = |_| Err(Error::new(ErrorKind::Died, "the interpreter is gone"));
        self.answer.await.unwrap_or_else(gone)
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
            std::mem::take(&mut pending.waiting)
        };
        for waiting in waiting.into_values() {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}

async fn launch(definition: PythonDefinition, depth: usize, runtime: Runtime) -> Result<Interpreter> {
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
    let (process, stream) = Process::start(&program, &arguments)?;
    let pid = process.pid();
    let stream = {
        // Read and written where the daemon's calls are.
        let _entered = runtime.enter();
        stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream))
    };
    let greeted = match stream {
        Err(error) => Err(failed(&program, &format!("its socket cannot be used: {error}"))),
        Ok(stream) => {
            let (mut reader, mut writer) = stream.into_split();
            let greeting = greet(&mut reader, &mut writer, &program, &path, depth);
            let greeted = timeout_at(deadline, greeting).await;
            greeted
                .unwrap_or_else(|_| Err(failed(&program, &format!("it has not started within {limit:?}"))))
                .map(|()| (reader, writer))
        }
    };
    let (reader, writer) = match greeted {
        Ok(halves) => halves,
        Err(error) => {
            process.kill();
            let (status, stderr) = process.reap().await;
            // What it has written says more than that it has said nothing, and of an error only its message crosses to the caller.
            let words = last_words(&stderr);
            let error = if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
            let death = Death { pid, status, stderr, uptime: started.elapsed() };
            return Err(error.with_death(Arc::new(death)));
        }
    };
    debug!(pid, program = %program.display(), "an interpreter has started");
    let shared = Arc::new(Shared { pending: Mutex::default(), objects: Mutex::default() });
    let (frames, outgoing) = mpsc::unbounded_channel();
    let (kill, killed) = mpsc::unbounded_channel();
    runtime.spawn(write(writer, outgoing));
    let reading = runtime.spawn(read(reader, Arc::clone(&shared)));
    tokio::spawn(watch(process, killed, reading, Arc::clone(&shared), program, started));
    Ok(Interpreter { pid, kill_when_stuck, shared, frames, kill })
}

/// The first words: its version, the agent's text, the hello.
async fn greet(
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    program: &Path,
    path: &[String],
    depth: usize,
) -> Result<()> {
    let broken = |error: io::Error| failed(program, &format!("it ended, or is no Python: {error}"));
    let first = read_frame(reader).await.map_err(broken)?;
    check_version(program, &first)?;
    let no_handles = &mut |_: &Handle| Err(super::nothing());
    writer.write_all(&frame(encode(&AGENT.into(), no_handles)?)?).await.map_err(broken)?;
    let path = Value::List(path.iter().map(|entry| Value::from(entry.as_str())).collect::<Vec<_>>().into());
    let hello = Frame::new(1, "hello", Item::dict([("depth", (depth as i64).into()), ("path", path.into())]));
    writer.write_all(&frame(hello.encode(no_handles)?)?).await.map_err(broken)?;
    let answer = read_frame(reader).await.map_err(broken)?;
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

/// A frame as it is sent: its length, and it.
fn frame(body: Vec<u8>) -> Result<Vec<u8>> {
    let too_large =
        || Error::new(ErrorKind::TooLarge, "the arguments are larger than a frame to the interpreter may be");
    let len = u32::try_from(body.len()).ok().filter(|len| *len <= MAX_FRAME).ok_or_else(too_large)?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend(len.to_le_bytes());
    frame.extend(body);
    Ok(frame)
}

async fn read_frame(reader: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let len = reader.read_u32_le().await?;
    if len > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too large"));
    }
    // It grows with what arrives, never by what was announced.
    let mut body = Vec::new();
    reader.take(len.into()).read_to_end(&mut body).await?;
    match body.len() == len as usize {
        true => Ok(body),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn write(mut writer: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        if writer.write_all(&frame).await.is_err() {
            // The reader and the watch say why.
            return;
        }
    }
    // Nobody asks any more. The end of the socket is what ends the interpreter.
    let _ = writer.shutdown().await;
}

/// Reads answers until their end; gives what was wrong with them, if anything was.
async fn read(mut reader: OwnedReadHalf, shared: Arc<Shared>) -> Option<String> {
    loop {
        let frame = match read_frame(&mut reader).await {
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
fn id_of(frame: &[u8]) -> Option<i64> {
    match frame.get(..6)? {
        [b'(', 3, 0, 0, 0, b'i'] => Some(i32::from_le_bytes(frame.get(6..10)?.try_into().ok()?).into()),
        [b'(', 3, 0, 0, 0, b'l'] => {
            let count = i32::from_le_bytes(frame.get(6..10)?.try_into().ok()?);
            let digits = frame.get(10..10 + usize::try_from(count).ok()?.min(4) * 2)?;
            let digit = |digit: &[u8]| i64::from(u16::from_le_bytes([digit[0], digit[1]]));
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
    if !read_out && timeout(LAST_WORD, &mut reading).await.is_err() {
        // A copy that it has forked holds the socket.
        reading.abort();
    }
    let (status, stderr) = process.reap().await;
    let death = Death { pid, status, stderr, uptime: started.elapsed() };
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
