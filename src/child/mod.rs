//! The daemon's half of oad: the server, its services, the host that owns the objects,
//! and the kinds of objects.
//!
//! Nothing here imports from [`parent`](crate::parent); both wings build on
//! [`common`](crate::common). `tests/tidy.rs` checks this.

pub(crate) mod host;
pub(crate) mod object;
#[cfg(feature = "python")]
pub(crate) mod python;
pub(crate) mod server;
pub(crate) mod service;
