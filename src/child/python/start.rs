//! The start of an interpreter: it is chosen, says its version, and is sent the agent.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::runtime::Handle as Runtime;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::child::python::agent::{AGENT, BOOTSTRAP};
use crate::child::python::frame_reader::FrameReader;
use crate::child::python::frame_writer::FrameWriter;
use crate::child::python::interpreter::{RunningInterpreter, StartedInterpreter, last_words};
use crate::child::python::marshal::{AgentFrame, Item, encode};
use crate::child::python::pick_interpreter::choose;
use crate::common::definition::{DEFAULT_INTERPRETER, PythonDefinition};
use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Result};
use crate::common::process::{InterpreterProcess as Process, keeper};
use crate::common::value::{Handle, Value};

/// How long the interpreter may take from its start until it can be asked, if the caller
/// does not say.
pub(super) const START: Duration = Duration::from_secs(10);

/// What the agent is told of the daemon's limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgentLimits {
    /// In levels.
    pub(super) depth: usize,
    /// In bytes.
    pub(super) message: usize,
}

/// Starts an interpreter and sends it the agent. Dropped before that is done, it ends
/// what it has begun.
///
/// # Errors
///
/// [`ErrorKind::Spawn`] if it cannot be started, is no Python that will do, or does not
/// say so in time.
pub(super) async fn start(
    definition: PythonDefinition,
    limits: AgentLimits,
) -> Result<RunningInterpreter> {
    let runtime = Runtime::current();
    // On the keeper, whose thread lives as long as the process, and whose task nobody
    // drops halfway: what it has started it ends.
    let starting = keeper()?.spawn(launch(definition, limits, runtime));
    starting.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Spawn, "oad itself failed")))
}

async fn launch(
    definition: PythonDefinition,
    limits: AgentLimits,
    runtime: Runtime,
) -> Result<RunningInterpreter> {
    let PythonDefinition { interpreter, path, start_timeout, kill_when_stuck, .. } = definition;
    let interpreter = interpreter.unwrap_or_else(|| DEFAULT_INTERPRETER.to_owned());
    let since = Instant::now();
    let limit = start_timeout.unwrap_or(START);
    let deadline = since + limit;
    // It looks at files, which may be on a disk that does not answer.
    let choosing = tokio::task::spawn_blocking(move || choose(&interpreter));
    let late = |what: &str| {
        Error::new(ErrorKind::Spawn, format!("the interpreter {what} within {limit:?}"))
    };
    let chosen = timeout_at(deadline, choosing).await.map_err(|_| late("was not found"))?;
    let program = chosen.map_err(|_| Error::new(ErrorKind::Spawn, "oad itself failed"))??;
    let arguments = ["-u", "-B", "-c", BOOTSTRAP].map(OsStr::new);
    let (process, sockets) = Process::start(&program, &arguments)?;
    let pid = process.pid();
    // Read and written where the daemon's calls are.
    let opened = {
        let _entered = runtime.enter();
        let [requests, urgent] = sockets;
        UnixStream::from_std(requests)
            .and_then(|requests| Ok([open(requests), open(UnixStream::from_std(urgent)?)]))
    };
    let greeted = match opened {
        Err(error) => Err(failed(&program, &format!("its sockets cannot be used: {error}"))),
        Ok([(mut incoming, requests), (_, urgent)]) => {
            let greeting = greet(&mut incoming, &requests, &program, &path, limits);
            let greeted = timeout_at(deadline, greeting).await;
            greeted
                .unwrap_or_else(|_| {
                    Err(failed(&program, &format!("it has not started within {limit:?}")))
                })
                .map(|version| (version, incoming, requests, urgent))
        }
    };
    let (version, incoming, requests, urgent) = match greeted {
        Ok(ends) => ends,
        Err(error) => {
            process.kill();
            let (status, stderr) = process.reap().await;
            // What it has written says more than that it has said nothing, and a message
            // is what everybody reads.
            let words = last_words(&stderr);
            let error =
                if words.is_empty() { error } else { error.advise(format!("it wrote: {words}")) };
            let death = Death {
                whose: DeadProcess::Interpreter,
                pid,
                status,
                stderr,
                uptime: since.elapsed(),
            };
            return Err(error.with_death(Arc::new(death)));
        }
    };
    debug!(pid, program = %program.display(), "an interpreter has started");
    let started =
        StartedInterpreter { process, program, version, since, incoming, requests, urgent };
    Ok(RunningInterpreter::new(started, kill_when_stuck, runtime))
}

/// Must be called within the runtime where it is to be read and written.
fn open(socket: UnixStream) -> (FrameReader, FrameWriter) {
    let (reader, writer) = socket.into_split();
    (FrameReader::new(reader), FrameWriter::start(writer))
}

/// The first words, and the version that they tell: its version, the agent's text, the
/// hello.
async fn greet(
    incoming: &mut FrameReader,
    requests: &FrameWriter,
    program: &Path,
    path: &[String],
    limits: AgentLimits,
) -> Result<String> {
    let broken = |error: io::Error| failed(program, &format!("it ended, or is no Python: {error}"));
    let first = incoming.frame().await.map_err(broken)?;
    let version = check_version(program, &first)?;
    let no_handles = &mut |_: &Handle| Err(super::nothing());
    requests.send(&[], encode(&AGENT.as_str().into(), no_handles)?)?;
    let path = Value::List(
        path.iter().map(|entry| Value::from(entry.as_str())).collect::<Vec<_>>().into(),
    );
    let hello = Item::dict([
        ("depth", (limits.depth as u64).into()),
        ("limit", (limits.message as u64).into()),
        ("daemon", Process::parent().into()),
        ("path", path.into()),
    ]);
    let hello = AgentFrame::new(1, "hello", hello);
    requests.send(&[], hello.encode(no_handles)?)?;
    let answer = incoming.frame().await.map_err(broken)?;
    match AgentFrame::decode(&answer) {
        Ok(answer) if answer.word == "value" => Ok(version),
        // What is wrong with its answer says nothing to who has named it.
        _ => Err(failed(program, "it does not take the agent")),
    }
}

fn check_version(program: &Path, frame: &[u8]) -> Result<String> {
    let version = || {
        let [major, minor, micro, name] = AgentFrame::decode(frame)?.payload.into_array()?;
        Ok::<_, Error>((
            major.number::<u32>()?,
            minor.number::<u32>()?,
            micro.number::<u32>()?,
            name.into_text()?,
        ))
    };
    let (major, minor, micro, name) = version().map_err(|_| failed(program, "it is no Python"))?;
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
    Ok(format!("{major}.{minor}.{micro}"))
}

fn failed(program: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::Spawn,
        format!("the interpreter `{}` will not do: {what}", program.display()),
    )
}
