//! Python objects: an interpreter below the daemon, any of them, with nothing installed
//! there.
//!
//! [`pick_interpreter`] finds the interpreter, [`start`] starts it and sends it the
//! agent, [`interpreter`] carries requests, [`pending_request`] waits for their answers,
//! [`object`] is what the host holds of an object there. To the rest it is one more kind
//! of [`Hosted`](crate::child::object::Hosted). Deliberately absent: any knowledge of
//! sessions and messages; and any Python but that of [`agent`].

mod agent;
mod answer;
mod answer_fields;
mod exception;
mod executable;
mod frame_reader;
mod frame_writer;
mod interpreter;
mod iteration;
mod make;
mod marshal;
mod object;
mod pending_request;
mod pick_interpreter;
mod running_interpreters;
mod start;

pub(crate) use make::make;

use crate::common::error::{Error, ErrorKind};

/// For an answer that names an object where none can be.
fn nothing() -> Error {
    Error::new(ErrorKind::Protocol, "there is no object here")
}
