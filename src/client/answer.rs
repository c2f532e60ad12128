//! What comes back for an operation.

use crate::client::Description;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::Incoming;
use crate::value::{Handle, Value};
use crate::wire::pb::session_response::Result as Message;
use crate::wire::{error_from_failure, exception_from_pb, handle_from_pb, pb, value_from_pb};

/// What comes back for an operation that was carried out.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An object was made.
    Created(Handle),
    /// A method returned a value.
    Returned(Value),
    /// A method returned a stream.
    Opened(Incoming),
    /// What an object can do.
    Described(Description),
    /// There is nothing more to tell.
    Done,
}

impl Answer {
    /// # Errors
    ///
    /// The exception or the failure that the message carries, [`ErrorKind::TooDeep`] for a value deeper than the limit, or [`ErrorKind::Protocol`] if
    /// it makes no sense.
    pub(super) fn from_pb(message: Option<Message>, depth_limit: usize) -> Result<Self> {
        use pb::{call_response, create_response};
        match message {
            Some(Message::Create(response)) => match response.outcome {
                Some(create_response::Outcome::Handle(handle)) => {
                    Ok(Answer::Created(handle_from_pb(handle, uuid::Uuid::nil())?))
                }
                Some(create_response::Outcome::Exception(exception)) => Err(raised(exception)?),
                None => Err(senseless()),
            },
            Some(Message::Call(response)) => match response.outcome {
                Some(call_response::Outcome::Value(value)) => {
                    let wrong = |error: Error| error.with_kind(ErrorKind::Protocol);
                    let value = value_from_pb(value).map_err(wrong)?;
                    value.check_depth(depth_limit)?;
                    Ok(Answer::Returned(value))
                }
                Some(call_response::Outcome::Exception(exception)) => Err(raised(exception)?),
                None => Err(senseless()),
            },
            Some(Message::Describe(response)) => Ok(Answer::Described(Description::from_pb(response))),
            Some(Message::Release(_)) => Ok(Answer::Done),
            Some(Message::Failure(failure)) => Err(error_from_failure(failure)),
            Some(Message::Chunk(_) | Message::Opened(_) | Message::Items(_) | Message::Credit(_)) | None => {
                Err(senseless())
            }
        }
    }

    /// The handles in it, each as often as it was given.
    pub(super) fn handles(&self) -> Vec<Handle> {
        match self {
            Answer::Created(handle) => vec![handle.clone()],
            Answer::Returned(value) => value.handles(),
            Answer::Opened(_) | Answer::Described(_) | Answer::Done => Vec::new(),
        }
    }

    pub(crate) fn into_handle(self) -> Result<Handle> {
        match self {
            Answer::Created(handle) => Ok(handle),
            _ => Err(senseless()),
        }
    }

    pub(crate) fn into_description(self) -> Result<Description> {
        match self {
            Answer::Described(description) => Ok(description),
            _ => Err(senseless()),
        }
    }

    /// The value, and the stream that it stands for if it is one.
    pub(crate) fn into_returned(self) -> Result<(Value, Option<Incoming>)> {
        match self {
            Answer::Returned(value) => Ok((value, None)),
            Answer::Opened(incoming) => Ok((Value::Stream(0), Some(incoming))),
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
