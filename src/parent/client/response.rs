//! The response to an operation.

use crate::common::definition::InterpreterFacts;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::IncomingItems;
use crate::common::value::{Handle, Value};
use crate::common::wire::pb::session_response::Result as Message;
use crate::common::wire::{
    error_from_failure, exception_from_pb, handle_from_pb, pb, value_from_pb,
};
use crate::parent::client::description::Description;

/// The response to an operation that succeeded.
#[derive(Debug)]
pub(crate) enum Response {
    /// An object was made.
    Created(Handle, Option<InterpreterFacts>),
    /// A method returned a value.
    Returned(Value),
    /// A method returned a stream.
    Opened(IncomingItems),
    /// Items of an iterator.
    #[cfg(feature = "python")]
    Items(ItemBatch),
    /// What an object can do.
    Described(Description),
    /// An object was released.
    Done,
}

/// Some items of an iterator.
#[cfg(feature = "python")]
#[derive(Debug)]
pub(crate) struct ItemBatch {
    pub(crate) items: Vec<Value>,
    /// The iterator has ended.
    pub(crate) is_exhausted: bool,
    /// How many bytes the items took together.
    pub(crate) bytes: usize,
}

impl Response {
    /// Converts a message to a response.
    ///
    /// # Errors
    ///
    /// The exception or the failure in the message, [`ErrorKind::TooDeep`] for a value
    /// deeper than the limit, or [`ErrorKind::Protocol`] for a malformed message.
    pub(super) fn from_pb(message: Option<Message>, depth_limit: usize) -> Result<Self> {
        match message {
            Some(Message::Create(response)) => created(response),
            Some(Message::Call(response)) => returned(response, depth_limit),
            Some(Message::Describe(response)) => {
                Ok(Response::Described(Description::from_pb(response)))
            }
            Some(Message::Release(_)) => Ok(Response::Done),
            Some(Message::Failure(failure)) => Err(error_from_failure(failure)),
            Some(
                Message::Chunk(_) | Message::Opened(_) | Message::Items(_) | Message::Credit(_),
            )
            | None => Err(malformed()),
        }
    }

    /// The handles in it, each as often as the daemon has counted it.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        match self {
            Response::Created(handle, _) => vec![handle.clone()],
            Response::Returned(value) => value.handles(),
            #[cfg(feature = "python")]
            Response::Items(batch) => batch.items.iter().flat_map(Value::handles).collect(),
            Response::Opened(_) | Response::Described(_) | Response::Done => Vec::new(),
        }
    }

    /// The handle of the object that was made, and the interpreter of a Python object.
    pub(crate) fn into_created(self) -> Result<(Handle, Option<InterpreterFacts>)> {
        match self {
            Response::Created(handle, interpreter) => Ok((handle, interpreter)),
            _ => Err(malformed()),
        }
    }

    pub(crate) fn into_description(self) -> Result<Description> {
        match self {
            Response::Described(description) => Ok(description),
            _ => Err(malformed()),
        }
    }

    /// The value, and the stream behind it if it is one.
    pub(crate) fn into_returned(self) -> Result<(Value, Option<IncomingItems>)> {
        match self {
            Response::Returned(value) => Ok((value, None)),
            Response::Opened(incoming) => Ok((Value::Stream(0), Some(incoming))),
            _ => Err(malformed()),
        }
    }
}

fn created(response: pb::CreateResponse) -> Result<Response> {
    use pb::create_response::Outcome;
    match response.outcome {
        Some(Outcome::Handle(handle)) => {
            let facts = response.interpreter.map(|interpreter| {
                let pb::Interpreter { pid, version, executable } = interpreter;
                InterpreterFacts { pid, version, executable }
            });
            Ok(Response::Created(handle_from_pb(handle, uuid::Uuid::nil())?, facts))
        }
        Some(Outcome::Exception(exception)) => Err(exception_error(*exception)?),
        None => Err(malformed()),
    }
}

fn returned(response: pb::CallResponse, depth_limit: usize) -> Result<Response> {
    use pb::call_response::Outcome;
    match response.outcome {
        Some(Outcome::Value(value)) => {
            let value = value_from_pb(value)
                .map_err(|error: Error| error.with_kind(ErrorKind::Protocol))?;
            value.check_depth(depth_limit)?;
            Ok(Response::Returned(value))
        }
        Some(Outcome::Exception(exception)) => Err(exception_error(*exception)?),
        None => Err(malformed()),
    }
}

fn exception_error(exception: pb::Exception) -> Result<Error> {
    exception_from_pb(exception).map(Error::from_exception)
}

fn malformed() -> Error {
    Error::new(ErrorKind::Protocol, "malformed response from the daemon")
}
