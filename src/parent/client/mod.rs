//! The caller's end of a session: one request, one response.
//!
//! An operation is sent as a frame with an id, and its response comes back with the same
//! id. Many are in flight at once. Each id is answered exactly once, and a caller that
//! stops waiting sends a cancel. Below is the wire; above is the daemon, which reports
//! when no more responses will come. Deliberately absent: retries, because an operation
//! that was sent may have been carried out.

mod arguments;
mod authorized_channel;
mod connection;
mod connection_thread;
mod description;
mod download;
mod limits;
mod pending;
mod python;
mod release;
mod response;
mod response_reader;
mod response_source;
mod session_carrier;
mod submitted;
mod upload;

pub use arguments::ArgumentsBuilder;
pub(crate) use arguments::CallParts;
pub(crate) use authorized_channel::AuthorizedChannel;
pub use description::{Description, MethodDescription};
pub(crate) use limits::{CallOptions, Limits};
#[cfg(feature = "python")]
pub(crate) use pending::{Carrier, ClaimedCall, Expected, PendingCall, PendingCalls};
#[cfg(feature = "python")]
pub(crate) use response::ItemBatch;
pub(crate) use response::Response;
pub(crate) use submitted::Submitted;
#[cfg(feature = "python")]
pub(crate) use submitted::TIMEOUT_REPORT_DELAY;

use std::fmt;
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
    CHUNK_SIZE, IntoPieces as _, Outbox, arguments_to_pb, handle_from_pb, pb, target_to_pb,
    too_large,
};
use crate::parent::client::connection_thread::ConnectionThread;
#[cfg(not(feature = "python"))]
use crate::parent::client::pending::{Carrier, PendingCalls};
use crate::parent::client::python::{action_to_pb, python_to_pb, returns_to_pb};

/// The most bytes of a list of all objects: room for some millions of them.
const MAX_OBJECT_LIST: usize = 1 << 30;

/// The caller's end of a session. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    channel: AuthorizedChannel,
    outbox: Outbox<pb::SessionRequest>,
    /// The same, for operations that are cancelled.
    carrier: Arc<dyn Carrier>,
    pending: Arc<PendingCalls>,
    limits: Limits,
    /// The runtime of the connection.
    runtime: Runtime,
    thread: ConnectionThread,
    /// The runtime of the timers; it is always driven.
    keeper: Runtime,
}

impl Client {
    /// Makes an object in the daemon.
    pub(crate) fn create(
        &self,
        definition: &Definition,
        arguments: CallArgs,
        timeout: Option<Duration>,
    ) -> Result<Submitted> {
        let definition = pb::Definition {
            python: definition.as_python().map(python_to_pb),
            r#type: definition.type_name().to_owned(),
            constructor: definition.constructor().unwrap_or_default().to_owned(),
            interface: definition.interface().unwrap_or_default().to_owned(),
        };
        let create = pb::CreateRequest {
            definition: Some(definition),
            timeout: timeout.and_then(|timeout| timeout.try_into().ok()),
            ..Default::default()
        };
        let options = CallOptions { timeout, ..CallOptions::default() };
        self.submit(Operation::Create(Box::new(create)), arguments, Vec::new(), options)
    }

    /// Calls a method, or performs another operation on an object.
    pub(crate) fn call(
        &self,
        handle: &Handle,
        operation: &definition::Operation,
        arguments: CallArgs,
        streams: Vec<ItemSource<'static>>,
        options: CallOptions,
    ) -> Result<Submitted> {
        let CallOptions { timeout, mut window, python } = options;
        if operation.action == definition::Action::Iterate && !window.is_exact() {
            window = window.withheld();
        }
        let options = CallOptions { timeout, window, python };
        let call = pb::CallRequest {
            handle: Some(target_to_pb(handle)),
            method: operation.name.clone(),
            timeout: timeout.and_then(|timeout| timeout.try_into().ok()),
            credit: window.granted(),
            action: action_to_pb(operation.action).into(),
            returns: returns_to_pb(operation.returns).into(),
            on_main_thread: python.is_on_main_thread,
            awaited: python.is_awaited,
            ..Default::default()
        };
        self.submit(Operation::Call(call), arguments, streams, options)
    }

    /// Asks for the description of an object.
    pub(crate) fn describe(&self, handle: &Handle) -> Result<Submitted> {
        let describe = pb::DescribeRequest { handle: Some(target_to_pb(handle)) };
        self.submit_alone(Operation::Describe(describe))
    }

    /// Whether the current thread carries the connection, so that no response can arrive
    /// while it waits in sync code.
    pub(crate) fn is_carried_by_current_thread(&self) -> bool {
        self.thread.is_current()
    }

    /// Releases an object, without waiting for the response.
    pub(crate) fn release(&self, handle: &Handle) {
        self.carrier.release(&self.pending, handle, 1);
    }

    /// Waits until the connection has been read to its end.
    pub(crate) async fn drained(&self) {
        self.pending.drained().await;
    }

    /// The connection, for other services than oad's.
    #[cfg(feature = "tonic")]
    pub(crate) fn channel(&self) -> AuthorizedChannel {
        self.channel.clone()
    }

