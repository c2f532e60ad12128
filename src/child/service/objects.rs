//! `oad.v1.Objects`: the unary operations, `Iterate`, and the session.

use std::future::{Future, ready};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use crate::child::host::{
    Caller, Created, Described, HandedOut, Host, MethodResult, Progress, SessionId,
};
use crate::child::object::{DynamicDescription, DynamicMethod, ReplyChannel};
use crate::child::service::operation::{definition, operation, returns};
use crate::child::service::reply_channel::RpcReplyChannel;
use crate::child::service::session::Session;
use crate::child::service::{check_size, given, on_own_task, within};
use crate::common::definition::CallArgs;
use crate::common::definition::{Action, InterpreterFacts, Operation, Returns};
use crate::common::definition::{Method, Parameter, Receiver, TypeDescription};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::pb::call_response::Outcome as Answered;
use crate::common::wire::pb::objects_server::Objects;
use crate::common::wire::{
    exception_to_pb, handle_from_pb, handle_to_pb, pb, status_from_error, value_to_pb,
};

/// How many items of an `Iterate` stream are buffered, in addition to the transport's
/// buffers.
const BUFFERED: usize = 16;

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

    fn given(&self, arguments: pb::Arguments) -> Result<CallArgs> {
        check_size(&arguments, self.message_limit)?;
        given(arguments, self.host.depth_limit())
    }

    /// Performs one operation and returns its response.
    async fn ask(
        &self,
        handle: Option<pb::Handle>,
        operation: Operation,
        arguments: pb::Arguments,
        timeout: Option<prost_types::Duration>,
    ) -> Result<pb::CallResponse> {
        let given = ready(self.given(arguments));
        let handle = handle.map(|handle| handle_from_pb(handle, self.host.daemon())).transpose()?;
        let progress = Progress::default();
        let caller = Caller { progress: Some(progress.clone()), ..Caller::default() };
        let answer = self.host.call(caller, handle, operation, given);
        let answer = on_own_task(within(timeout, Some(progress), answer)).await;
        let (response, handed_out) = call_response(answer, self.message_limit)?;
        // An exception has already been shortened to fit, as far as possible.
        if !matches!(response.outcome, Some(Answered::Exception(_))) {
            check_size(&response, self.message_limit)?;
        }
        keep(handed_out);
        Ok(response)
    }

    /// Performs an operation that only Python objects support.
    async fn attribute(
        &self,
        handle: Option<pb::Handle>,
        operation: Operation,
        arguments: pb::Arguments,
    ) -> Result<pb::call_response::Outcome, Status> {
        let answered = self
            .ask(handle, operation, arguments, None)
            .await
            .map_err(|error| status_from_error(&error))?;
        answered.outcome.ok_or_else(|| Status::internal("the response has no outcome"))
    }

    /// Calls a method that returns a stream. Dropping the returned stream cancels the
    /// call.
    fn items(
        &self,
        request: pb::IterateRequest,
    ) -> Result<BoxStream<'static, Result<pb::IterateResponse, Status>>> {
        let returns = returns(request.returns());
        let pb::IterateRequest { handle, method, arguments, keywords, timeout, .. } = request;
        let handle = handle.map(|handle| handle_from_pb(handle, self.host.daemon())).transpose()?;
        let described = self.host.describe(handle.clone())?;
        let action = match described {
            Described::Known(_) => Action::Call,
            Described::ByItself(_) => Action::Iterate,
        };
        if let Described::Known(description) = described
            && let Some((_, known)) = description.method(&method)
            && !known.streams
        {
            let message = format!("`{}` does not return a stream", known.name);
            return Err(Error::new(ErrorKind::BadArguments, message).advise("use `Objects.Call`"));
        }
        let given = ready(self.given(pb::Arguments { arguments, keywords }));
        let (sender, items) = mpsc::channel(BUFFERED);
        let message_limit = self.message_limit;
        let channel: Arc<dyn ReplyChannel> =
            Arc::new(RpcReplyChannel::new(sender.clone(), message_limit));
        let progress = Progress::default();
        let caller =
            Caller { session: None, channel: Some(channel), progress: Some(progress.clone()) };
        let operation = Operation { action, name: method, returns };
        let answer =
            within(timeout, Some(progress), self.host.call(caller, handle, operation, given));
        // Spawned now, so that the call proceeds while the client does not read.
        let call = AbortOnDropHandle::new(tokio::spawn(async move {
            if let Err(error) = answer.await {
                // Fails if the client has stopped reading.
                let _ = sender.send(Some(end_of_items(error, message_limit))).await;
            }
            // The end needs an explicit marker: a sync method that outlives its timeout
            // keeps its sender alive.
            let _ = sender.send(None).await;
        }));
        let items = ReceiverStream::new(items).take_while(|item| ready(item.is_some())).filter_map(
            move |item| {
                let _until_dropped = &call;
                ready(item)
            },
        );
        Ok(items.boxed())
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
        let pb::CreateRequest { definition: how, arguments, keywords, timeout } =
            request.into_inner();
        let made = async {
            let definition = definition(how, self.host.daemon())?;
            let given = ready(self.given(pb::Arguments { arguments, keywords }));
            let made =
                on_own_task(within(timeout, None, self.host.create(None, definition, given))).await;
            let (response, handed_out) = create_response(made, self.message_limit)?;
            keep(handed_out);
            Ok(response)
        };
        made.await.map(Response::new).map_err(|error: Error| status_from_error(&error))
    }

    async fn call(
        &self,
        request: Request<pb::CallRequest>,
    ) -> Result<Response<pb::CallResponse>, Status> {
        let request = request.into_inner();
        let operation = operation(request.method.clone(), request.action(), request.returns());
        let pb::CallRequest { handle, arguments, keywords, timeout, .. } = request;
        let answered =
            self.ask(handle, operation, pb::Arguments { arguments, keywords }, timeout).await;
        answered.map(Response::new).map_err(|error| status_from_error(&error))
    }

    async fn iterate(
        &self,
        request: Request<pb::IterateRequest>,
    ) -> Result<Response<Self::IterateStream>, Status> {
        let items = self.items(request.into_inner()).map_err(|error| status_from_error(&error))?;
        Ok(Response::new(items))
    }

    async fn get_attribute(
        &self,
        request: Request<pb::GetAttributeRequest>,
    ) -> Result<Response<pb::GetAttributeResponse>, Status> {
        use pb::get_attribute_response::Outcome;
        let request = request.into_inner();
        let operation = Operation {
            action: Action::GetAttribute,
            returns: returns(request.returns()),
            name: request.name,
        };
        let outcome =
            match self.attribute(request.handle, operation, pb::Arguments::default()).await? {
                Answered::Value(value) => Outcome::Value(value),
                Answered::Exception(exception) => Outcome::Exception(exception),
            };
        Ok(Response::new(pb::GetAttributeResponse { outcome: Some(outcome) }))
    }

    async fn set_attribute(
        &self,
        request: Request<pb::SetAttributeRequest>,
    ) -> Result<Response<pb::SetAttributeResponse>, Status> {
        let pb::SetAttributeRequest { handle, name, value } = request.into_inner();
        let operation = Operation { action: Action::SetAttribute, name, returns: Returns::Fitting };
        let arguments = pb::Arguments { arguments: Vec::from_iter(value), ..Default::default() };
        let exception = exception_of(self.attribute(handle, operation, arguments).await?);
        Ok(Response::new(pb::SetAttributeResponse { exception }))
    }

    async fn delete_attribute(
        &self,
        request: Request<pb::DeleteAttributeRequest>,
    ) -> Result<Response<pb::DeleteAttributeResponse>, Status> {
        let pb::DeleteAttributeRequest { handle, name } = request.into_inner();
        let operation =
            Operation { action: Action::DeleteAttribute, name, returns: Returns::Fitting };
        let exception =
            exception_of(self.attribute(handle, operation, pb::Arguments::default()).await?);
        Ok(Response::new(pb::DeleteAttributeResponse { exception }))
    }

    async fn operate(
        &self,
        request: Request<pb::OperateRequest>,
    ) -> Result<Response<pb::OperateResponse>, Status> {
        use pb::operate_response::Outcome;
        let request = request.into_inner();
        let operation = Operation {
            action: Action::Operate,
            returns: returns(request.returns()),
            name: request.operator,
        };
        let arguments = pb::Arguments { arguments: request.operands, keywords: request.names };
        let outcome = match self.attribute(request.handle, operation, arguments).await? {
            Answered::Value(value) => Outcome::Value(value),
            Answered::Exception(exception) => Outcome::Exception(exception),
        };
        Ok(Response::new(pb::OperateResponse { outcome: Some(outcome) }))
    }

    async fn describe(
        &self,
        request: Request<pb::DescribeRequest>,
    ) -> Result<Response<pb::DescribeResponse>, Status> {
        let described = describe(&self.host, request.into_inner()).await;
        described.map(Response::new).map_err(|error| status_from_error(&error))
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
        let answers = Session::start(self.host.clone(), self.message_limit, request.into_inner());
        Ok(Response::new(answers.map(Ok).boxed()))
    }
}

