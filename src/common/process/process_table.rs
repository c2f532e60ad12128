//! Processes as `/proc` shows them.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

/// A process as `/proc/<pid>/stat` shows it. The start time tells it from a later one of
/// the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) started: u64,
    pub(super) zombie: bool,
}

/// Every process that this one may see; none if [`is_foreign`].
pub(super) fn all() -> Vec<Process> {
    if is_foreign() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .collect()
}

pub(super) fn stat(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(pid, &String::from_utf8_lossy(&stat))
}

/// Fields 3 (state), 4 (parent), 5 (process group) and 22 (start time) of
/// proc_pid_stat(5); the second is the name, which may hold anything.
fn parse_stat(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Process { pid, parent, group, started, zombie: matches!(state, "Z" | "X") })
}

/// The descendants of a process, in the time that their own number takes; `None` if the
/// kernel does not list the children of a process.
///
/// A child that ends while the list is read may hide others, but not the first one. So
/// an empty tree is empty indeed.
pub(super) fn tree(root: i32) -> Option<Vec<Process>> {
    if is_foreign() {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let mut ahead = children(root)?;
    while let Some(pid) = ahead.pop() {
        // One that has ended meanwhile has no children any more.
        ahead.extend(children(pid).unwrap_or_default());
        found.extend(stat(pid));
    }
    Some(found)
}

/// Whether `/proc` is not that of this process's own PID namespace. Its numbers would be
/// those of other processes here.
fn is_foreign() -> bool {
    let this = rustix::process::getpid().as_raw_nonzero().to_string();
    fs::read_link("/proc/self").ok().as_deref() != Some(Path::new(&this))
}

/// The children of a process; `None` if they cannot be read. See `children` in
/// proc_pid_task(5); each thread has its own.
///
/// When a thread ends, its children become those of another thread, which may have been
/// looked at already. Then all are looked at again.
fn children(pid: i32) -> Option<Vec<i32>> {
    let mut children = HashSet::new();
    let mut is_known = false;
    let mut before = threads(pid)?;
    for _ in 0..MAX_LOOKS {
        for thread in &before {
            let list = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"));
            let Ok(list) = list else { continue };
            is_known = true;
            children
                .extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        let after = threads(pid).unwrap_or_default();
        if after == before {
            break;
        }
        before = after;
    }
    is_known.then(|| children.into_iter().collect())
}

/// How often the threads of a process are looked at, if some start and end all the time.
const MAX_LOOKS: usize = 10;

fn threads(pid: i32) -> Option<BTreeSet<i32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    Some(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    fn stat_is_read_past_any_name() {
        let stat = "42 (a) S (b) ) Z 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99887 1 2";
        assert_eq!(
            parse_stat(42, stat),
            Some(Process { pid: 42, parent: 7, group: 42, started: 99887, zombie: true })
        );
    }

    #[test]
    fn this_process_is_found() {
        let this = rustix::process::getpid().as_raw_nonzero().get();
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        assert!(
            all()
                .iter()
                .any(|process| process.pid == this && process.parent == parent && !process.zombie)
        );
    }

    #[test]
    fn descendants_at_any_distance_are_in_the_tree() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "sh -c 'sleep 60 & echo; wait' & wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let mut output = shell.stdout.take().expect("its stdout is piped");
        output.read_exact(&mut [0]).expect("both have begun");
        let pid = i32::try_from(shell.id()).expect("it is a pid");
        let Some(found) = tree(pid) else {
            shell.kill().expect("it has not ended");
            shell.wait().expect("it is a child of this process");
            assert!(std::env::var_os("CI").is_none(), "this kernel lists no children");
            return eprintln!("SKIPPED: this kernel lists no children");
        };
        let pids = |processes: &[Process]| processes.iter().map(|one| one.pid).collect::<Vec<_>>();
        let [child] =
            pids(&found.iter().copied().filter(|one| one.parent == pid).collect::<Vec<_>>())[..]
        else {
            panic!("the shell has one child: {found:?}");
        };
        assert!(found.iter().any(|one| one.parent == child), "{found:?}");
        assert!(pids(&tree(std::process::id() as i32).expect("as above")).contains(&child));
        for one in found {
            let pid = Pid::from_raw(one.pid).expect("it is a pid");
            kill_process(pid, Signal::KILL).expect("it has not ended");
        }
        shell.wait().expect("it is a child of this process");
    }
}
