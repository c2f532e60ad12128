//! Python objects: they live in an interpreter below the daemon, any interpreter, with
//! nothing installed there.
//!
//! [`make`] makes an object: [`pick_interpreter`] finds the program, [`start`] starts it
//! and sends it the [`agent`]. A call goes one way: [`calls`] and [`iteration`] build a
//! [`request`], [`object`] replaces the handles in it, [`interpreter`] sends it,
//! [`pending_request`] waits, and [`answer`] reads the result. To the host it is one
//! more kind of [`Hosted`](crate::child::object::Hosted). Deliberately absent: any
//! knowledge of sessions and messages; and any Python but that of [`agent`].

mod agent;
mod answer;
mod calls;
mod executable;
mod frames;
mod interpreter;
mod iteration;
mod make;
mod marshal;
mod object;
mod pending_request;
mod pick_interpreter;
mod request;
mod running_interpreters;
mod start;

pub(crate) use make::make;