    /// Asks the daemon to end after everything that was sent before. The daemon responds
    /// before it ends.
    pub(crate) async fn shutdown(&self, grace: Duration) -> Result<()> {
        // This RPC is another HTTP/2 stream than the session and could overtake its
        // calls. The response to this operation does not matter.
        let describe = Operation::Describe(pb::DescribeRequest::default());
        let _ = self.submit_alone(describe)?.await;
        let mut control = ControlClient::new(self.channel.clone());
        let request = pb::ShutdownRequest { grace: grace.try_into().ok() };
        match self.runtime.spawn(async move { control.shutdown(request).await }).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(no_response(&status)),
            Err(ended) => Err(no_response(&ended)),
        }
    }

    /// Asks for the handles of all objects in the daemon.
    pub(crate) async fn objects(&self) -> Result<Vec<Handle>> {
        let mut control =
            ControlClient::new(self.channel.clone()).max_decoding_message_size(MAX_OBJECT_LIST);
        let request = self.runtime.spawn(async move { control.info(pb::InfoRequest {}).await });
        let info = match request.await {
            Ok(Ok(response)) => response.into_inner(),
            // So tonic reports a message beyond the limit.
            Ok(Err(status)) if status.code() == Code::OutOfRange => {
                let message = format!("the list of objects exceeds {MAX_OBJECT_LIST} bytes");
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            Ok(Err(status)) => return Err(no_response(&status)),
            Err(ended) => return Err(no_response(&ended)),
        };
        let handle = |object: pb::ObjectInfo| {
            handle_from_pb(object.handle.unwrap_or_default(), uuid::Uuid::nil())
        };
        info.objects.into_iter().map(handle).collect()
    }

    /// Asks the health service whether an object, by default the root object, accepts
    /// calls. `None` if the connection broke.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if the object does not exist any more.
    pub(crate) async fn health(&self, object: Option<u64>) -> Result<Option<bool>> {
        let mut health = HealthClient::new(self.channel.clone());
        let service = match object {
            Some(number) => format!("{SERVICE_NAME}/{number}"),
            None => SERVICE_NAME.to_owned(),
        };
        let request =
            self.runtime.spawn(async move { health.check(HealthCheckRequest { service }).await });
        match request.await {
            Ok(Ok(response)) => Ok(Some(response.get_ref().status() == ServingStatus::Serving)),
            Ok(Err(status)) if status.code() == Code::NotFound => {
                Err(Error::new(ErrorKind::NoSuchObject, status.message()))
            }
            _ => Ok(None),
        }
    }

    /// Notes that the daemon begins to end in order.
    pub(crate) fn note_ending(&self) {
        self.pending.note_ending();
    }

    /// Refuses every new operation with `error`. Operations in flight may still complete.
    pub(crate) fn refuse(&self, error: &Error) {
        self.pending.refuse(error);
    }

    /// Fails every operation, in flight and new, with `error`, or with the first error
    /// that was given.
    pub(crate) fn fail(&self, error: &Error) {
        self.pending.fail(error);
        self.outbox.close();
    }

    /// Submits an operation that has no arguments.
    fn submit_alone(&self, operation: Operation) -> Result<Submitted> {
        self.submit(operation, CallArgs::default(), Vec::new(), CallOptions::default())
    }

    fn submit(
        &self,
        mut operation: Operation,
        (values, keywords): CallArgs,
        streams: Vec<ItemSource<'static>>,
        CallOptions { timeout, window, .. }: CallOptions,
    ) -> Result<Submitted> {
        // `ArgumentsBuilder` has checked the maximum depth.
        if self.limits.depth < MAX_DEPTH {
            let mut all = values.iter().chain(keywords.iter().map(|(_, value)| value));
            all.try_for_each(|value| value.check_depth(self.limits.depth))?;
        }
        let arguments = arguments_to_pb(values, keywords);
        let len = arguments.encoded_len();
        if len > self.limits.message {
            return Err(too_large(len, self.limits.message));
        }
        let mut detached = None;
        match &mut operation {
            _ if len > CHUNK_SIZE => detached = Some(arguments.into_pieces()),
            Operation::Call(call) => {
                (call.arguments, call.keywords) = (arguments.arguments, arguments.keywords)
            }
            Operation::Create(create) => {
                (create.arguments, create.keywords) = (arguments.arguments, arguments.keywords);
            }
            _ => {}
        }
        let submitted = Submitted::register(&self.pending, Arc::clone(&self.carrier))?;
        let id = submitted.id();
        if matches!(operation, Operation::Call(_)) {
            self.pending.with(id, |pending| pending.window = window);
        }
        // Before the daemon knows the call: it may let them send items at once.
        if !streams.is_empty() {
            submitted.send_streams(streams, &self.outbox, self.limits.message, &self.runtime);
        }
        let frame = |detached| pb::SessionRequest { id, operation: Some(operation), detached };
        match detached {
            Some(message) => {
                self.outbox.send_detached(frame(len as u64), id, message, None);
            }
            None => self.outbox.send(frame(0)),
        }
        if let Some(timeout) = timeout {
            submitted.expire_after(timeout, &self.keeper);
        }
        Ok(submitted)
    }
}

fn no_response(why: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("the daemon did not respond: {why}"))
}
