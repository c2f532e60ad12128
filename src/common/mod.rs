//! What both processes need: values, errors, streams, definitions, the wire format,
//! sockets and processes.
//!
//! Nothing here may import from [`parent`](crate::parent) or [`child`](crate::child);
//! `tests/tidy.rs` checks this.

#[cfg(feature = "python")]
pub(crate) mod agent;
pub(crate) mod buffer_pool;
pub(crate) mod definition;
pub(crate) mod error;
pub(crate) mod handshake;
pub(crate) mod lane;
pub(crate) mod park;
pub(crate) mod process;
pub(crate) mod scoped;
pub(crate) mod stream;
pub(crate) mod threads;
pub(crate) mod transport;
pub mod value;
pub(crate) mod wire;
