//! The owner's lane: the messages of a session with their length in front, and no HTTP/2.
//!
//! The parent opens it as a second connection to the daemon's endpoint, with a preface of
//! its own; everybody else speaks gRPC there. The messages, and what they mean, are those
//! of the `Session` RPC. What HTTP/2 and its tasks cost is not in its code but in the
//! threads that have to be woken for each message: on the lane, whoever sends a message
//! writes it himself, and whoever reads one is the one who acts on it.
//!
//! The bytes of large messages are written from where they lie, and read straight into
//! the message that they become a part of.

mod chunk_head;
mod frame;
mod reader;
mod writer;

pub(crate) use frame::{FrameBuffer, MAX_FRAME_OVERHEAD};
pub(crate) use reader::LaneReader;
pub(crate) use writer::LaneWriter;
