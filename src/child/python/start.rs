//! The start of an interpreter: it is picked, reports its version, and receives the
//! agent.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::child::python::agent::{AGENT, BOOTSTRAP};
use crate::child::python::interpreter::{
    NewInterpreter, OwnerMessage, RunningInterpreter, StartedInterpreter,
};
use crate::child::python::pick_interpreter::pick_interpreter;
use crate::common::agent::{
    AgentFrame, AgentRequest, CompiledAgent, Frame, FrameReader, FrameWriter, encode, keep_agent,
    kept_agent, last_words, no_handles,
};
use crate::common::definition::{DEFAULT_INTERPRETER, PythonDefinition};
use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Result};
use crate::common::handshake::DaemonMessage;
use crate::common::process::{InterpreterProcess as Process, keeper};
use crate::common::threads::aside_or_here;
use crate::common::transport::LaneSocket;
use crate::common::value::{Bytes, Value};

/// How long an interpreter may take to become ready, by default.
pub(super) const START: Duration = Duration::from_secs(10);

/// The daemon's limits, for the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentLimits {
    /// In levels.
    pub(super) depth: usize,
    /// In bytes.
    pub(super) message: usize,
}

/// Starts an interpreter and sends it the agent. If the future is dropped before that is
/// done, the interpreter is ended.
///
/// # Errors
///
/// [`ErrorKind::Spawn`] if it cannot be started, is not a supported Python, or is not
/// ready in time.
pub(super) async fn start(
    definition: PythonDefinition,
    limits: AgentLimits,
    new: NewInterpreter,
) -> Result<RunningInterpreter> {
    let runtime = Runtime::current();
    // On the keeper: its thread lives as long as the process, and nobody drops its tasks
    // halfway, so a task there ends whatever it has started.
    let starting = keeper()?.spawn(launch(definition, limits, new, runtime));
    starting.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Spawn, "internal error in oad")))
}

async fn launch(
    definition: PythonDefinition,
    limits: AgentLimits,
    new: NewInterpreter,
    runtime: Runtime,
) -> Result<RunningInterpreter> {
    let PythonDefinition { interpreter, path, start_timeout, kill_when_stuck, threads, .. } =
        definition;
    let threads = threads.unwrap_or(0);
    let interpreter = interpreter.unwrap_or_else(|| DEFAULT_INTERPRETER.to_owned());
    let since = Instant::now();
    let limit = start_timeout.unwrap_or(START);
    let deadline = since + limit;
    // It reads files, which may be on a disk that does not respond.
    let choosing = aside_or_here(move || pick_interpreter(&interpreter));
    let late = |what: &str| {
        Error::new(ErrorKind::Spawn, format!("the interpreter {what} within {limit:?}"))
    };
    let chosen = timeout_at(deadline, choosing).await.map_err(|_| late("was not found"))?;
    let program = chosen.ok_or_else(|| Error::new(ErrorKind::Spawn, "internal error in oad"))??;
    let arguments = ["-u", "-B", "-c", BOOTSTRAP].map(OsStr::new);
    let doors = if new.has_parent_door { 2 } else { 1 };
    let (process, sockets) = Process::start(&program, &arguments, 2 * doors)?;
    let pid = process.pid();
    let mut sockets = sockets.into_iter();
    // The sockets belong to the runtime of the daemon's calls.
    let opened = {
        let _entered = runtime.enter();
        let mut next = || open(sockets.next().expect("two were asked for"), &runtime);
        next().and_then(|requests| Ok([requests, next()?]))
    };
    let parent_door = sockets.next().zip(sockets.next()).map(<[OwnedFd; 2]>::from);
    let greeted = match opened {
        Err(error) => Err(failed(&program, &format!("its sockets cannot be used: {error}"))),
        Ok([(mut incoming, requests), urgent]) => {
            let owner = new.owner.as_ref();
            let hello = hello(&path, limits, threads);
            let greeting = greet(&mut incoming, &requests, &program, hello, owner);
            let greeted = timeout_at(deadline, greeting).await;
            greeted
                .unwrap_or_else(|_| {
                    Err(failed(&program, &format!("it did not start within {limit:?}")))
                })
                .map(|version| (version, incoming, requests, urgent))
        }
    };
    let (version, incoming, requests, urgent) = match greeted {
        Ok(ends) => ends,
        Err(error) => {
            process.kill();
            let (status, stderr) = process.reap().await;
            // What it wrote to stderr explains more than that it did not start, and
            // everybody reads the message.
            let words = last_words(&stderr);
            let error =
                if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
            let death = Death {
                whose: DeadProcess::Interpreter,
                pid,
                status,
                reason: None,
                stderr,
                uptime: since.elapsed(),
            };
            return Err(error.with_death(Arc::new(death)));
        }
    };
    debug!(pid, program = %program.display(), "an interpreter has started");
    let started = StartedInterpreter {
        process,
        program,
        version,
        since,
        incoming,
        requests,
        urgent,
        parent_door,
        has_threads: threads > 0,
    };
    Ok(RunningInterpreter::new(started, new, kill_when_stuck, runtime))
}

