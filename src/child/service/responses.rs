//! Builds the responses that the unary RPCs and the session share.

use std::future::Future;

use crate::child::host::{Created, DescriptionSource, HandleGuard, Host, MethodResult, SessionId};
use crate::common::definition::{
    DynamicDescription, DynamicMethod, InterpreterFacts, Method, Parameter, Receiver,
    TypeDescription,
};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::wire::{exception_to_pb, handle_from_pb, handle_to_pb, pb, value_to_pb};

/// Separates an exception, which is part of the response, from other errors, which fail
/// the operation.
pub(super) fn exception_as_response<T>(
    result: Result<T>,
    message_limit: usize,
) -> Result<Result<T, pb::Exception>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.exception() {
            Some(exception) => Ok(Err(exception_to_pb(exception, message_limit))),
            None => Err(error),
        },
    }
}

pub(super) fn create_response(
    created: Result<Created>,
    message_limit: usize,
) -> Result<(pb::CreateResponse, Option<HandleGuard>)> {
    use pb::create_response::Outcome;
    let (outcome, interpreter, handles) = match exception_as_response(created, message_limit)? {
        Ok(Created { handle, interpreter, handles }) => {
            let interpreter = interpreter.map(|InterpreterFacts { pid, version, executable }| {
                pb::Interpreter { pid, version, executable }
            });
            (Outcome::Handle(handle_to_pb(&handle)), interpreter, Some(handles))
        }
        Err(exception) => (Outcome::Exception(Box::new(exception)), None, None),
    };
    Ok((pb::CreateResponse { outcome: Some(outcome), interpreter }, handles))
}

pub(super) fn call_response(
    result: Result<MethodResult>,
    message_limit: usize,
) -> Result<(pb::CallResponse, Option<HandleGuard>)> {
    use pb::call_response::Outcome;
    let (outcome, handles) = match exception_as_response(result, message_limit)? {
        Ok(MethodResult { value, handles }) => (Outcome::Value(value_to_pb(value)), Some(handles)),
        Err(exception) => (Outcome::Exception(Box::new(exception)), None),
    };
    Ok((pb::CallResponse { outcome: Some(outcome) }, handles))
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
            DescriptionSource::Type(description) => Ok(description_to_pb(description)),
            DescriptionSource::Object(object) => {
                object.describe().await.map(dynamic_description_to_pb)
            }
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

fn dynamic_description_to_pb(description: DynamicDescription) -> pb::DescribeResponse {
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

pub(super) fn release(
    host: &Host,
    session: Option<SessionId>,
    request: pb::ReleaseRequest,
) -> Result<pb::ReleaseResponse> {
    let missing = || Error::new(ErrorKind::BadArguments, "the request has no `handle` to release");
    let handle = handle_from_pb(request.handle.ok_or_else(missing)?, host.daemon())?;
    host.release(session, &handle, request.count)?;
    Ok(pb::ReleaseResponse {})
}
