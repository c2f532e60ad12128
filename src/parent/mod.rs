//! What runs in the parent: the proxy in the caller's hand, the life of its daemon, and
//! the client that carries calls there.
//!
//! Nothing here may import from [`child`](crate::child). Both wings stand on
//! [`common`](crate::common); `tests/tidy.rs` checks this.

pub(crate) mod client;
pub(crate) mod daemon;
#[cfg(feature = "python")]
pub(crate) mod door;
pub(crate) mod proxy;
#[cfg(feature = "stubgen")]
pub mod stubgen;
