//! The part of a daemon that owns its objects and keeps the order of their calls.
//!
//! `&self` calls overlap and `&mut self` calls run one at a time. Both are queued in the
//! order in which [`Host::call`] is called. Below are the objects; above is the service,
//! which knows the wire. Deliberately absent: call ids, cancellation and timeouts. A call
//! is a future here, and its owner may drop it.

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
    Arguments, CallScope, Construction, Dynamic, DynamicCall, ObjectRef, ReplyChannel, drop_here,
    make, no_such_object,
};
use crate::common::definition::{Action, CallArgs, Definition, Operation};
use crate::common::definition::{Method, TypeDescription};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, ObjectKind};

/// Identifies a session of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

/// The caller of a method.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The session that the call came over. Without one, received handles live until they
    /// are released by hand.
    pub(crate) session: Option<SessionId>,
    /// The channel for streams while the call runs, if the caller supports them.
    pub(crate) channel: Option<Arc<dyn ReplyChannel>>,
    /// Records how far the call has come, if the call has a timeout.
    pub(crate) progress: Option<Progress>,
}

/// Where the description of an object comes from.
#[derive(Debug)]
pub(crate) enum Described {
    /// From its type.
    Known(&'static TypeDescription),
    /// From the object itself, at run time.
    ByItself(Arc<dyn Dynamic>),
}

/// What handles a call.
enum CallTarget {
    /// A described method.
    Method(&'static Method),
    /// An object that resolves the operation itself.
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
    /// Counts waiting and running calls, including creations and calls whose caller is
    /// gone.
    calls: TaskTracker,
    /// Counts what else the shutdown waits for: responses that are not on their way yet,
    /// and drops of objects.
    answers: TaskTracker,
    /// Counts the sessions whose clients may not have read every response.
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

    /// Returns an id for a new session. Objects made over the session are released with
    /// it.
    pub(crate) fn new_session(&self) -> SessionId {
        SessionId(self.0.sessions.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an object. The first object of a daemon becomes its root.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`make`], or the constructor's own exception.
    pub(crate) fn create(
        &self,
        session: Option<SessionId>,
        definition: Definition,
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<Created>> + Send + 'static {
        let (host, token, whole) = (self.clone(), self.0.calls.token(), self.0.answers.token());
        async move {
            // `run::blocking` consumes the first token, but an async constructor runs
            // after it. The shutdown must wait for that too.
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
            let interpreter = object.dynamic().and_then(|object| object.interpreter());
            let handle = host.handle(scope.insert(&object), object.description());
            Ok(Created { handle, interpreter, handed_out })
        }
    }

    /// Calls a method. The call is in the object's queue when this returns; the future
    /// runs it.
    pub(crate) fn call(
        &self,
        caller: Caller,
        handle: Option<Handle>,
        operation: Operation,
        given: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<MethodResult>> + Send + 'static {
        // Take the token first: a shutdown that `enqueue` does not see yet then waits for
        // this call.
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
                    let call = DynamicCall { operation, arguments, keywords, scope, hold };
                    object.call(call).await?
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
                "`{}` is a Rust type, and Rust objects only support method calls",
                description.name
            );
            return Err(
                Error::new(ErrorKind::NoSuchMethod, message).advise("call a method instead")
            );
        }
        let Some((index, method)) = description.method(method) else {
            let names: Vec<&str> = description.methods.iter().map(|method| method.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let message = format!(
                "`{}` has no method `{}`; its methods are: {known}",
                description.name,
                method.escape_debug()
            );
            return Err(Error::new(ErrorKind::NoSuchMethod, message));
        };
        if method.streams && !takes_streams {
            let message =
                format!("`{}` returns a stream, but `Call` has a single response", method.name);
            return Err(
                Error::new(ErrorKind::BadArguments, message).advise("use `Objects.Iterate`")
            );
        }
        let host = self.clone();
        let when_taken = move || drop(host.table().remove(id));
        Ok((run::QueueTurn::enqueue(object, index, method, when_taken), CallTarget::Method(method)))
    }

    /// Returns the description of an object, or the object that must be asked for it.
    pub(crate) fn describe(&self, handle: Option<Handle>) -> Result<Described> {
        let table = self.table();
        let id = self.locate(&table, handle.as_ref())?;
        let object = table.get(id)?;
        Ok(match object.dynamic() {
            Some(dynamic) => Described::ByItself(Arc::clone(dynamic)),
            None => Described::Known(object.description()),
        })
    }

    /// Releases an object `count` times; 0 releases it at once. The object is dropped
    /// when every session, and the unary callers, have released it as often as they
    /// received it. During a shutdown the objects are left to the shutdown.
    pub(crate) fn release(
        &self,
        session: Option<SessionId>,
        handle: &Handle,
        count: u64,
    ) -> Result<()> {
        // Take the token first: a shutdown that is not seen below then waits for the
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

    /// Releases what was made over a session, except the root. During a shutdown the
    /// objects are left to the shutdown.
    pub(crate) fn release_session(&self, session: SessionId) {
        let token = self.0.answers.token();
        if self.0.ending.refuse_if_requested().is_ok() {
            let released = self.table().release_session(session);
            drop_aside(released, token);
        }
    }

    /// Returns the handle and the description of every object, and whether it is the
    /// root.
    pub(crate) fn objects(&self) -> Vec<(Handle, &'static TypeDescription, bool)> {
        let told =
            |(id, description, is_root)| (self.handle(id, description), description, is_root);
        self.table().iter().map(told).collect()
    }

    /// Returns how many calls wait or run, including creations.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.len()
    }

    /// Keeps the shutdown waiting for a response until the token is dropped.
    pub(crate) fn answer_pending(&self) -> TaskTrackerToken {
        self.0.answers.token()
    }

    /// Whether any call waits, runs, or has a response that is not on its way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.0.calls.is_empty() || !self.0.answers.is_empty()
    }

    /// Keeps [`sessions_closed`](Host::sessions_closed) waiting until the token is
    /// dropped.
    pub(crate) fn open_session(&self) -> TaskTrackerToken {
        self.0.open_sessions.token()
    }

    /// Waits until every session's client has read all of its responses.
    pub(crate) async fn sessions_closed(&self) {
        self.0.open_sessions.close();
        self.0.open_sessions.wait().await;
    }

    /// Waits until no call waits or runs and every response is on its way.
    pub(crate) async fn drained(&self) {
        for tracker in [&self.0.calls, &self.0.answers] {
            tracker.close();
            tracker.wait().await;
        }
    }

    /// Drops every object, one after the other. An object held by a stuck call is left to
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
            // A person who types an object's id may leave out the daemon's.
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

/// Drops objects on a thread that may block; the shutdown waits for it.
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
        // The runtime has ended, so blocking this thread delays nothing.
        Err(_) => dropping(),
    }
}

#[cfg(test)]
mod tests;
