//! Processes that an object has started, found in `/proc` and ended.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, child_subreaper,
    kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};

use crate::common::process::marker::Marker;
use crate::common::process::pidfd::{EXITED, becomes};
use crate::common::process::process_table::{Process, all, stat, tree};

/// How long ending them may take. They are killed, so only a process that forks faster
/// than it is found could outlast this.
const LIMIT: Duration = Duration::from_millis(300);

/// Kills every descendant of this process and reaps those that are its children.
///
/// Only for a process that is about to end: it also reaps children whose exit status some
/// other part of the process may want.
pub(crate) fn kill_descendants() {
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let reap = || while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {};
    let find = || {
        reap();
        descendants(this, &tree(this).unwrap_or_else(all))
    };
    repeat(find, kill);
    // One may have become a zombie between the last reaping and the look that found
    // nothing.
    reap();
}

/// Kills every process that has `marker` in its environment: those that a daemon left
/// behind when it died.
pub(super) fn kill_marked(marker: Marker) {
    let mut killed = Vec::new();
    repeat(|| marked_below(marker), |process| killed.extend(signal(process, Signal::KILL)));
    // They are children of this process only if it adopts orphans.
    if adopts_orphans() {
        reap(killed);
    }
}

/// Whether orphans below this process become its children, because it is the first of its
/// PID namespace, as in a container without an init, or a subreaper. Nobody else reaps
/// them then.
pub(super) fn adopts_orphans() -> bool {
    let is_first = rustix::process::getpid().is_init();
    is_first || rustix::process::child_subreaper().is_ok_and(|reaper| reaper.is_some())
}

/// A process that this process may have to reap although it has not started it. While it
/// is a zombie, nothing else has its number.
#[derive(Debug)]
pub(super) struct AdoptedProcess {
    pid: Pid,
    pidfd: OwnedFd,
}

