//! The interpreters that run below a daemon, and which of them a new object lives in.
//!
//! No setting that a caller forgot starts a second interpreter: an object that is made
//! without settings goes into the one that runs, and is refused where there are several.
//! Each has a number in its daemon, counted from 1, which is part of its objects' ids.

use std::collections::{HashMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use uuid::Uuid;

use crate::child::object::CallScope;
use crate::child::python::interpreter::{NewInterpreter, OwnerMessage, RunningInterpreter};
use crate::child::python::interpreter_ends::InterpreterEnds;
use crate::child::python::object::of;
use crate::child::python::start::{AgentLimits, START, start};
use crate::common::definition::{DEFAULT_INTERPRETER, PythonDefinition, PythonSource};
use crate::common::error::{Death, Error, ErrorKind, Result};
use crate::common::handshake::DaemonMessage;
use crate::common::value::Handle;

/// The interpreters of each daemon in this process.
static RUNNING: std::sync::Mutex<Option<HashMap<Uuid, DaemonInterpreters>>> =
    std::sync::Mutex::new(None);

/// The interpreters of a daemon.
#[derive(Default)]
pub(super) struct DaemonInterpreters {
    /// In the order of their starts.
    entries: Vec<InterpreterEntry>,
    /// How many have been started.
    last: u64,
    pub(super) by_number: HashMap<u64, Weak<RunningInterpreter>>,
    /// Those that ended while somebody wanted them.
    pub(super) dead: HashSet<u64>,
    /// Those that the parent uses.
    pub(super) held: HashMap<u64, Arc<RunningInterpreter>>,
    /// Whether the parent may have a door to each.
    pub(super) has_parent_doors: bool,
    /// Sends messages about them to the parent.
    pub(super) owner: Option<UnboundedSender<OwnerMessage>>,
    pub(super) ends: Arc<InterpreterEnds>,
}

/// The interpreters of a daemon, for a moment.
pub(super) fn interpreters<T>(daemon: Uuid, act: impl FnOnce(&mut DaemonInterpreters) -> T) -> T {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    act(running.get_or_insert_with(HashMap::new).entry(daemon).or_default())
}

/// Forgets a daemon that has ended.
pub(super) fn forget(daemon: Uuid) {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let forgotten = running.as_mut().and_then(|running| running.remove(&daemon));
    drop(running);
    drop(forgotten);
}

/// One interpreter, from the moment when its start is decided.
struct InterpreterEntry {
    settings: InterpreterSettings,
    slot: InterpreterSlot,
}

/// Locked while the interpreter starts.
type InterpreterSlot = Arc<Mutex<Weak<RunningInterpreter>>>;

/// What an interpreter was started with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InterpreterSettings {
    interpreter: String,
    path: Vec<String>,
    kill_when_stuck: Option<Duration>,
    threads: u32,
}

/// Where a new object goes.
enum InterpreterPick {
    /// Into this interpreter, which may still be starting.
    Running(InterpreterSlot, InterpreterSettings),
    /// Into a new one. The slot is locked, so that nobody else starts it.
    New(OwnedMutexGuard<Weak<RunningInterpreter>>, InterpreterSettings),
}