/// Returns the last message of a stream that ended early.
fn end_of_items(error: Error, message_limit: usize) -> Result<pb::IterateResponse, Status> {
    use pb::iterate_response::Outcome;
    match error.exception() {
        Some(exception) => Ok(pb::IterateResponse {
            outcome: Some(Outcome::Exception(exception_to_pb(exception, message_limit))),
        }),
        None => Err(status_from_error(&error)),
    }
}

/// Leaves the handles with the caller: handles from unary RPCs live until `Release` or
/// the daemon's end.
fn keep(handed_out: Option<HandedOut>) {
    if let Some(handed_out) = handed_out {
        handed_out.keep();
    }
}

/// Turns a result into a response. An exception is part of the response; any other error
/// fails the RPC.
pub(super) fn create_response(
    made: Result<Created>,
    message_limit: usize,
) -> Result<(pb::CreateResponse, Option<HandedOut>)> {
    use pb::create_response::Outcome;
    let mut facts = None;
    let (outcome, handed_out) = match made {
        Ok(Created { handle, interpreter, handed_out }) => {
            facts = interpreter.map(|InterpreterFacts { pid, version, executable }| {
                pb::Interpreter { pid, version, executable }
            });
            (Outcome::Handle(handle_to_pb(&handle)), Some(handed_out))
        }
        Err(error) => match error.exception() {
            Some(exception) => {
                (Outcome::Exception(exception_to_pb(exception, message_limit)), None)
            }
            None => return Err(error),
        },
    };
    Ok((pb::CreateResponse { outcome: Some(outcome), interpreter: facts }, handed_out))
}

