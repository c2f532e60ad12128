//! What a process does about signals when it starts.
//!
//! A program inherits which signals are ignored, and which are blocked, from the one that
//! starts it: `nohup` ignores SIGHUP, a shell's background job SIGINT, some servers
//! SIGCHLD, and a program that waits with `sigwait` blocks what it waits for. A daemon
//! whose parent blocks SIGTERM would be deaf to it, and a child of an object whose
//! parent ignores SIGCHLD would have no exit status.

use std::ffi::c_int;
use std::fs;

use crate::common::process::unchecked::{set_default_action, unblock_signals};

/// The one that the Rust runtime ignores in every program, and the standard library sets
/// to its default in every program that it starts.
const SIGPIPE: c_int = 13;

/// The signals that a process ignores, each as a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IgnoredSignals(u64);

/// Gives this process the defaults of signals, and this thread an empty mask, whatever
/// they were started with. Handlers stay, and so does SIGPIPE as Rust sets it: ignored.
///
/// For a daemon, before it starts its threads.
pub(super) fn reset_inherited_signals() {
    IgnoredSignals::of_this_process().reset();
    unblock_signals();
}

impl IgnoredSignals {
    /// Those of this process but SIGPIPE; none without `/proc`.
    pub(super) fn of_this_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        IgnoredSignals(mask.unwrap_or(0) & !bit(SIGPIPE))
    }

    /// Sets them to their defaults. Allocates nothing, so that it can be called between
    /// fork and exec.
    pub(super) fn reset(self) {
        for number in (1..=64).filter(|number| self.0 & bit(*number) != 0) {
            set_default_action(number);
        }
    }
}

fn bit(number: c_int) -> u64 {
    1 << (number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rust ignores it in every program. That others are found and reset is shown by a
    /// daemon, in `tests/surroundings.rs`.
    #[test]
    fn sigpipe_is_not_among_the_signals_to_reset() {
        assert_eq!(IgnoredSignals::of_this_process().0 & bit(SIGPIPE), 0);
    }
}
