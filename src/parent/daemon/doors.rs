//! The doors to a daemon's interpreters: asked for on the lifeline, opened when their
//! sockets arrive, closed when the interpreter ends.
//!
//! While the parent uses an interpreter, the daemon holds it. It is told of the first use
//! and of the last, in the order in which they happen.

#[cfg(not(feature = "python"))]
mod absent;
#[cfg(feature = "python")]
mod registry;

/// The doors to a daemon's interpreters. Cheap to clone.
///
/// Without the feature `python` no value of this type exists.
#[derive(Clone)]
pub(super) struct Doors(
    #[cfg(feature = "python")] std::sync::Arc<registry::DoorsShared>,
    #[cfg(not(feature = "python"))] std::convert::Infallible,
);