/// Returns the interpreter that the definition asks for, and starts it if it does not
/// run.
///
/// # Errors
///
/// [`ErrorKind::BadArguments`] if several interpreters fit, or if one runs with other
/// settings than those given; [`ErrorKind::Spawn`] if a new one does not start.
pub(super) async fn pick(
    definition: &PythonDefinition,
    scope: &dyn CallScope,
) -> Result<Arc<RunningInterpreter>> {
    if let Some(beside) = &definition.beside {
        return interpreter_of(beside, definition, scope);
    }
    let limit = definition.start_timeout.unwrap_or(START);
    let late = |_| {
        let message =
            format!("timed out waiting for the shared interpreter to start within {limit:?}");
        Error::new(ErrorKind::Spawn, message)
    };
    let (mut slot, settings) = match choose(definition, scope.daemon())? {
        InterpreterPick::New(slot, settings) => (slot, settings),
        InterpreterPick::Running(slot, settings) => {
            (timeout(limit, slot.lock_owned()).await.map_err(late)?, settings)
        }
    };
    if let Some(interpreter) = slot.upgrade().filter(|interpreter| interpreter.is_wanted()) {
        return Ok(interpreter);
    }
    let limits = AgentLimits { depth: scope.depth_limit(), message: scope.message_limit() };
    // The settings of the slot, also where whoever made it has failed to start it.
    let InterpreterSettings { interpreter, path, kill_when_stuck, threads } = settings;
    let (interpreter, threads) = (Some(interpreter), Some(threads));
    let definition =
        PythonDefinition { interpreter, path, kill_when_stuck, threads, ..definition.clone() };
    let new = new_interpreter(scope.daemon());
    let number = new.number;
    let started = Arc::new(start(definition, limits, new).await?);
    *slot = Arc::downgrade(&started);
    interpreters(scope.daemon(), |interpreters| {
        interpreters.by_number.insert(number, Arc::downgrade(&started));
        if let Some(owner) = &interpreters.owner {
            // If nobody reads it, the daemon ends.
            let _ = owner
                .send((DaemonMessage::InterpreterStarted { pid: started.facts().pid }, Vec::new()));
        }
    });
    Ok(started)
}

/// The interpreter of an object that the caller names.
fn interpreter_of(
    beside: &Handle,
    definition: &PythonDefinition,
    scope: &dyn CallScope,
) -> Result<Arc<RunningInterpreter>> {
    let PythonDefinition { interpreter, path, kill_when_stuck, threads, source, .. } = definition;
    let is_new = *source == PythonSource::Interpreter || interpreter.is_some();
    if is_new || !path.is_empty() || kill_when_stuck.is_some() || threads.is_some() {
        let message = "`beside` names an existing interpreter, which takes no settings";
        return Err(Error::new(ErrorKind::BadArguments, message).advise(
            "leave out `beside`, or all of `interpreter`, `path`, `kill_when_stuck` and \
                 `threads`",
        ));
    }
    let object = scope.find(beside)?;
    let Some(object) = of(&object) else {
        let message = "a Rust object has no interpreter, so nothing can be made beside it there";
        return Err(Error::new(ErrorKind::BadArguments, message));
    };
    Ok(Arc::clone(&object.interpreter))
}

fn choose(definition: &PythonDefinition, daemon: Uuid) -> Result<InterpreterPick> {
    interpreters(daemon, |interpreters| choose_among(definition, &mut interpreters.entries))
}

fn choose_among(
    definition: &PythonDefinition,
    entries: &mut Vec<InterpreterEntry>,
) -> Result<InterpreterPick> {
    let PythonDefinition { interpreter, path, kill_when_stuck, threads, source, .. } = definition;
    entries.retain(InterpreterEntry::is_in_use);
    if *source != PythonSource::Interpreter {
        let same_program = |entry: &&InterpreterEntry| {
            interpreter.as_ref().is_none_or(|wanted| *wanted == entry.settings.interpreter)
        };
        let fits = |entry: &&InterpreterEntry| {
            let settings = &entry.settings;
            (path.is_empty() || *path == settings.path)
                && (kill_when_stuck.is_none() || *kill_when_stuck == settings.kill_when_stuck)
                && threads.is_none_or(|threads| threads == settings.threads)
        };
        let candidates: Vec<&InterpreterEntry> = entries.iter().filter(same_program).collect();
        let mut fitting = candidates.iter().copied().filter(fits);
        match (fitting.next(), fitting.next(), candidates.first()) {
            (Some(entry), None, _) => {
                return Ok(InterpreterPick::Running(
                    Arc::clone(&entry.slot),
                    entry.settings.clone(),
                ));
            }
            (Some(_), Some(_), _) => return Err(ambiguous(&candidates)),
            (None, _, Some(entry)) => return Err(other_settings(entry)),
            (None, _, None) => {}
        }
    }
    let settings = InterpreterSettings {
        interpreter: interpreter.clone().unwrap_or_else(|| DEFAULT_INTERPRETER.to_owned()),
        path: path.clone(),
        kill_when_stuck: *kill_when_stuck,
        threads: threads.unwrap_or(0),
    };
    let slot = InterpreterSlot::default();
    let locked = Arc::clone(&slot).try_lock_owned().expect("nobody else knows the slot");
    entries.push(InterpreterEntry { settings: settings.clone(), slot });
    Ok(InterpreterPick::New(locked, settings))
}

