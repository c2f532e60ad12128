//! What runs in the daemon's process: the server, its services, the host that owns the
//! objects, and the kinds of object there are.
//!
//! Nothing here may import from [`parent`](crate::parent). Both wings stand on
//! [`common`](crate::common); `tests/tidy.rs` checks this.

pub(crate) mod host;
pub(crate) mod object;
#[cfg(feature = "python")]
pub(crate) mod python;
pub(crate) mod server;
pub(crate) mod service;
