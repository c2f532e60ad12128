//! What both ends of a door to an interpreter need: frames on a socket, values to and
//! from `marshal`, requests and answers.
//!
//! The agent is the program in the interpreter. It has two doors: one for its daemon, and
//! one that the daemon passes to its parent. The same frames go through both.
//! Deliberately absent: who waits for an answer, and which process or object stands
//! behind a number; those differ between the daemon and the parent.

mod answer;
mod compiled_agent;
mod death;
mod frame;
mod frame_reader;
mod frame_writer;
mod marshal;
mod object_id;
mod request;
mod request_frame;
mod stuck;

pub(crate) use answer::{
    NOT_ASKED, description, is_begun, is_interruption, item_value, items, malformed, outcome,
    reported,
};
pub(crate) use compiled_agent::{CompiledAgent, keep_agent, kept_agent, kept_agents};
pub(crate) use death::{interpreter_died, last_words};
pub(crate) use frame::Frame;
pub(crate) use frame_reader::FrameReader;
pub(crate) use frame_writer::FrameWriter;
pub(crate) use marshal::{AgentFrame, AgentHandle, Item, encode, no_handles};
pub(crate) use object_id::ObjectId;
pub(crate) use request::{AgentRequest, BATCH, itself, makes_items, number_of};
pub(crate) use stuck::{INTERRUPTED_ADVICE, Interruptible, NOT_STARTED_ADVICE, watch_stuck};
