//! What the daemon does for those who come through an interpreter's other door: the
//! parent, which it passes the sockets to, and others, who name objects that only the
//! parent holds.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use uuid::Uuid;

use crate::child::object::{CallScope, ForeignHealth, ObjectRef, PythonObjects};
use crate::child::python::interpreter::{OwnerMessage, RunningInterpreter};
use crate::child::python::interpreter_ends::InterpreterEnds;
use crate::child::python::make::make;
use crate::child::python::object::borrow;
use crate::child::python::running_interpreters::{forget, interpreters};
use crate::common::agent::{AgentRequest, CompiledAgent, Interruptible as _, ObjectId, keep_agent};
use crate::common::definition::PythonDefinition;
use crate::common::error::{KillReason, Result};
use crate::common::handshake::DaemonMessage;
use crate::common::value::Value;

/// How long an interpreter may take to list its objects. Its second thread does so; only
/// C code that never lets another thread run keeps it from that. 100,000 objects take
/// half a second where nothing else runs.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for whoever only asks whether one object is there.
const HEALTH_TIMEOUT: Duration = Duration::from_millis(500);

/// How often an object that only the parent holds is looked for, while somebody watches
/// it.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// The Python objects of the daemons in this process.
#[derive(Debug)]
pub(crate) struct Python;

/// Returns what the parent is to be told of a daemon's interpreters. If it `has_doors`,
/// it may have one to each.
pub(crate) fn tell_owner(daemon: Uuid, has_doors: bool) -> UnboundedReceiver<OwnerMessage> {
    // Unbounded, because an interpreter has only a few messages.
    let (owner, messages) = unbounded_channel();
    interpreters(daemon, |interpreters| {
        interpreters.owner = Some(owner);
        interpreters.has_parent_doors = has_doors;
    });
    messages
}

/// Keeps the agent that a build of Python has compiled, as the parent gives it.
pub(crate) fn keep_given_agent(build: &str, memory: Option<OwnedFd>) {
    if let Some(agent) = memory.and_then(CompiledAgent::received) {
        keep_agent(build.to_owned(), agent);
    }
}

/// Passes the door of an interpreter to the parent, which holds the interpreter from then
/// on. A door that it has already is only held again.
pub(crate) fn open_door(daemon: Uuid, interpreter: u64) {
    interpreters(daemon, |interpreters| {
        let found = interpreters.by_number.get(&interpreter).and_then(Weak::upgrade);
        let answer = match &found {
            None => (DaemonMessage::NoDoor { interpreter }, Vec::new()),
            Some(found) => {
                let sockets = found.take_parent_door().map_or_else(Vec::new, Vec::from);
                let (kill_when_stuck, has_threads) = (found.kill_when_stuck, found.has_threads);
                let sockets_passed = sockets.len();
                let door = DaemonMessage::Door {
                    interpreter,
                    kill_when_stuck,
                    has_threads,
                    sockets_passed,
                };
                (door, sockets)
            }
        };
        if let Some(found) = found {
            interpreters.held.insert(interpreter, found);
        }
        if let Some(owner) = &interpreters.owner {
            // If nobody reads it, the daemon ends.
            let _ = owner.send(answer);
        }
    });
}

/// Notes that the parent does not use an interpreter any more.
pub(crate) fn close_door(daemon: Uuid, interpreter: u64) {
    // Dropped outside of the lock, because it may be the last reference.
    drop(interpreters(daemon, |interpreters| interpreters.held.remove(&interpreter)));
}

/// Kills an interpreter, as the parent demands.
pub(crate) fn kill_interpreter(daemon: Uuid, interpreter: u64, reason: KillReason) {
    if let Some(interpreter) = running(daemon, interpreter) {
        interpreter.kill(reason);
    }
}

/// Notes how long the interpreters of a daemon may take to end.
pub(crate) fn begin(daemon: Uuid, grace: Duration) {
    interpreters(daemon, |interpreters| interpreters.ends.set_grace(grace));
}

/// Lets go of every interpreter of a daemon that ends, within the time that remains.
pub(crate) fn close_doors(daemon: Uuid, remaining: Duration) {
    drop(interpreters(daemon, |interpreters| {
        interpreters.ends.begin(remaining);
        std::mem::take(&mut interpreters.held)
    }));
}

/// How the interpreters of a daemon end. The daemon may be forgotten meanwhile.
pub(crate) fn interpreter_ends(daemon: Uuid) -> Arc<InterpreterEnds> {
    interpreters(daemon, |interpreters| Arc::clone(&interpreters.ends))
}

fn running(daemon: Uuid, interpreter: u64) -> Option<Arc<RunningInterpreter>> {
    interpreters(daemon, |interpreters| interpreters.by_number.get(&interpreter)?.upgrade())
}

/// The ids and the types of the objects in an interpreter. One that is dead, or cannot
/// answer, has no objects that are known here.
async fn list_of(interpreter: Arc<RunningInterpreter>) -> Vec<(u64, String)> {
    let listed = timeout(LIST_TIMEOUT, interpreter.list()).await;
    let listed = listed.ok().and_then(Result::ok).unwrap_or_default();
    let id = |object| ObjectId { interpreter: interpreter.number, object };
    let row = |(object, type_name)| (id(object).to_number(), type_name);
    listed.into_iter().map(row).collect()
}

impl PythonObjects for Python {
    fn make(
        &self,
        definition: PythonDefinition,
        arguments: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: Arc<dyn CallScope>,
    ) -> BoxFuture<'static, Result<ObjectRef>> {
        make(definition, arguments, keywords, scope)
    }

    fn find(&self, daemon: Uuid, id: u64, type_name: &str) -> Option<ObjectRef> {
        let id = ObjectId::of(id)?;
        Some(borrow(&running(daemon, id.interpreter)?, id.object, type_name))
    }

    fn list(&self, daemon: Uuid) -> BoxFuture<'static, Vec<(u64, String)>> {
        let running: Vec<_> = interpreters(daemon, |interpreters| {
            interpreters.by_number.values().filter_map(Weak::upgrade).collect()
        });
        let lists = running.into_iter().map(list_of);
        let lists = join_all(lists);
        Box::pin(async move { lists.await.into_iter().flatten().collect() })
    }

    fn release(&self, daemon: Uuid, id: u64) -> bool {
        let Some(id) = ObjectId::of(id) else { return false };
        let Some(interpreter) = running(daemon, id.interpreter) else { return false };
        interpreter.post(&AgentRequest::release(id.object, 0));
        true
    }

    fn health(&self, daemon: Uuid, id: u64) -> BoxFuture<'static, ForeignHealth> {
        Box::pin(async move {
            let Some(id) = ObjectId::of(id) else { return ForeignHealth::Unknown };
            let Some(interpreter) = running(daemon, id.interpreter) else {
                let is_dead = interpreters(daemon, |known| known.dead.contains(&id.interpreter));
                return if is_dead { ForeignHealth::Died } else { ForeignHealth::Unknown };
            };
            let died = interpreter.died();
            let has = match timeout(HEALTH_TIMEOUT, interpreter.list()).await {
                Ok(Ok(listed)) => listed.iter().any(|(number, _)| *number == id.object),
                Ok(Err(_)) => return ForeignHealth::Died,
                // It is busy in code that lets nothing else run.
                Err(_) => true,
            };
            drop(interpreter);
            match has {
                true => ForeignHealth::Serving(Box::pin(async move {
                    let _ = timeout(WATCH_INTERVAL, died.cancelled()).await;
                })),
                false => ForeignHealth::Unknown,
            }
        })
    }

    fn forget(&self, daemon: Uuid) {
        forget(daemon);
    }
}
