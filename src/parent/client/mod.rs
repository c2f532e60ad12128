//! One call, one reply: the caller's end of a session.
//!
//! An operation goes out as a frame with an id and its answer comes back with the same.
//! Many are in flight at once; each id is answered exactly once, and whoever stops
//! waiting sends a cancel. Below is the wire; above is the daemon, which tells this
//! module when no answer will ever come. Deliberately absent: retries. What was sent may
//! have been carried out.

mod arguments;
mod authorized;
mod connection;
mod connection_thread;
mod description;
mod download;
mod pending;
mod python;
mod response;
mod submitted;
mod upload;

pub use arguments::ArgumentsBuilder;
pub(crate) use arguments::CallParts;
pub(crate) use authorized::Authorized;
pub use description::{Description, MethodDescription};
pub(crate) use response::Response;
pub(crate) use submitted::Submitted;

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::runtime::Handle as Runtime;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::common::definition::{self, CallArgs, Definition};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::ItemSource;
use crate::common::value::{Handle, MAX_DEPTH};
use crate::common::wire::pb::control_client::ControlClient;
use crate::common::wire::pb::objects_server::SERVICE_NAME;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::{
    CHUNK_SIZE, Outbox, arguments_to_pb, handle_from_pb, handle_to_pb, pb, target_to_pb, too_large,
};
use crate::parent::client::connection_thread::ConnectionThread;
use crate::parent::client::pending::PendingCalls;
use crate::parent::client::python::{action_to_pb, python_to_pb, returns_to_pb};

/// How large and how deep a message may be; the daemon holds to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) message: usize,
    pub(crate) depth: usize,
}

/// What a caller can say of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How long to wait for its answer, or for the end of its stream.
    pub(crate) deadline: Option<Duration>,
    /// How many items of its stream may be under way.
    pub(crate) window: u32,
}

/// The caller's end of a session. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    channel: Authorized,
    outbox: Outbox<pb::SessionRequest>,
    pending: Arc<PendingCalls>,
    limits: Limits,
    /// The runtime of the connection.
    runtime: Runtime,
    carrier: ConnectionThread,
    /// The one whose timers always run.
    keeper: Runtime,
}

impl Client {
    /// Makes an object in the daemon.
    pub(crate) fn create(
        &self,
        definition: &Definition,
        arguments: CallArgs,
        deadline: Option<Duration>,
    ) -> Result<Submitted> {
        let definition = pb::Definition {
            python: definition.as_python().map(python_to_pb),
            r#type: definition.type_name().to_owned(),
            constructor: definition.constructor().unwrap_or_default().to_owned(),
            interface: definition.interface().unwrap_or_default().to_owned(),
        };
        let create = pb::CreateRequest {
            definition: Some(definition),
            timeout: deadline.and_then(|deadline| deadline.try_into().ok()),
            ..Default::default()
        };
        self.submit(Operation::Create(create), arguments, deadline)
    }

    /// Calls a method.
    pub(crate) fn call(
        &self,
        handle: &Handle,
        operation: &definition::Operation,
        arguments: CallArgs,
        streams: Vec<ItemSource<'static>>,
        options: Options,
    ) -> Result<Submitted> {
        let Options { deadline, window } = options;
        let call = pb::CallRequest {
            handle: Some(target_to_pb(handle)),
            method: operation.name.clone(),
            timeout: deadline.and_then(|deadline| deadline.try_into().ok()),
            credit: window,
            action: action_to_pb(operation.action).into(),
            returns: returns_to_pb(operation.returns).into(),
            ..Default::default()
        };
        let submitted = self.submit(Operation::Call(call), arguments, deadline)?;
        if !streams.is_empty() {
            submitted.send_streams(streams, self.limits.message, &self.runtime);
        }
        Ok(submitted)
    }

    /// Asks what an object can do.
    pub(crate) fn describe(&self, handle: &Handle) -> Result<Submitted> {
        let describe = pb::DescribeRequest { handle: Some(target_to_pb(handle)) };
        self.submit(Operation::Describe(describe), CallArgs::default(), None)
    }

    /// Whether no answer can come while this thread waits for it in sync code.
    pub(crate) fn is_carried_by_this_thread(&self) -> bool {
        self.carrier.is_this_thread()
    }

    /// Releases an object, without waiting.
    pub(crate) fn release(&self, handle: &Handle) {
        release(&self.pending, &self.outbox, handle);
    }

    /// Waits until the connection has been read to its end.
    pub(crate) async fn read_out(&self) {
        self.pending.read_out().await;
    }

    /// The connection, for other services than oad's.
    #[cfg(feature = "tonic")]
    pub(crate) fn channel(&self) -> Authorized {
        self.channel.clone()
    }

