//! The calls of this room whose contracts the compiler does not check, as safe functions.

use std::ffi::c_int;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The default action of a signal.
const SIG_DFL: usize = 0;

/// Replaces a mask, rather than adding to it.
const SIG_SETMASK: c_int = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    3
} else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    4
} else {
    2
};

/// As large as the `sigset_t` of every C library on Linux, or larger.
#[repr(C)]
struct SignalSet([u64; 16]);

// SAFETY: the signatures are those of the C library. It reads no more of a `sigset_t`
// than `SignalSet` has, and writes none, because `old` is always `None`. Both functions
// may be called at any time, also between fork and exec, and run no code of this program.
#[allow(unsafe_code)]
unsafe extern "C" {
    safe fn signal(number: c_int, handler: usize) -> usize;
    safe fn pthread_sigmask(how: c_int, set: &SignalSet, old: Option<&mut SignalSet>) -> c_int;
}

/// Sets the signal `number` to its default action. Allocates nothing.
pub(super) fn set_default_action(number: c_int) {
    // It can only fail for signals that the C library keeps for itself.
    let _ = signal(number, SIG_DFL);
}

/// Unblocks every signal for this thread, and for those that it starts.
pub(super) fn unblock_signals() {
    // It can only fail for another `how`.
    let _ = pthread_sigmask(SIG_SETMASK, &SignalSet([0; 16]), None);
}

/// Watches a descriptor with the current runtime until it is readable.
///
/// # Errors
///
/// Those of epoll_ctl(2).
pub(super) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must be open, and stay open and the same, while the
    // `AsyncFd` lives. `OwnedFd` promises just that, its owner `Pidfd` never takes it
    // out, and the one way to get at it, `get_ref`, borrows it. tokio has no safe
    // function that takes an `OwnedFd` (tokio#8587).
    #[allow(unsafe_code)]
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}
