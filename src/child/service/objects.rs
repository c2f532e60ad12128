//! `oad.v1.Objects`: the unary operations, `Iterate`, and the session.

use std::future::ready;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use crate::child::host::{Caller, DescriptionSource, HandleGuard, Host, Progress};
use crate::child::object::ReplyChannel;
use crate::child::service::client_memory::{RequestMemory, client_memory};
use crate::child::service::operation::{definition, operation, returns};
use crate::child::service::reply_channel::{RpcReplyChannel, UnsentIterateItem};
use crate::child::service::responses::{call_response, create_response, describe, release};
use crate::child::service::session::Session;
use crate::child::service::unsent_handles::UnsentHandles;
use crate::child::service::{check_size, decode_arguments, in_order, on_own_task, with_timeout};
use crate::common::definition::{Action, CallArgs, Operation, PythonOptions, Returns};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::pb::call_response::Outcome as CallOutcome;
use crate::common::wire::pb::objects_server::Objects;
use crate::common::wire::{
    call_response_weight, exception_to_pb, handle_from_pb, pb, status_from_error,
};

/// How many items of an `Iterate` stream are buffered, in addition to the transport's
/// buffers.
const MAX_BUFFERED: usize = 16;

/// Serves `oad.v1.Objects`.
#[derive(Clone, Debug)]
pub(crate) struct ObjectsService {
    host: Host,
    message_limit: usize,
}

impl ObjectsService {
    pub(crate) fn new(host: Host, message_limit: usize) -> Self {
        ObjectsService { host, message_limit }
    }

    fn decode_arguments(&self, arguments: pb::Arguments) -> Result<CallArgs> {
        check_size(&arguments, self.message_limit)?;
        decode_arguments(arguments, self.host.depth_limit())
    }

    /// Performs one operation and returns its response, and the guard of its handles.
    async fn perform(
        &self,
        memory: &mut RequestMemory,
        handle: Option<pb::Handle>,
        operation: Operation,
        arguments: pb::Arguments,
        timeout: Option<prost_types::Duration>,
    ) -> Result<(pb::CallResponse, Option<HandleGuard>)> {
        let counted = memory.operation(&arguments)?;
        let call_args = ready(self.decode_arguments(arguments));
        let handle = handle.map(|handle| handle_from_pb(handle, self.host.daemon())).transpose()?;
        let progress = Progress::default();
        let caller = Caller { progress: Some(progress.clone()), ..Caller::default() };
        let result = counted(self.host.call(caller, handle, operation, call_args));
        let result = on_own_task(with_timeout(timeout, Some(progress), result)).await;
        let (response, handles) = call_response(result, self.message_limit)?;
        // An exception has already been shortened to fit, as far as possible.
        if !matches!(response.outcome, Some(CallOutcome::Exception(_))) {
            check_size(&response, self.message_limit)?;
        }
        memory.hold_response(|| call_response_weight(&response))?;
        Ok((response, handles))
    }

    /// Performs an operation that only Python objects support.
    async fn perform_on_python(
        &self,
        memory: &mut RequestMemory,
        handle: Option<pb::Handle>,
        operation: Operation,
        arguments: pb::Arguments,
    ) -> Result<(CallOutcome, Option<HandleGuard>), Status> {
        let (response, handles) = self
            .perform(memory, handle, operation, arguments, None)
            .await
            .map_err(|error| status_from_error(&error))?;
        let no_outcome = || Status::internal("the response has no outcome");
        Ok((response.outcome.ok_or_else(no_outcome)?, handles))
    }

