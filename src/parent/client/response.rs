//! What comes back for an operation.

use crate::common::definition::InterpreterFacts;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::IncomingItems;
use crate::common::value::{Handle, Value};
use crate::common::wire::pb::session_response::Result as Message;
use crate::common::wire::{
    error_from_failure, exception_from_pb, handle_from_pb, pb, value_from_pb,
};
use crate::parent::client::Description;

/// What comes back for an operation that was carried out.
#[derive(Debug)]
pub(crate) enum Response {
    /// An object was made.
    Created(Handle, Option<InterpreterFacts>),
    /// A method returned a value.
    Returned(Value),
    /// A method returned a stream.
    Opened(IncomingItems),
    /// What an object can do.
    Described(Description),
    /// There is nothing more to tell.
    Done,
}

impl Response {
    /// # Errors
    ///
    /// The exception or the failure that the message carries, [`ErrorKind::TooDeep`] for
    /// a value deeper than the limit, or [`ErrorKind::Protocol`] if it makes no sense.
    pub(super) fn from_pb(message: Option<Message>, depth_limit: usize) -> Result<Self> {
        use pb::{call_response, create_response};
        match message {
            Some(Message::Create(response)) => match response.outcome {
                Some(create_response::Outcome::Handle(handle)) => {
                    let facts = response.interpreter.map(|interpreter| {
                        let pb::Interpreter { pid, version, executable } = interpreter;
                        InterpreterFacts { pid, version, executable }
                    });
                    Ok(Response::Created(handle_from_pb(handle, uuid::Uuid::nil())?, facts))
                }
                Some(create_response::Outcome::Exception(exception)) => Err(raised(exception)?),
                None => Err(senseless()),
            },
            Some(Message::Call(response)) => match response.outcome {
                Some(call_response::Outcome::Value(value)) => {
                    let wrong = |error: Error| error.with_kind(ErrorKind::Protocol);
                    let value = value_from_pb(value).map_err(wrong)?;
                    value.check_depth(depth_limit)?;
                    Ok(Response::Returned(value))
                }
                Some(call_response::Outcome::Exception(exception)) => Err(raised(exception)?),
                None => Err(senseless()),
            },
            Some(Message::Describe(response)) => {
                Ok(Response::Described(Description::from_pb(response)))
            }
            Some(Message::Release(_)) => Ok(Response::Done),
            Some(Message::Failure(failure)) => Err(error_from_failure(failure)),
            Some(
                Message::Chunk(_) | Message::Opened(_) | Message::Items(_) | Message::Credit(_),
            )
            | None => Err(senseless()),
        }
    }

    /// The handles in it, each as often as it was given.
    pub(super) fn handles(&self) -> Vec<Handle> {
        match self {
            Response::Created(handle, _) => vec![handle.clone()],
            Response::Returned(value) => value.handles(),
            Response::Opened(_) | Response::Described(_) | Response::Done => Vec::new(),
        }
    }

    /// The handle of the object that was made, and the interpreter of a Python object.
    pub(crate) fn into_created(self) -> Result<(Handle, Option<InterpreterFacts>)> {
        match self {
            Response::Created(handle, interpreter) => Ok((handle, interpreter)),
            _ => Err(senseless()),
        }
    }

    pub(crate) fn into_description(self) -> Result<Description> {
        match self {
            Response::Described(description) => Ok(description),
            _ => Err(senseless()),
        }
    }

    /// The value, and the stream that it stands for if it is one.
    pub(crate) fn into_returned(self) -> Result<(Value, Option<IncomingItems>)> {
        match self {
            Response::Returned(value) => Ok((value, None)),
            Response::Opened(incoming) => Ok((Value::Stream(0), Some(incoming))),
            _ => Err(senseless()),
        }
    }
}

fn raised(exception: pb::Exception) -> Result<Error> {
    exception_from_pb(exception).map(Error::from_exception)
}

fn senseless() -> Error {
    Error::new(ErrorKind::Protocol, "the daemon's answer is not one to what was asked")
}
