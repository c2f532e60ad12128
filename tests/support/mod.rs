//! Shared by the test binaries: inspecting processes from outside, bounded waits, and a
//! parent process that can be killed.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::zombie_processes, reason = "it is for tests")]
#![allow(unreachable_pub, reason = "a support module is private to each test binary")]

pub mod absent;
pub mod grpcurl;
pub mod lab;
pub mod log_capture;
#[cfg(feature = "python")]
pub mod python;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Polls until `test` is true. The limit is generous for a loaded machine.
pub async fn until(mut test: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !test().await {
        assert!(Instant::now() < end, "timed out waiting for a condition");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The environment variable that marks every process a test has started, directly or not.
const TAG: &str = "OAD_TEST_RUN";

/// The role of a test binary that was started again.
pub const PART: &str = "OAD_TEST_PART";

/// The test binary, started again as a parent of its own daemons, with its own runtime
/// directory.
pub struct Parent {
    pub process: Child,
    output: BufReader<ChildStdout>,
    tag: String,
    runtime_dir: tempfile::TempDir,
}

impl Parent {
    /// Runs the test `name` of this binary in another process, with the role `part`.
    pub fn start(name: &str, part: &str) -> Self {
        let tag = uuid::Uuid::new_v4().to_string();
        let runtime_dir = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir()
            .expect("the temporary directory can be written to");
        let mut process = Command::new(std::env::current_exe().expect("the test has a path"))
            .args([name, "--exact", "--nocapture"])
            .env(PART, part)
            .env(TAG, &tag)
            .env("XDG_RUNTIME_DIR", runtime_dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary can be started again");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        Parent { process, output, tag, runtime_dir }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Returns the words of the next line that the process prints after `say:`.
    pub fn hear(&mut self) -> Vec<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("its output can be read") > 0 {
            if let Some((_, words)) = line.split_once("say:") {
                return words.split_whitespace().map(str::to_owned).collect();
            }
            line.clear();
        }
        panic!("the parent exited without printing a line: {:?}", self.process.wait());
    }

    /// Returns the number on the next line.
    pub fn hear_number<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.hear()[0].parse().expect("it is a number")
    }

    /// Returns every running process that this parent has started, and itself.
    pub fn census(&self) -> Vec<(u32, String)> {
        let wanted = format!("{TAG}={}", self.tag);
        let tagged = |pid: &u32| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
            })
        };
        let command = |pid: u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, String::from_utf8_lossy(&command).replace('\0', " "))
        };
        pids().filter(tagged).map(command).collect()
    }

    /// Returns the contents of its runtime directory.
    pub fn directories(&self) -> Vec<PathBuf> {
        entries(self.runtime_dir.path())
    }

    /// Kills the parent, but not its children.
    pub fn kill(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it is ours");
    }

    /// Waits until the parent is the only process left.
    pub fn wait_until_gone_but_itself(&self, limit: Duration) {
        wait_until(limit, || match (self.census(), self.directories()) {
            (processes, directories) if processes.len() == 1 && directories.is_empty() => Ok(()),
            left => Err(format!("left: {left:?}")),
        });
    }

    /// Waits until no process is left, and returns how long that took.
    pub fn wait_until_nothing_is_left(&self, limit: Duration) -> Duration {
        let start = Instant::now();
        wait_until(limit, || match (self.census(), self.directories()) {
            (processes, directories) if processes.is_empty() && directories.is_empty() => Ok(()),
            left => Err(format!("left: {left:?}")),
        });
        start.elapsed()
    }
}

/// A test that fails halfway must not leave processes either.
impl Drop for Parent {
    fn drop(&mut self) {
        for (pid, _) in self.census() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        let _ = self.process.wait();
    }
}

/// Prints a line for [`Parent::hear`].
pub fn say(words: impl std::fmt::Display) {
    // libtest may have printed the beginning of the line already.
    println!("\nsay: {words}");
}

/// Polls until `test` succeeds. The kernel offers no notification for processes that are
/// not children.
#[track_caller]
pub fn wait_until(limit: Duration, mut test: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + limit;
    loop {
        match test() {
            Ok(()) => return,
            Err(why) if Instant::now() > end => panic!("timed out after {limit:?}: {why}"),
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Waits until a process is neither running nor a zombie. The zombie of an orphan is left
/// to process 1, which does not reap in some containers.
#[track_caller]
pub fn wait_until_gone(pid: u32, limit: Duration) {
    wait_until(limit, || match state(pid) {
        None => Ok(()),
        Some('Z') if children(1).contains(&pid) => Ok(()),
        Some(state) => Err(format!("process {pid} still exists, in state {state}")),
    });
}

pub fn pids() -> impl Iterator<Item = u32> {
    entries(Path::new("/proc"))
        .into_iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
}

/// Returns the state of a process as in `/proc`: R, S, T (stopped), Z (zombie) …
pub fn state(pid: u32) -> Option<char> {
    stat(pid).and_then(|fields| fields.first()?.chars().next())
}

/// Returns the children of a process, including zombies.
pub fn children(parent: u32) -> Vec<u32> {
    let is_child =
        |pid: &u32| stat(*pid).is_some_and(|fields| fields.get(1) == Some(&parent.to_string()));
    pids().filter(is_child).collect()
}

/// Returns how many descriptors, threads and sockets a process has.
pub fn holdings(pid: u32) -> (usize, usize, usize) {
    let fds = entries(&PathBuf::from(format!("/proc/{pid}/fd")));
    let sockets = fds
        .iter()
        .filter_map(|fd| fs::read_link(fd).ok())
        .filter(|link| link.starts_with("socket:"))
        .count();
    (fds.len(), entries(&PathBuf::from(format!("/proc/{pid}/task"))).len(), sockets)
}

/// Returns the resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("it is a number")
}

pub fn signal(pid: u32, signal: &str) {
    let status =
        Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill can be run");
    assert!(status.success(), "process {pid} takes {signal}");
}

/// Stops a process and waits until all of its threads are stopped.
#[track_caller]
pub fn stop(pid: u32) {
    signal(pid, "-STOP");
    wait_until(Duration::from_secs(10), || {
        let threads = entries(&PathBuf::from(format!("/proc/{pid}/task")));
        let states = threads.iter().filter_map(|thread| stat_of(thread)?.into_iter().next());
        match states.filter(|state| state != "T").count() {
            0 => Ok(()),
            running => Err(format!("{running} threads of process {pid} still run")),
        }
    });
}

pub fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

fn stat(pid: u32) -> Option<Vec<String>> {
    stat_of(&PathBuf::from(format!("/proc/{pid}")))
}

fn stat_of(directory: &Path) -> Option<Vec<String>> {
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
