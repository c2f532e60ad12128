//! Python objects: an interpreter below the daemon, any of them, with nothing installed there.
//!
//! [`choose`] finds the interpreter, [`start`] starts it and sends it the agent, [`interpreter`] carries requests, [`waiting`] waits for their answers,
//! [`object`] is what the host holds of an object there. To the rest it is one more kind of [`Hosted`](crate::object::Hosted). Deliberately absent: any knowledge of sessions and messages; and any Python but `agent.py`.

mod answer;
mod choose;
mod exception;
mod executable;
mod fields;
mod incoming;
mod interpreter;
mod iteration;
mod make;
mod marshal;
mod object;
mod outgoing;
mod start;
mod waiting;

pub(crate) use make::make;

use crate::error::{Error, ErrorKind};

/// For an answer that names an object where none can be.
fn nothing() -> Error {
    Error::new(ErrorKind::Protocol, "there is no object here")
}

/// What the interpreter is started with.
const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// What it is sent then.
const AGENT: &str = include_str!("agent.py");