/// Turns a result into a response. An exception is part of the response; any other error
/// fails the RPC.
pub(super) fn call_response(
    answer: Result<MethodResult>,
    message_limit: usize,
) -> Result<(pb::CallResponse, Option<HandedOut>)> {
    use pb::call_response::Outcome;
    let (outcome, handed_out) = match answer {
        Ok(MethodResult { value, handed_out }) => {
            (Outcome::Value(value_to_pb(value)), Some(handed_out))
        }
        Err(error) => match error.exception() {
            Some(exception) => {
                (Outcome::Exception(exception_to_pb(exception, message_limit)), None)
            }
            None => return Err(error),
        },
    };
    Ok((pb::CallResponse { outcome: Some(outcome) }, handed_out))
}

pub(super) fn describe(
    host: &Host,
    request: pb::DescribeRequest,
) -> impl Future<Output = Result<pb::DescribeResponse>> + Send + use<> {
    let described = request
        .handle
        .map(|handle| handle_from_pb(handle, host.daemon()))
        .transpose()
        .and_then(|handle| host.describe(handle));
    async move {
        match described? {
            Described::Known(description) => Ok(description_to_pb(description)),
            Described::ByItself(object) => object.describe().await.map(self_description_to_pb),
        }
    }
}

fn description_to_pb(description: &TypeDescription) -> pb::DescribeResponse {
    let TypeDescription { name, documentation, methods, interfaces, .. } = *description;
    pb::DescribeResponse {
        r#type: name.to_owned(),
        documentation: documentation.to_owned(),
        methods: methods.iter().map(method_to_pb).collect(),
        interfaces: interfaces.iter().copied().map(str::to_owned).collect(),
        attributes: Vec::new(),
    }
}

fn self_description_to_pb(description: DynamicDescription) -> pb::DescribeResponse {
    let parameter = |(name, r#type): (String, String)| pb::Parameter { name, r#type };
    let method = |method: DynamicMethod| pb::Method {
        name: method.name,
        documentation: method.documentation,
        parameters: method.parameters.into_iter().map(parameter).collect(),
        returns: method.returns,
        signature: method.signature,
        ..Default::default()
    };
    pb::DescribeResponse {
        r#type: description.type_name,
        documentation: description.documentation,
        methods: description.methods.into_iter().map(method).collect(),
        interfaces: Vec::new(),
        attributes: description.attributes,
    }
}

fn exception_of(answered: Answered) -> Option<pb::Exception> {
    match answered {
        Answered::Value(_) => None,
        Answered::Exception(exception) => Some(exception),
    }
}

pub(super) fn release(
    host: &Host,
    session: Option<SessionId>,
    request: pb::ReleaseRequest,
) -> Result<pb::ReleaseResponse> {
    let message = "the request has no `handle` to release";
    let missing = || crate::common::error::Error::new(ErrorKind::BadArguments, message);
    let handle = handle_from_pb(request.handle.ok_or_else(missing)?, host.daemon())?;
    host.release(session, &handle, request.count)?;
    Ok(pb::ReleaseResponse {})
}

fn method_to_pb(method: &Method) -> pb::Method {
    let receiver = match method.receiver {
        Receiver::None => pb::Receiver::Unspecified,
        Receiver::Shared => pb::Receiver::Shared,
        Receiver::Exclusive => pb::Receiver::Exclusive,
        Receiver::Consuming => pb::Receiver::Consuming,
    };
    let parameter = |Parameter { name, type_name }: &Parameter| pb::Parameter {
        name: (*name).to_owned(),
        r#type: (*type_name).to_owned(),
    };
    pb::Method {
        name: method.name.to_owned(),
        documentation: method.documentation.to_owned(),
        parameters: method.parameters.iter().map(parameter).collect(),
        returns: method.returns.to_owned(),
        receiver: receiver.into(),
        signature: method.signature.to_owned(),
        streams: method.streams,
    }
}
