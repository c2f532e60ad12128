//! Where a daemon listens, and the one connection its parent makes to it.
//!
//! The only place, with `process`, that touches sockets; what is Linux-only about them is here. Deliberately absent: HTTP/2
//! and gRPC, which tonic speaks over the streams made here.

mod connect;
mod directory;
mod endpoint;
mod listen;

pub(crate) use connect::connect;
pub(crate) use directory::{Directory, Lock};
pub(crate) use endpoint::Endpoint;
pub(crate) use listen::{Traffic, listen};
