//! The part of a daemon that owns its objects and keeps the order of their calls.
//!
//! `&self` calls overlap, `&mut self` calls go one at a time, and both take their places
//! in the order in which [`Host::call`] was called. Below are the objects; above is the
//! service, which knows the wire. Deliberately absent: ids of calls, cancellation and
//! deadlines. A call is a future here, and whoever holds it may drop it.

mod ending;
mod health;
mod progress;
mod run;
mod scope;
mod table;

pub(crate) use ending::{Drained, Ending};
pub(crate) use health::{ObjectHealth, Subject};
pub(crate) use progress::Progress;
pub(crate) use scope::{Created, HandedOut, MethodResult};

pub(crate) use crate::child::object::BLOCKING_THREADS;
pub(crate) use crate::child::object::panic::note_locations as note_panic_locations;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle as Runtime;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::child::host::progress::RunMode;
use crate::child::host::scope::Scope;
use crate::child::host::table::ObjectTable;
use crate::child::object::{
    Arguments, CallScope, Construction, Dynamic, ObjectRef, ReplyChannel, drop_here, make,
    no_such_object,
};
use crate::common::definition::{Action, CallArgs, Definition, Operation};
use crate::common::definition::{Method, TypeDescription};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, ObjectKind};

/// One of the sessions of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The session it calls over; without one what it receives is its own until it
    /// releases it.
    pub(crate) session: Option<SessionId>,
    /// The way back to it while the call runs, if it can take streams.
    pub(crate) channel: Option<Arc<dyn ReplyChannel>>,
    /// Where it reads how far the call has come, if it may give it up.
    pub(crate) progress: Option<Progress>,
}

/// Who knows what an object can do.
#[derive(Debug)]
pub(crate) enum Described {
    /// Its type does.
    Known(&'static TypeDescription),
    /// It must be asked.
    ByItself(Arc<dyn Dynamic>),
}

/// What is to answer a call.
enum CallTarget {
    /// A method that is known.
    Method(&'static Method),
    /// The object, which knows best.
    Dynamic(Arc<dyn Dynamic>),
}

/// Owns the objects of a daemon. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Host(Arc<HostShared>);

#[derive(Debug)]
struct HostShared {
    daemon: Uuid,
    depth_limit: usize,
    message_limit: usize,
    table: Mutex<ObjectTable>,
    sessions: AtomicU64,
    /// Counts the calls that wait or run, also those whose caller has gone, and
    /// creations.
    calls: TaskTracker,
    /// Counts what else the ending waits for: answers that are not on their way yet, and
    /// drops of objects.
    answers: TaskTracker,
    /// Counts the sessions whose clients may not have read all their answers.
    open_sessions: TaskTracker,
    ending: Ending,
}

impl Host {
    pub(crate) fn new(daemon: Uuid, depth_limit: usize, message_limit: usize) -> Self {
        Host(Arc::new(HostShared {
            daemon,
            depth_limit,
            message_limit,
            table: Mutex::default(),
            sessions: AtomicU64::new(0),
            calls: TaskTracker::new(),
            answers: TaskTracker::new(),
            open_sessions: TaskTracker::new(),
            ending: Ending::new(),
        }))
    }

    pub(crate) fn daemon(&self) -> Uuid {
        self.0.daemon
    }

    pub(crate) fn depth_limit(&self) -> usize {
        self.0.depth_limit
    }

    pub(crate) fn message_limit(&self) -> usize {
        self.0.message_limit
    }

    pub(crate) fn ending(&self) -> &Ending {
        &self.0.ending
    }