    /// Asks the daemon to end, once it has taken all that was sent before; it answers
    /// before it does.
    pub(crate) async fn shutdown(&self, grace: Duration) -> Result<()> {
        // The request goes by another stream than the calls, and could overtake them.
        // What this is answered does not matter.
        let before = self.submit(
            Operation::Describe(pb::DescribeRequest::default()),
            CallArgs::default(),
            None,
        )?;
        let _ = before.await;
        let mut control = ControlClient::new(self.channel.clone());
        let request = pb::ShutdownRequest { grace: grace.try_into().ok() };
        let asking = self.runtime.spawn(async move { control.shutdown(request).await });
        let failed = |message: String| Error::new(ErrorKind::Protocol, message);
        match asking.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(failed(status.to_string()).because(status)),
            Err(ended) => Err(failed(ended.to_string())),
        }
    }

    /// Asks for every object that lives in the daemon.
    pub(crate) async fn objects(&self) -> Result<Vec<Handle>> {
        let mut control = ControlClient::new(self.channel.clone());
        let asking = self.runtime.spawn(async move { control.info(pb::InfoRequest {}).await });
        let failed = |why: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Protocol, format!("it does not answer: {why}"))
        };
        let info = match asking.await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(failed(&status)),
            Err(ended) => return Err(failed(&ended)),
        };
        let handle = |object: pb::ObjectInfo| {
            handle_from_pb(object.handle.unwrap_or_default(), uuid::Uuid::nil())
        };
        info.objects.into_iter().map(handle).collect()
    }

    /// Asks the health service whether an object takes calls, the root if none is named;
    /// `None` if it cannot be asked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if there is no such object any more.
    pub(crate) async fn health(&self, object: Option<u64>) -> Result<Option<bool>> {
        let mut health = HealthClient::new(self.channel.clone());
        let service = match object {
            Some(number) => format!("{SERVICE_NAME}/{number}"),
            None => SERVICE_NAME.to_owned(),
        };
        let asking =
            self.runtime.spawn(async move { health.check(HealthCheckRequest { service }).await });
        match asking.await {
            Ok(Ok(response)) => Ok(Some(response.get_ref().status() == ServingStatus::Serving)),
            Ok(Err(status)) if status.code() == Code::NotFound => {
                Err(Error::new(ErrorKind::NoSuchObject, status.message()))
            }
            _ => Ok(None),
        }
    }

    /// Refuses every operation from now on with `error`; what is in flight may still be
    /// answered.
    pub(crate) fn refuse(&self, error: &Error) {
        self.pending.refuse(error);
    }

    /// Fails every operation in flight, and every later one, with `error`, or with the
    /// reason that was given before.
    pub(crate) fn fail(&self, error: &Error) {
        self.pending.fail(error);
        self.outbox.close();
    }

    fn submit(
        &self,
        mut operation: Operation,
        (values, keywords): CallArgs,
        deadline: Option<Duration>,
    ) -> Result<Submitted> {
        // What was packed has been held to the most there is already.
        if self.limits.depth < MAX_DEPTH {
            let given = values.iter().chain(keywords.iter().map(|(_, value)| value));
            given.into_iter().try_for_each(|value| value.check_depth(self.limits.depth))?;
        }
        let arguments = arguments_to_pb(values, keywords);
        let len = arguments.encoded_len();
        if len > self.limits.message {
            return Err(too_large(len, self.limits.message));
        }
        let detached = (len > CHUNK_SIZE).then(|| arguments.encode_to_vec());
        if detached.is_none() {
            match &mut operation {
                Operation::Call(call) => {
                    (call.arguments, call.keywords) = (arguments.arguments, arguments.keywords)
                }
                Operation::Create(create) => {
                    (create.arguments, create.keywords) = (arguments.arguments, arguments.keywords);
                }
                _ => {}
            }
        }
        let submitted = self.pending.register(&self.outbox)?;
        let id = submitted.id();
        if let Operation::Call(call) = &operation {
            self.pending.with(id, |waiting| waiting.window = call.credit);
        }
        let frame = |detached| pb::SessionRequest { id, operation: Some(operation), detached };
        match detached {
            Some(message) => {
                self.outbox.send_detached(frame(len as u64), id, message.into(), None);
            }
            None => self.outbox.send(frame(0)),
        }
        if let Some(deadline) = deadline {
            submitted.expire_after(deadline, &self.keeper);
        }
        Ok(submitted)
    }
}

/// Releases an object, without waiting. If the daemon is gone so is the object; and
/// nobody waits for the answer.
fn release(pending: &Arc<PendingCalls>, outbox: &Outbox<pb::SessionRequest>, handle: &Handle) {
    // A name that somebody has made up, and no daemon has handed out.
    if handle.daemon().is_nil() {
        return;
    }
    let Ok(submitted) = pending.register_beyond_limit(outbox) else { return };
    let release = pb::ReleaseRequest { handle: Some(handle_to_pb(handle)), count: 1 };
    outbox.send(pb::SessionRequest {
        id: submitted.id(),
        operation: Some(Operation::Release(release)),
        detached: 0,
    });
    submitted.forget();
}