impl AdoptedProcess {
    /// `None` if there is no such process, or no descriptor is left.
    pub(super) fn new(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        Some(AdoptedProcess { pid, pidfd })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether the process has been reaped.
    pub(super) fn is_gone(&self) -> bool {
        // The signal 0 is not sent, but the process is looked for.
        rustix::process::test_kill_process(self.pid) == Err(rustix::io::Errno::SRCH)
    }
}

/// Reaps the dead process `leader`, after the other dead processes of its group that have
/// become children of this process. While the leader is a zombie its number cannot be
/// another group's.
pub(super) fn reap_adopted_group(leader: &AdoptedProcess) {
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let pid = leader.pid();
    let limit = Instant::now() + LIMIT;
    if !becomes(&leader.pidfd, EXITED, limit) {
        return;
    }
    // If it is another's child, so is its group, as far as anybody knows.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if waitid(WaitId::PidFd(leader.pidfd.as_fd()), options).is_err() {
        return;
    }
    let find = || {
        let mut found = all();
        found.retain(|one| one.group == pid && one.parent == this && one.pid != pid);
        found
    };
    // A killed one may still be ending.
    repeat(find, |process| {
        let pidfd = Pid::from_raw(process.pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        if let Some(Ok(pidfd)) = pidfd {
            let _ =
                waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    });
    reap([leader.pidfd.as_fd()]);
}

/// Waits for the end of killed processes, and reaps those that are children of this one.
fn reap(killed: impl IntoIterator<Item: AsFd>) {
    let limit = Instant::now() + LIMIT;
    let killed: Vec<_> = killed.into_iter().collect();
    // The parent of one may be another.
    for pidfd in &killed {
        becomes(pidfd.as_fd(), EXITED, limit);
    }
    for pidfd in &killed {
        // It may be a child of another process.
        let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Ends what an interpreter that has exited has left behind: the rest of its process
/// group, and the processes that have `marker`. Reaps it, and those of them that have
/// become children of this process, because nothing else waits for them.
///
/// A process that has left the group and does not have the marker, because it was started
/// with another environment, stays until the daemon ends.
pub(super) fn end_remains(interpreter: Pid, marker: Marker) {
    // It may be empty but for the interpreter, which still holds the number.
    let _ = kill_process_group(interpreter, Signal::KILL);
    let mut killed = Vec::new();
    repeat(|| marked_below(marker), |process| killed.extend(signal(process, Signal::KILL)));
    let limit = Instant::now() + LIMIT;
    reap(killed);
    // The interpreter is of its group as well. Those that are still there hold the
    // number.
    while let Ok(reaped) =
        waitid(WaitId::Pgid(Some(interpreter)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    {
        match reaped {
            None if Instant::now() > limit => return,
            None => std::thread::sleep(Duration::from_millis(1)),
            Some(_) => {}
        }
    }
}

/// Asks every other process that has `marker` to end, and kills those that have not after
/// `patience`.
pub(super) fn end_marked(marker: Marker, patience: Duration) {
    let this = rustix::process::getpid().as_raw_nonzero().get();
    let others =
        || marked(marker).into_iter().filter(|process| process.pid != this).collect::<Vec<_>>();
    let asked: Vec<OwnedFd> =
        others().into_iter().filter_map(|process| signal(process, Signal::TERM)).collect();
    let end = Instant::now() + patience;
    for pidfd in asked {
        becomes(&pidfd, EXITED, end);
    }
    repeat(others, kill);
}

/// Calls `kill` on what `find` returns until it finds nothing more.
fn repeat(mut find: impl FnMut() -> Vec<Process>, mut kill: impl FnMut(Process)) {
    let limit = Instant::now() + LIMIT;
    loop {
        let mut found = find();
        if found.is_empty() {
            // An orphan may have passed to another parent, one that had been looked at.
            found = find();
        }
        if found.is_empty() || Instant::now() > limit {
            return;
        }
        found.into_iter().for_each(&mut kill);
        // The kernel needs a moment to end them, and does not report the end of processes
        // that are not children.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn kill(process: Process) {
    // It may have ended already.
    let _ = signal(process, Signal::KILL);
}

/// Sends a signal, and returns a descriptor that becomes readable when the process ends;
/// `None` if it has ended already.
fn signal(process: Process, signal: Signal) -> Option<OwnedFd> {
    // The pidfd holds on to the process; if it is still the one that was found, the
    // signal cannot hit another.
    let pidfd = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
    stat(process.pid).filter(|now| now.started == process.started)?;
    pidfd_send_signal(&pidfd, signal).ok()?;
    Some(pidfd)
}

/// The descendants that have not ended yet, or that `root` has to reap.
fn descendants(root: i32, all: &[Process]) -> Vec<Process> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut seen = HashSet::from([root]);
    let mut ahead = vec![root];
    let mut found = Vec::new();
    while let Some(parent) = ahead.pop() {
        for child in
            children.get(&parent).into_iter().flatten().filter(|child| seen.insert(child.pid))
        {
            ahead.push(child.pid);
            // A child of its own shows as a zombie, and cannot be reaped, while threads
            // of it are still ending.
            found.extend((!child.zombie || child.parent == root).then_some(*child));
        }
    }
    found
}

/// The processes that have `marker` in their environment, those above this one included.
pub(super) fn marked(marker: Marker) -> Vec<Process> {
    with_marker(all(), marker)
}

/// As [`marked`], of the processes that one with `marker` that this process has started
/// may have left behind.
fn marked_below(marker: Marker) -> Vec<Process> {
    // What a subreaper's descendants leave behind stays below it, however many other
    // processes there are.
    let is_subreaper = matches!(child_subreaper(), Ok(Some(_)));
    let this = rustix::process::getpid().as_raw_nonzero().get();
    with_marker(is_subreaper.then(|| tree(this)).flatten().unwrap_or_else(all), marker)
}

fn with_marker(mut processes: Vec<Process>, marker: Marker) -> Vec<Process> {
    processes.retain(|process| !process.zombie && marker.is_on(process.pid));
    processes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_at_any_distance() {
        let process = |pid, parent, zombie| Process { pid, parent, group: pid, started: 0, zombie };
        let all =
            [process(2, 1, false), process(3, 2, true), process(4, 3, false), process(5, 9, false)];
        let pids: Vec<i32> = descendants(1, &all).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [2, 4]);
    }

    #[test]
    fn zombie_is_there_until_its_own_parent_has_reaped_it() {
        let process = |pid, parent| Process { pid, parent, group: pid, started: 0, zombie: true };
        let processes = [process(2, 1), process(3, 2)];
        let pids = |root| {
            descendants(root, &processes).iter().map(|process| process.pid).collect::<Vec<_>>()
        };
        assert_eq!([pids(1), pids(2)], [[2], [3]]);
    }
}