/// Numbers an interpreter that is about to start.
fn new_interpreter(daemon: Uuid) -> NewInterpreter {
    interpreters(daemon, |interpreters| {
        interpreters.last += 1;
        let number = interpreters.last;
        let ends = Arc::clone(&interpreters.ends);
        let on_end = move |is_wanted: bool, was_left: bool, program: &str, death: &Death| {
            let failed = death.status.known().is_some_and(|status| !status.success());
            ends.note_end(was_left && failed);
            ended(daemon, number, is_wanted, program, death);
        };
        let has_parent_door = interpreters.has_parent_doors;
        let owner = interpreters.owner.clone();
        let ends = Arc::clone(&interpreters.ends);
        NewInterpreter { number, has_parent_door, owner, on_end: Box::new(on_end), ends }
    })
}

/// Notes that an interpreter has ended, and tells the parent.
fn ended(daemon: Uuid, number: u64, is_wanted: bool, program: &str, death: &Death) {
    let held = interpreters(daemon, |interpreters| {
        interpreters.by_number.remove(&number);
        if is_wanted {
            interpreters.dead.insert(number);
        }
        if let Some(owner) = &interpreters.owner {
            let message = DaemonMessage::InterpreterEnded {
                interpreter: number,
                is_wanted,
                program: program.to_owned(),
                pid: death.pid,
                status: death.status.known().map(ExitStatusExt::into_raw),
                reason: death.reason.clone(),
                stderr: death.stderr.clone(),
                uptime: death.uptime,
            };
            // If nobody reads it, the daemon ends.
            let _ = owner.send((message, Vec::new()));
        }
        interpreters.held.remove(&number)
    });
    drop(held);
}

fn ambiguous(candidates: &[&InterpreterEntry]) -> Error {
    let listed: Vec<String> = candidates.iter().map(|entry| entry.describe()).collect();
    let message = format!("the daemon runs several interpreters: {}", listed.join(", "));
    Error::new(ErrorKind::BadArguments, message).advise(
        "make the object with the `oad::Interpreter` that it is to live in, or name one by \
         `.interpreter(…)`",
    )
}

fn other_settings(entry: &InterpreterEntry) -> Error {
    let InterpreterSettings { path, kill_when_stuck, threads, .. } = &entry.settings;
    let stuck = kill_when_stuck.map_or("no `kill_when_stuck`".to_owned(), |grace| {
        format!("`kill_when_stuck` of {grace:?}")
    });
    let message = format!(
        "the daemon already runs {}, which was started with other settings: path entries {path:?}, \
         {stuck}, {threads} threads",
        entry.describe()
    );
    Error::new(ErrorKind::BadArguments, message).advise(
        "leave the settings out, or start another interpreter by \
         `oad::interpreter(…).within(&daemon)`",
    )
}

impl InterpreterEntry {
    /// Whether the interpreter runs, or somebody is starting it.
    fn is_in_use(&self) -> bool {
        let Ok(slot) = self.slot.try_lock() else { return true };
        slot.upgrade().is_some_and(|interpreter| interpreter.is_wanted())
            || Arc::strong_count(&self.slot) > 1
    }

    fn describe(&self) -> String {
        let running = self.slot.try_lock().ok().and_then(|slot| slot.upgrade());
        let name = &self.settings.interpreter;
        match running {
            Some(interpreter) => format!("`{name}` (process {})", interpreter.facts().pid),
            None => format!("`{name}` (starting)"),
        }
    }
}
