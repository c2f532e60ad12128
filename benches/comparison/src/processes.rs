//! Processes, and the memory that they use, as `/proc` shows them.

use std::fs;

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(children(parent));
        next += 1;
    }
    found
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else {
        return Vec::new(); // it has ended meanwhile
    };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        let listed = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    children
}

/// Whether a process is running, or ended and not reaped.
pub(crate) fn exists(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

/// The memory of these processes, in bytes: what they share counts in proportion.
pub(crate) fn pss(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| field(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum()
}

/// The sum of the peaks of these processes since the last reset, in bytes. What they
/// share counts for each, and their peaks may have been at different times.
pub(crate) fn peak(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| field(&format!("/proc/{pid}/status"), "VmHWM:")).sum()
}

/// Makes what these processes use now their peak.
pub(crate) fn reset_peak(pids: &[u32]) {
    for pid in pids {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
    }
}

/// A field of such a file, which has the form `name: 12 kB`.
fn field(file: &str, name: &str) -> f64 {
    let text = fs::read_to_string(file).expect("the process is ours");
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: f64 = value.and_then(|value| value.parse().ok()).expect("it has this field");
    kilobytes * 1024.0
}
