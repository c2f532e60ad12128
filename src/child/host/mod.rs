//! The part of a daemon that owns its objects and keeps the order of their calls.
//!
//! `&self` calls overlap and `&mut self` calls run one at a time. Both are queued in the
//! order in which [`Host::call`] is called. Below are the objects; above is the service,
//! which knows the wire. Deliberately absent: call ids, cancellation and timeouts. A call
//! is a future here, and its owner may drop it.

mod ending;
mod health;
mod interpreter_call;
mod progress;
mod ready_call;
mod run;
mod scope;
mod state;
mod table;

pub(crate) use ending::{Drained, Ending};
pub(crate) use health::{HealthSubject, ObjectHealth};
pub(crate) use progress::Progress;
pub(crate) use ready_call::ReadyCall;
pub(crate) use scope::{Created, HandleGuard, MethodResult};
pub(crate) use table::SessionId;

pub(crate) use crate::child::object::BLOCKING_THREADS;
pub(crate) use crate::child::object::panic::record_locations as record_panic_locations;

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use crate::child::host::interpreter_call::InterpreterCall;
use crate::child::host::scope::Scope;
use crate::child::host::state::{HostState, drop_in_background};
use crate::child::object::{
    Arguments, CallScope, Construction, Dynamic, DynamicCall, ObjectRef, ReplyChannel,
    drop_blocking, make, python, unknown_method,
};
use crate::common::definition::{Action, CallArgs, Definition, Method, Operation, TypeDescription};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{Handle, ObjectKind};

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
pub(crate) enum DescriptionSource {
    /// From its type.
    Type(&'static TypeDescription),
    /// From the object itself, at run time.
    Object(Arc<dyn Dynamic>),
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
pub(crate) struct Host(Arc<HostState>);

impl Host {
    pub(crate) fn new(daemon: Uuid, depth_limit: usize, message_limit: usize) -> Self {
        Host(Arc::new(HostState::new(daemon, depth_limit, message_limit)))
    }

    pub(crate) fn daemon(&self) -> Uuid {
        self.0.daemon
    }

    pub(crate) fn depth_limit(&self) -> usize {
        self.0.depth_limit
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
        call_args: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<Created>> + Send + 'static {
        let (host, token, creation_token) =
            (self.clone(), self.0.calls.token(), self.0.responses.token());
        async move {
            // `run::blocking` consumes the first token, but an async constructor runs
            // after it. The shutdown must wait for that too.
            let _token = creation_token;
            host.0.ending.refuse_if_requested()?;
            let (arguments, keywords) = call_args.await?;
            let scope = Scope::new(Arc::clone(&host.0), session, None);
            let handles = HandleGuard::of(&scope);
            let call_scope: Arc<dyn CallScope> = Arc::<Scope>::clone(&scope);
            let construct = move || make(&definition, arguments, keywords, &call_scope);
            let object = match run::blocking(token, construct).await? {
                Construction::Now(object) => ObjectRef::new(object?),
                Construction::Later(future) => ObjectRef::new(run::catching_panics(future).await?),
                Construction::External(future) => future.await?,
            };
            let interpreter = object.dynamic().and_then(|object| object.interpreter());
            let handle = host.0.handle(scope.insert(&object), object.description());
            Ok(Created { handle, interpreter, handles })
        }
    }

    /// Calls a method. The call is in the object's queue when this returns; the future
    /// runs it.
    pub(crate) fn call(
        &self,
        caller: Caller,
        handle: Option<Handle>,
        operation: Operation,
        call_args: impl Future<Output = Result<CallArgs>> + Send + 'static,
    ) -> impl Future<Output = Result<MethodResult>> + Send + 'static {
        // Take the token first: a shutdown that `enqueue` does not see yet then waits for
        // this call.
        let (host, token) = (self.clone(), self.0.calls.token());
        let queued = self.enqueue(handle, &operation, caller.channel.is_some());
        async move {
            let (turn, method) = queued?;
            let (arguments, keywords) = call_args.await?;
            let scope = Scope::new(host.0, caller.session, caller.channel);
            let handles = HandleGuard::of(&scope);
            let value = match method {
                CallTarget::Method(method) => {
                    let arguments = Arguments::bind(method, arguments, keywords, scope)?;
                    run::method(turn, method, arguments, token, caller.progress).await?
                }
                CallTarget::Dynamic(object) => {
                    let (turn, progress) = (Some(turn.acquire().await), caller.progress);
                    let hold = Box::new(InterpreterCall { turn, progress, _token: token });
                    let call = DynamicCall { operation, arguments, keywords, scope, hold };
                    object.call(call).await?
                }
            };
            Ok(MethodResult { value, handles })
        }
    }

    fn enqueue(
        &self,
        handle: Option<Handle>,
        operation: &Operation,
        takes_streams: bool,
    ) -> Result<(run::QueueTurn, CallTarget)> {
        self.0.ending.refuse_if_requested()?;
        let table = self.0.table();
        let object = self.0.find(&table, handle.as_ref())?;
        if let Some(dynamic) = object.dynamic() {
            return Ok((
                run::QueueTurn::exclusive(&object),
                CallTarget::Dynamic(Arc::clone(dynamic)),
            ));
        }
        let (description, method) = (object.description(), operation.name.as_str());
        if operation.action != Action::Call {
            let message = format!(
                "`{}` is a Rust type, and Rust objects only support method calls",
                description.name
            );
            return Err(Error::new(ErrorKind::NoSuchMethod, message));
        }
        let Some((index, method)) = description.method(method) else {
            return Err(unknown_method("method", description, method, description.methods));
        };
        if method.streams && !takes_streams {
            let message =
                format!("`{}` returns a stream, but `Call` has a single response", method.name);
            return Err(
                Error::new(ErrorKind::BadArguments, message).advise("use `Objects.Iterate`")
            );
        }
        let id = self.0.locate(&table, handle.as_ref())?;
        let host = self.clone();
        let when_taken = move || drop(host.0.table().remove(id));
        Ok((
            run::QueueTurn::enqueue(&object, index, method, when_taken),
            CallTarget::Method(method),
        ))
    }

    /// Locks the object of a call for its method, if that is sync and returns no stream
    /// and nobody is in the object's queue.
    fn lock_for(
        &self,
        handle: Option<&Handle>,
        method: &str,
    ) -> Option<(run::ObjectGuard, usize, &'static Method)> {
        self.0.ending.refuse_if_requested().ok()?;
        let table = self.0.table();
        let object = table.get(self.0.locate(&table, handle).ok()?).ok()?;
        if object.dynamic().is_some() {
            return None;
        }
        let (index, method) = object.description().method(method)?;
        if method.is_async || method.streams {
            return None;
        }
        let guard = run::ObjectGuard::try_lock(object, method.receiver)?;
        Some((guard, index, method))
    }

    /// Returns the description of an object, or the object that must be asked for it.
    pub(crate) fn describe(&self, handle: Option<Handle>) -> Result<DescriptionSource> {
        let object = self.0.find(&self.0.table(), handle.as_ref())?;
        Ok(match object.dynamic() {
            Some(dynamic) => DescriptionSource::Object(Arc::clone(dynamic)),
            None => DescriptionSource::Type(object.description()),
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
        let token = self.0.others.token();
        let released = {
            let mut table = self.0.table();
            let id = self.0.locate(&table, Some(handle))?;
            if self.0.ending.refuse_if_requested().is_err() {
                return Ok(());
            }
            let released = table.release(id, session, count);
            // The parent may hold it too, or alone.
            let is_foreign =
                count == 0 && python().is_some_and(|python| python.release(self.0.daemon, id));
            match released {
                Err(_) if is_foreign => None,
                released => released?,
            }
        };
        drop_in_background(released, token);
        Ok(())
    }

    /// Releases what was made over a session, except the root. During a shutdown the
    /// objects are left to the shutdown.
    pub(crate) fn release_session(&self, session: SessionId) {
        let token = self.0.others.token();
        if self.0.ending.refuse_if_requested().is_ok() {
            let released = self.0.table().release_session(session);
            drop_in_background(released, token);
        }
    }

    /// Returns the handle of every object, whoever holds it, and whether it is the root:
    /// the Rust objects and then those of each interpreter, the oldest first.
    pub(crate) async fn objects(&self) -> Vec<(Handle, bool)> {
        let object = |(id, description, is_root)| (self.0.handle(id, description), is_root);
        let mut objects: Vec<_> = self.0.table().iter().map(object).collect();
        if let Some(python) = python() {
            let known: HashSet<u64> = objects.iter().map(|(handle, _)| handle.id()).collect();
            for (id, type_name) in python.list(self.0.daemon).await {
                if !known.contains(&id) {
                    let kind = ObjectKind { type_name, ..ObjectKind::default() };
                    objects.push((Handle::new(self.0.daemon, id).of_kind(kind), false));
                }
            }
            objects.sort_by_key(|(handle, _)| handle.id());
        }
        objects
    }

    /// Returns how many calls wait or run, including creations.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.len()
    }

    /// Keeps the shutdown waiting for a response until the token is dropped.
    pub(crate) fn response_pending(&self) -> TaskTrackerToken {
        self.0.responses.token()
    }

    /// Keeps the shutdown waiting for calls that the host knows nothing of, until the
    /// token is dropped.
    #[cfg(feature = "python")]
    pub(crate) fn direct_calls(&self) -> TaskTrackerToken {
        self.0.others.token()
    }

    /// Whether any call waits, runs, or has a response that is not on its way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.0.calls.is_empty() || !self.0.responses.is_empty()
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

    /// Waits until no call waits or runs, every response is on its way, and every
    /// released object is dropped.
    pub(crate) async fn drained(&self) {
        for tracker in [&self.0.calls, &self.0.responses, &self.0.others] {
            tracker.close();
            tracker.wait().await;
        }
    }

    /// Drops every object, one after the other. An object held by a stuck call is left to
    /// the end of the process.
    pub(crate) fn drop_objects(&self) {
        let table = std::mem::take(&mut *self.0.table());
        drop_blocking(table);
        if let Some(python) = python() {
            python.forget(self.0.daemon);
        }
    }
}

#[cfg(test)]
mod tests;
