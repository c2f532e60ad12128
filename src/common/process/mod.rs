//! Processes: the only place that starts, watches and ends them.
//!
//! On the parent's side, [`Child`] is a daemon's process from its start to its reaping;
//! on the daemon's side, [`inherited_lifeline`] tells a daemon from an ordinary program,
//! `constructors` lets one serve before `main`, and [`descendants`] ends the processes
//! that a daemon leaves behind. Everything about processes that is Linux-only is here.
//! Deliberately absent: the frames on the lifeline (handshake), and the object.

mod child;
mod constructors;
mod descendants;
mod events;
mod inherited_lifeline;
#[cfg(feature = "python")]
mod interpreter;
mod keeper;
mod last_output;
mod marker;
mod object_file;
mod output;
mod output_prefix;
mod parent;
mod pid_namespace;
mod pidfd;
mod process_table;
mod program;
mod role;
#[cfg(feature = "python")]
mod search_path;
mod signals;
mod unchecked;
mod wrappers;

pub(crate) use child::{Child, Exit, Leftovers, children_gone};
pub(crate) use constructors::LaterConstructors;
pub use constructors::{Constructor, ConstructorArguments};
pub(crate) use descendants::kill_descendants;
pub(crate) use events::EventSink;
pub(crate) use inherited_lifeline::{
    FailureChannel, InheritedLifeline, inherited_lifeline, silence,
};
#[cfg(feature = "python")]
pub(crate) use interpreter::InterpreterProcess;
pub(crate) use keeper::{connection_runtime, keeper};
pub(crate) use parent::Parent;
pub(crate) use pid_namespace::{find_in_namespace, own_pid_namespace};
pub use program::TestDaemon;
pub(crate) use program::{Program, note_initialized};
pub(crate) use role::is_started_as_daemon;
#[cfg(feature = "python")]
pub(crate) use search_path::find_on_path;

use rustix::process::Signal;

/// Ends this process at once, whatever its other threads do. `std::process::exit` runs
/// handlers that may hang.
pub(crate) fn kill_self() -> ! {
    // It can only fail for a signal that does not exist.
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    // The first process of a PID namespace is still there: the kernel shields it from
    // signals of its own namespace, but not from the instruction with which this ends.
    std::process::abort()
}