    /// A number for a session; what is made over it is released with it.
    pub(crate) fn new_session(&self) -> SessionId {
        SessionId(self.0.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an object; the first of the daemon becomes its root.
    ///
    /// # Errors
    ///
    /// What [`make`] says, or the constructor's own exception.
    pub(crate) fn create(
        &self,
        session: Option<SessionId>,
        definition: Definition,
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<Created>> + Send + 'static {
        let (host, token, whole) = (self.clone(), self.0.calls.token(), self.0.answers.token());
        async move {
            // An async constructor runs after the first token is gone; the ending waits
            // for this one as well.
            let _whole = whole;
            host.0.ending.refuse_if_requested()?;
            let (arguments, keywords) = given.await?;
            let scope = Scope::new(host.clone(), session, None);
            let handed_out = HandedOut::of(&scope);
            let call_scope: Arc<dyn CallScope> = Arc::<Scope>::clone(&scope);
            let making = move || make(&definition, arguments, keywords, &call_scope);
            let object = match run::blocking(token, making).await? {
                Construction::Now(object) => ObjectRef::new(object?),
                Construction::Later(future) => ObjectRef::new(run::unwinding(future).await?),
                Construction::Elsewhere(future) => future.await?,
            };
            let description = object.description();
            Ok(Created { handle: host.handle(scope.insert(&object), description), handed_out })
        }
    }

    /// Calls a method. The call has its place in the object's queue when this returns;
    /// the future runs it.
    pub(crate) fn call(
        &self,
        caller: Caller,
        handle: Option<Handle>,
        operation: Operation,
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<MethodResult>> + Send + 'static {
        // The token comes first: an ending that is not seen below then waits for this
        // call.
        let (host, token) = (self.clone(), self.0.calls.token());
        let queued = self.enqueue(handle, &operation, caller.channel.is_some());
        async move {
            let (turn, method) = queued?;
            let (arguments, keywords) = given.await?;
            let scope = Scope::new(host, caller.session, caller.channel);
            let handed_out = HandedOut::of(&scope);
            let value = match method {
                CallTarget::Method(method) => {
                    let arguments = Arguments::bind(method, arguments, keywords, scope)?;
                    run::method(turn, method, arguments, token, caller.progress).await?
                }
                CallTarget::Dynamic(object) => {
                    let hold = Box::new((turn.taken().await, token));
                    caller.progress.inspect(|progress| progress.note(RunMode::Elsewhere));
                    object.ask(operation, arguments, keywords, scope, hold).await?
                }
            };
            Ok(MethodResult { value, handed_out })
        }
    }

    fn enqueue(
        &self,
        handle: Option<Handle>,
        operation: &Operation,
        takes_streams: bool,
    ) -> Result<(run::QueueTurn, CallTarget)> {
        self.0.ending.refuse_if_requested()?;
        let table = self.table();
        let id = self.locate(&table, handle.as_ref())?;
        let object = table.get(id)?;
        if let Some(dynamic) = object.dynamic() {
            return Ok((run::QueueTurn::alone(object), CallTarget::Dynamic(Arc::clone(dynamic))));
        }
        let (description, method) = (object.description(), operation.name.as_str());
        if operation.action != Action::Call {
            let message = format!(
                "`{}` is a Rust type, which has methods and nothing else",
                description.name
            );
            return Err(Error::new(ErrorKind::NoSuchMethod, message).advise("call a method"));
        }
        let Some((index, method)) = description.method(method) else {
            let names: Vec<&str> = description.methods.iter().map(|method| method.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!(
                "`{}` has no method `{}`; it has: {known}",
                description.name,
                method.escape_debug()
            );
            return Err(Error::new(ErrorKind::NoSuchMethod, message));
        };
        if method.streams && !takes_streams {
            let message = format!("`{}` returns a stream, and a call has one answer", method.name);
            return Err(
                Error::new(ErrorKind::BadArguments, message).advise("call it by `Objects.Iterate`")
            );
        }
        let host = self.clone();
        let when_taken = move || drop(host.table().remove(id));
        Ok((run::QueueTurn::enqueue(object, index, method, when_taken), CallTarget::Method(method)))
    }

    /// Tells what an object can do, or gives the object that must be asked for it.
    pub(crate) fn describe(&self, handle: Option<Handle>) -> Result<Described> {
        let table = self.table();
        let id = self.locate(&table, handle.as_ref())?;
        let object = table.get(id)?;
        Ok(match object.dynamic() {
            Some(dynamic) => Described::ByItself(Arc::clone(dynamic)),
            None => Described::Known(object.description()),
        })
    }

    /// Frees an object when every session, and who came without one, has released it as
    /// often as it has received it; a count of 0 means at once. Once the daemon is to
    /// end, what is left is the ending's to drop.
    pub(crate) fn release(
        &self,
        session: Option<SessionId>,
        handle: &Handle,
        count: u64,
    ) -> Result<()> {
        // The token comes first: an ending that is not seen below then waits for the
        // drop.
        let token = self.0.answers.token();
        let released = {
            let mut table = self.table();
            let id = self.locate(&table, Some(handle))?;
            if self.0.ending.refuse_if_requested().is_err() {
                return Ok(());
            }
            table.release(id, session, count)?
        };
        drop_aside(released, token);
        Ok(())
    }

    /// Frees what was made over a session, but for the root. Once the daemon is to end,
    /// that is the ending's to drop.
    pub(crate) fn release_session(&self, session: SessionId) {
        let token = self.0.answers.token();
        if self.0.ending.refuse_if_requested().is_ok() {
            let released = self.table().release_session(session);
            drop_aside(released, token);
        }
    }

    /// Every object that lives: its handle, its description, and whether it is the root.
    pub(crate) fn objects(&self) -> Vec<(Handle, &'static TypeDescription, bool)> {
        let told =
            |(id, description, is_root)| (self.handle(id, description), description, is_root);
        self.table().iter().map(told).collect()
    }

    /// How many calls wait or run, creations among them.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.len()
    }

    /// Keeps the ending waiting for an answer until this is dropped.
    pub(crate) fn answer_pending(&self) -> TaskTrackerToken {
        self.0.answers.token()
    }

    /// Whether anything waits, runs, or has an answer that is not on its way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.0.calls.is_empty() || !self.0.answers.is_empty()
    }

    /// Has [`sessions_closed`](Host::sessions_closed) wait until this is dropped.
    pub(crate) fn open_session(&self) -> TaskTrackerToken {
        self.0.open_sessions.token()
    }

    /// Waits until every session's client has read all its answers.
    pub(crate) async fn sessions_closed(&self) {
        self.0.open_sessions.close();
        self.0.open_sessions.wait().await;
    }

    /// Waits until no call waits or runs, and every answer is on its way.
    pub(crate) async fn drained(&self) {
        for tracker in [&self.0.calls, &self.0.answers] {
            tracker.close();
            tracker.wait().await;
        }
    }

    /// Drops every object, one after the other; one that a stuck call holds is left to
    /// the end of the process.
    pub(crate) fn drop_objects(&self) {
        let table = std::mem::take(&mut *self.table());
        drop_here(table);
    }

    fn handle(&self, id: u64, description: &'static TypeDescription) -> Handle {
        let interfaces = description.interfaces.iter().copied().map(str::to_owned).collect();
        let type_name = description.name.to_owned();
        let kind = ObjectKind { type_name, interfaces, name: String::new() };
        Handle::new(self.0.daemon, id).of_kind(kind)
    }

    fn locate(&self, table: &ObjectTable, handle: Option<&Handle>) -> Result<u64> {
        match handle {
            None => table.root(),
            // A person who writes an object's number need not write the daemon's.
            Some(handle) if handle.daemon().is_nil() || handle.daemon() == self.0.daemon => {
                Ok(handle.id())
            }
            Some(_) => Err(no_such_object()),
        }
    }

    fn table(&self) -> MutexGuard<'_, ObjectTable> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops objects where that may take its time; the ending waits for it.
fn drop_aside(objects: impl IntoIterator<Item = ObjectRef>, token: TaskTrackerToken) {
    let objects: Vec<ObjectRef> = objects.into_iter().collect();
    if objects.is_empty() {
        return;
    }
    let dropping = move || {
        drop_here(objects);
        drop(token);
    };
    match Runtime::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(dropping)),
        // The runtime ends, and this thread has nothing else to do.
        Err(_) => dropping(),
    }
}

#[cfg(test)]
mod tests;