/// Must be called within the runtime of the socket.
fn open(socket: OwnedFd, runtime: &Runtime) -> io::Result<(FrameReader, FrameWriter)> {
    let socket = LaneSocket::new(socket);
    Ok((FrameReader::new(&socket, runtime.clone())?, FrameWriter::new(socket, runtime.clone())))
}

/// The first words, and the version that they tell: its version, the agent, the hello.
async fn greet(
    incoming: &mut FrameReader,
    requests: &FrameWriter,
    program: &Path,
    hello: AgentRequest,
    owner: Option<&UnboundedSender<OwnerMessage>>,
) -> Result<String> {
    let broken =
        |error: io::Error| failed(program, &format!("it exited or is not Python: {error}"));
    let PythonBuild { version, build } =
        check_version(program, &incoming.frame().await.map_err(broken)?)?;
    // Nobody but this very program decides what runs in it.
    let build = format!("{}: {build}", program.display());
    let kept = kept_agent(&build).and_then(|agent| agent.read().ok());
    let is_compiled = kept.is_some();
    let agent = kept.map_or_else(|| AGENT.as_str().into(), |code| Value::Bytes(code.into()));
    requests.send_value(&encode(&agent, &mut no_handles)?);
    requests.send(hello.frame(&mut no_handles)?, || Ok((1, ())))?;
    let mut answer = incoming.frame().await.map_err(broken)?;
    if let Some(code) = compiled(&answer).filter(|_| !is_compiled) {
        keep(&code, build, owner);
        answer = incoming.frame().await.map_err(broken)?;
    }
    match AgentFrame::decode(&answer) {
        Ok(answer) if answer.word == "value" => Ok(version),
        // The parse error would not help the user, so it is dropped.
        _ => Err(failed(program, "it did not accept the agent")),
    }
}

fn hello(path: &[String], limits: AgentLimits, threads: u32) -> AgentRequest {
    // As bytes: which text that is for the interpreter depends on its locale.
    let entry = |entry: &String| Value::Bytes(entry.as_bytes().to_vec().into());
    let path = path.iter().map(entry).collect::<Vec<_>>();
    AgentRequest::new("hello")
        .with("depth", limits.depth as u64)
        .with("limit", limits.message as u64)
        .with("daemon", Process::parent())
        .with("names", true)
        .with("threads", threads)
        .with("path", Value::List(path.into()))
}

/// What the interpreter has made of the agent's text.
fn compiled(frame: &Frame) -> Option<Bytes> {
    let frame = AgentFrame::decode(frame).ok().filter(|frame| frame.word == "compiled")?;
    frame.payload.into_bytes().ok()
}

/// Keeps the compiled agent, and passes it to the parent. If that fails, the next
/// interpreter compiles the text again.
fn keep(code: &[u8], build: String, owner: Option<&UnboundedSender<OwnerMessage>>) {
    let Ok(agent) = CompiledAgent::new(code) else { return };
    keep_agent(build.clone(), agent.clone());
    if let (Some(owner), Ok(descriptor)) = (owner, agent.descriptor()) {
        // If nobody reads it, the daemon ends.
        let _ = owner.send((DaemonMessage::AgentCompiled { build }, vec![descriptor]));
    }
}

/// What an interpreter says of itself.
struct PythonBuild {
    version: String,
    /// Those with the same text compile the agent to the same code.
    build: String,
}

fn check_version(program: &Path, frame: &Frame) -> Result<PythonBuild> {
    let version = || {
        let [major, minor, micro, name, build] = AgentFrame::decode(frame)?.payload.into_array()?;
        Ok::<_, Error>((
            major.number::<u32>()?,
            minor.number::<u32>()?,
            micro.number::<u32>()?,
            name.into_text()?,
            build.into_text()?,
        ))
    };
    let (major, minor, micro, name, build) =
        version().map_err(|_| failed(program, "it is not Python"))?;
    if name != "cpython" {
        return Err(failed(
            program,
            &format!("it is {name} {major}.{minor}.{micro}, and oad needs CPython"),
        ));
    }
    if (major, minor) < (3, 6) {
        let what = format!("it is Python {major}.{minor}.{micro}, and oad needs 3.6 or newer");
        return Err(failed(program, &what)
            .advise("name another interpreter, or a virtual environment of one"));
    }
    Ok(PythonBuild { version: format!("{major}.{minor}.{micro}"), build })
}

fn failed(program: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!("cannot use the interpreter `{}`: {what}", program.display()),
    )
}
