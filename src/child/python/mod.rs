//! Python objects: they live in an interpreter below the daemon, any interpreter, with
//! nothing installed there.
//!
//! [`make`] makes an object: [`pick_interpreter`] finds the program, [`start`] starts it
//! and sends it the [`agent`]. A call goes one way: [`calls`] and [`iteration`] build a
//! request, [`object`] replaces the handles in it, [`interpreter`] sends it,
//! [`pending_request`] waits, and [`answer`] reads the result. To the host it is one more
//! kind of [`Hosted`](crate::child::object::Hosted). The parent has a door of its own to
//! the interpreter, which [`doors`] passes to it. Deliberately absent: any knowledge of
//! sessions and messages; and any Python but that of [`agent`].

mod agent;
mod answer;
mod calls;
mod doors;
mod executable;
mod interpreter;
mod interpreter_ends;
mod iteration;
mod make;
mod object;
mod pending_request;
mod pick_interpreter;
mod running_interpreters;
mod start;

pub(crate) use doors::{
    Python, begin, close_door, close_doors, interpreter_ends, keep_given_agent, kill_interpreter,
    open_door, tell_owner,
};
pub(crate) use interpreter::OwnerMessage;