    /// Calls a method that returns a stream. Dropping the returned stream cancels the
    /// call and releases what has not been sent.
    fn items(
        &self,
        request: Request<pb::IterateRequest>,
    ) -> Result<Response<BoxStream<'static, Result<pb::IterateResponse, Status>>>> {
        let (client, memory) = (client_memory(&request), RequestMemory::of(&request));
        let unsent = UnsentHandles::of(&request);
        let request = request.into_inner();
        let returns = returns(request.returns());
        let pb::IterateRequest { handle, method, timeout, .. } = request;
        let arguments = in_order(request.arguments, request.keywords, request.ordered_keywords);
        let handle = handle.map(|handle| handle_from_pb(handle, self.host.daemon())).transpose()?;
        let source = self.host.describe(handle.clone())?;
        let action = match source {
            DescriptionSource::Type(_) => Action::Call,
            DescriptionSource::Object(_) => Action::Iterate,
        };
        if let DescriptionSource::Type(description) = source
            && let Some((_, known)) = description.method(&method)
            && !known.streams
        {
            let message = format!("`{}` does not return a stream", known.name);
            return Err(Error::new(ErrorKind::BadArguments, message).advise("use `Objects.Call`"));
        }
        let counted = memory.operation(&arguments)?;
        let call_args = ready(self.decode_arguments(arguments));
        let (sender, items) = mpsc::channel(MAX_BUFFERED);
        let message_limit = self.message_limit;
        let channel: Arc<dyn ReplyChannel> =
            Arc::new(RpcReplyChannel::new(sender.clone(), message_limit, client));
        let progress = Progress::default();
        let caller =
            Caller { session: None, channel: Some(channel), progress: Some(progress.clone()) };
        let python = PythonOptions::default();
        let operation = Operation { action, name: method, returns, python };
        let result = with_timeout(
            timeout,
            Some(progress),
            counted(self.host.call(caller, handle, operation, call_args)),
        );
        // Spawned now, so that the call proceeds while the client does not read.
        let call = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = result.await {
                // Fails if the client has stopped reading.
                let last = UnsentIterateItem::last(last_item(error, message_limit));
                let _ = sender.send(Some(last)).await;
            }
            // The end needs an explicit marker: a sync method that outlives its timeout
            // keeps its sender alive.
            let _ = sender.send(None).await;
        }));
        let in_body = unsent.clone();
        let items = ReceiverStream::new(items).scan(call, move |_until_dropped, item| {
            let item = item.map(|UnsentIterateItem { item, handles, .. }| {
                handles.into_iter().for_each(|handles| in_body.push(handles));
                item
            });
            ready(item)
        });
        let mut response = Response::new(items.boxed());
        response.extensions_mut().insert(unsent);
        Ok(response)
    }
}

#[tonic::async_trait]
impl Objects for ObjectsService {
    type IterateStream = BoxStream<'static, Result<pb::IterateResponse, Status>>;
    type SessionStream = BoxStream<'static, Result<pb::SessionResponse, Status>>;

    async fn create(
        &self,
        request: Request<pb::CreateRequest>,
    ) -> Result<Response<pb::CreateResponse>, Status> {
        let (mut memory, unsent) = (RequestMemory::of(&request), UnsentHandles::of(&request));
        let request = request.into_inner();
        let pb::CreateRequest { definition: message, timeout, .. } = request;
        let arguments = in_order(request.arguments, request.keywords, request.ordered_keywords);
        let response = async {
            let definition = definition(message, self.host.daemon())?;
            let counted = memory.operation(&arguments)?;
            let call_args = ready(self.decode_arguments(arguments));
            let created = on_own_task(with_timeout(
                timeout,
                None,
                counted(self.host.create(None, definition, call_args)),
            ))
            .await;
            let (response, handles) = create_response(created, self.message_limit)?;
            memory.hold_response(|| response.encoded_len())?;
            Ok(memory.respond(unsent.respond(response, handles)))
        };
        response.await.map_err(|error: Error| status_from_error(&error))
    }

    async fn call(
        &self,
        request: Request<pb::CallRequest>,
    ) -> Result<Response<pb::CallResponse>, Status> {
        let (mut memory, unsent) = (RequestMemory::of(&request), UnsentHandles::of(&request));
        let request = request.into_inner();
        let operation = operation(&request);
        let pb::CallRequest { handle, timeout, .. } = request;
        let arguments = in_order(request.arguments, request.keywords, request.ordered_keywords);
        let response = self.perform(&mut memory, handle, operation, arguments, timeout).await;
        response
            .map(|(response, handles)| memory.respond(unsent.respond(response, handles)))
            .map_err(|error| status_from_error(&error))
    }

    async fn iterate(
        &self,
        request: Request<pb::IterateRequest>,
    ) -> Result<Response<Self::IterateStream>, Status> {
        self.items(request).map_err(|error| status_from_error(&error))
    }

    async fn get_attribute(
        &self,
        request: Request<pb::GetAttributeRequest>,
    ) -> Result<Response<pb::GetAttributeResponse>, Status> {
        use pb::get_attribute_response::Outcome;
        let (mut memory, unsent) = (RequestMemory::of(&request), UnsentHandles::of(&request));
        let request = request.into_inner();
        let operation = Operation {
            action: Action::GetAttribute,
            returns: returns(request.returns()),
            name: request.name,
            python: PythonOptions::default(),
        };
        let arguments = pb::Arguments::default();
        let (outcome, handles) =
            self.perform_on_python(&mut memory, request.handle, operation, arguments).await?;
        let outcome = match outcome {
            CallOutcome::Value(value) => Outcome::Value(value),
            CallOutcome::Exception(exception) => Outcome::Exception(exception),
        };
        let response = pb::GetAttributeResponse { outcome: Some(outcome) };
        Ok(memory.respond(unsent.respond(response, handles)))
    }

