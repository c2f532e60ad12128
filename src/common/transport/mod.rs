//! How a daemon listens, and how its parent connects to it once.
//!
//! Only this module and `process` use sockets; everything about them that is Linux-only
//! is here. Deliberately absent: HTTP/2 and gRPC, which tonic speaks over the streams of
//! this module.

mod admission;
mod connect;
mod connection;
mod descriptors;
mod directory;
mod directory_lock;
mod endpoint;
mod frame_budget;
mod lane_preface;
mod lane_socket;
mod listen;
mod memory;
mod read_turns;
mod socket_writer;
mod stream;
mod sweep;
mod token;
mod traffic;

pub(crate) use connect::connect;
pub(crate) use connection::Peer;
#[cfg_attr(not(feature = "python"), allow(unused_imports))]
pub(crate) use descriptors::{DescriptorReader, send_descriptors, send_with};
pub(crate) use directory::Directory;
pub(crate) use directory_lock::Lock;
pub use endpoint::Endpoint;
pub(crate) use frame_budget::MAX_METADATA;
pub(crate) use lane_preface::send_preface;
pub(crate) use lane_socket::LaneSocket;
pub(crate) use listen::{BoundListener, IncomingConnections, LaneConnection, LaneOwner, listen};
pub(crate) use memory::{ClientMemory, HeldMemory, MemoryBudget};
pub(crate) use read_turns::ReadTurns;
pub(crate) use socket_writer::SocketWriter;
pub(crate) use stream::IoStream;
pub(crate) use token::Token;
pub(crate) use traffic::Traffic;
