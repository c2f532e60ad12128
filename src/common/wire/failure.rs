//! [`Error`] to and from the failure message of a session, and to the status of a unary
//! RPC.

use std::sync::Arc;

use tonic::{Code, Status};

use crate::common::error::{Error, ErrorKind};
use crate::common::wire::death::{death_from_pb, death_to_pb};
use crate::common::wire::pb;
use crate::common::wire::pb::FailureCode;

/// The most bytes of an error's text that are sent. A status travels in HTTP/2 trailers,
/// which are limited to 16 KiB, and a failure must fit one frame of a session.
const MAX_MESSAGE: usize = 4 * 1024;

/// The kinds of error that are sent, with their codes in a session and in a unary RPC. An
/// exception is not among them, because it is a response.
const KINDS: [(ErrorKind, FailureCode, Code); 13] = [
    (ErrorKind::NoSuchMethod, FailureCode::NoSuchMethod, Code::Unimplemented),
    (ErrorKind::BadArguments, FailureCode::BadArguments, Code::InvalidArgument),
    (ErrorKind::NoSuchObject, FailureCode::NoSuchObject, Code::NotFound),
    // The object is not of the kind that was asked for, such as a value.
    (ErrorKind::WrongType, FailureCode::WrongType, Code::FailedPrecondition),
    (ErrorKind::TooLarge, FailureCode::TooLarge, Code::ResourceExhausted),
    (ErrorKind::TooDeep, FailureCode::TooDeep, Code::ResourceExhausted),
    (ErrorKind::Limit, FailureCode::Limit, Code::ResourceExhausted),
    (ErrorKind::Timeout, FailureCode::Deadline, Code::DeadlineExceeded),
    (ErrorKind::Cancelled, FailureCode::Cancelled, Code::Cancelled),
    (ErrorKind::Closed, FailureCode::Closed, Code::Unavailable),
    (ErrorKind::Protocol, FailureCode::Protocol, Code::Internal),
    // These two are about an interpreter of the daemon.
    (ErrorKind::Spawn, FailureCode::Spawn, Code::FailedPrecondition),
    (ErrorKind::Died, FailureCode::Died, Code::Unavailable),
];

pub(crate) fn failure_from_error(error: &Error) -> pb::Failure {
    let code = row(error).map_or(FailureCode::Protocol, |(_, code, _)| *code);
    let death = error.death().filter(|death| death.is_of_interpreter());
    pb::Failure { code: code.into(), message: cut(error), death: death.map(death_to_pb) }
}

pub(crate) fn error_from_failure(failure: pb::Failure) -> Error {
    let code = failure.code();
    let kind = KINDS
        .iter()
        .find(|(_, known, _)| *known == code)
        .map_or(ErrorKind::Protocol, |(kind, ..)| *kind);
    let mut message = failure.message;
    truncate(&mut message);
    let error = Error::new(kind, message);
    match failure.death {
        Some(death) => error.with_death(Arc::new(death_from_pb(death))),
        None => error,
    }
}

pub(crate) fn status_from_error(error: &Error) -> Status {
    let code = row(error).map_or(Code::Internal, |(.., code)| *code);
    Status::new(code, cut(error))
}

fn cut(error: &Error) -> String {
    let mut message = error.to_string();
    truncate(&mut message);
    message
}

fn truncate(message: &mut String) {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
}

fn row(error: &Error) -> Option<&'static (ErrorKind, FailureCode, Code)> {
    KINDS.iter().find(|(kind, ..)| *kind == error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_message_survive_the_conversion() {
        for (kind, ..) in KINDS {
            let error =
                error_from_failure(failure_from_error(&Error::new(kind, "why").advise("do this")));
            assert_eq!((error.kind(), error.to_string()), (kind, "why; do this".to_owned()));
        }
    }

    #[test]
    fn long_message_is_cut() {
        let error = Error::new(ErrorKind::BadArguments, "ü".repeat(40_000));
        let status = status_from_error(&error);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().len() <= MAX_MESSAGE);
        assert!(failure_from_error(&error).message.len() <= MAX_MESSAGE);
    }
}