    async fn set_attribute(
        &self,
        request: Request<pb::SetAttributeRequest>,
    ) -> Result<Response<pb::SetAttributeResponse>, Status> {
        let mut memory = RequestMemory::of(&request);
        let pb::SetAttributeRequest { handle, name, value } = request.into_inner();
        let operation = without_result(Action::SetAttribute, name);
        let arguments = pb::Arguments { arguments: Vec::from_iter(value), ..Default::default() };
        let (outcome, _) =
            self.perform_on_python(&mut memory, handle, operation, arguments).await?;
        let exception = exception_of(outcome);
        Ok(memory.respond(Response::new(pb::SetAttributeResponse { exception })))
    }

    async fn delete_attribute(
        &self,
        request: Request<pb::DeleteAttributeRequest>,
    ) -> Result<Response<pb::DeleteAttributeResponse>, Status> {
        let mut memory = RequestMemory::of(&request);
        let pb::DeleteAttributeRequest { handle, name } = request.into_inner();
        let operation = without_result(Action::DeleteAttribute, name);
        let arguments = pb::Arguments::default();
        let (outcome, _) =
            self.perform_on_python(&mut memory, handle, operation, arguments).await?;
        let exception = exception_of(outcome);
        Ok(memory.respond(Response::new(pb::DeleteAttributeResponse { exception })))
    }

    async fn operate(
        &self,
        request: Request<pb::OperateRequest>,
    ) -> Result<Response<pb::OperateResponse>, Status> {
        use pb::operate_response::Outcome;
        let (mut memory, unsent) = (RequestMemory::of(&request), UnsentHandles::of(&request));
        let request = request.into_inner();
        let operation = Operation {
            action: Action::Operate,
            returns: returns(request.returns()),
            name: request.operator,
            python: PythonOptions::default(),
        };
        let arguments = pb::Arguments { arguments: request.operands, keywords: request.names };
        let (outcome, handles) =
            self.perform_on_python(&mut memory, request.handle, operation, arguments).await?;
        let outcome = match outcome {
            CallOutcome::Value(value) => Outcome::Value(value),
            CallOutcome::Exception(exception) => Outcome::Exception(exception),
        };
        let response = pb::OperateResponse { outcome: Some(outcome) };
        Ok(memory.respond(unsent.respond(response, handles)))
    }

    async fn describe(
        &self,
        request: Request<pb::DescribeRequest>,
    ) -> Result<Response<pb::DescribeResponse>, Status> {
        let mut memory = RequestMemory::of(&request);
        let response = async {
            let counted = memory.operation(&pb::Arguments::default())?;
            let described = counted(describe(&self.host, request.into_inner())).await?;
            memory.hold_response(|| described.encoded_len())?;
            Ok(memory.respond(Response::new(described)))
        };
        response.await.map_err(|error: Error| status_from_error(&error))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        release(&self.host, None, request.into_inner())
            .map(Response::new)
            .map_err(|error| status_from_error(&error))
    }

    async fn session(
        &self,
        request: Request<Streaming<pb::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let client = client_memory(&request);
        let requests = request.into_inner();
        let responses = Session::start(self.host.clone(), self.message_limit, requests, client);
        Ok(Response::new(responses))
    }
}

/// Returns the last message of a stream that ended early.
fn last_item(error: Error, message_limit: usize) -> Result<pb::IterateResponse, Status> {
    use pb::iterate_response::Outcome;
    match error.exception() {
        Some(exception) => Ok(pb::IterateResponse {
            outcome: Some(Outcome::Exception(Box::new(exception_to_pb(exception, message_limit)))),
        }),
        None => Err(status_from_error(&error)),
    }
}

fn without_result(action: Action, name: String) -> Operation {
    Operation { action, name, returns: Returns::Fitting, python: PythonOptions::default() }
}

fn exception_of(outcome: CallOutcome) -> Option<pb::Exception> {
    match outcome {
        CallOutcome::Value(_) => None,
        CallOutcome::Exception(exception) => Some(*exception),
    }
}
