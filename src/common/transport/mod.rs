//! Where a daemon listens, and the one connection its parent makes to it.
//!
//! The only place, with `process`, that touches sockets; what is Linux-only about them is
//! here. Deliberately absent: HTTP/2 and gRPC, which tonic speaks over the streams made
//! here.

mod connect;
mod directory;
mod endpoint;
mod listen;
mod stream;
mod token;

pub(crate) use connect::connect;
pub(crate) use directory::{Directory, Lock, remove_directory};
pub use endpoint::Endpoint;
pub(crate) use listen::{BoundListener, IncomingConnections, Traffic, listen};
pub(crate) use stream::IoStream;
pub(crate) use token::Token;
