//! PID namespaces: the same process has another pid in each.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use uuid::Uuid;

use crate::common::process::descendants::marked;
use crate::common::process::marker::Marker;

/// The identity of this process's PID namespace; `None` without `/proc`.
pub(crate) fn own_pid_namespace() -> Option<u64> {
    namespace_of("self")
}

/// The pid in this namespace of a daemon of this process that has `pid` in `namespace`.
/// It reads much of `/proc`. `None` if no process with the daemon's marker is the one.
pub(crate) fn find_in_namespace(daemon: Uuid, pid: u32, namespace: u64) -> Option<u32> {
    let processes = marked(Marker::of_daemon(daemon)).into_iter();
    let mut pids = processes.map(|process| process.pid.to_string());
    pids.find(|found| namespace_of(found) == Some(namespace) && innermost_pid(found) == Some(pid))
        .and_then(|found| found.parse().ok())
}

fn namespace_of(process: &str) -> Option<u64> {
    Some(fs::metadata(format!("/proc/{process}/ns/pid")).ok()?.ino())
}

/// The pid of a process in its own namespace, the last that proc_pid_status(5) lists.
fn innermost_pid(process: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_ascii_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_namespace_and_its_pid_there() {
        assert!(own_pid_namespace().is_some());
        assert_eq!(innermost_pid("self"), Some(std::process::id()));
    }
}
