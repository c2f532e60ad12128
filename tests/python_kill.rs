//! What `kill -9` leaves of Python objects, whatever their interpreters do just then; and
//! ends that objects resist. `OAD_PYTHON` names the interpreter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use oad::{ErrorKind, PythonProxy, Remote as _};
use support::python::{dedent, interpreter, with};
use support::{PART, Parent, median, say, wait_until};

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// How long everything may take to be gone, on a machine that has much else to do. How
/// long it took is printed.
const LIMIT: Duration = Duration::from_secs(5);

/// Each takes a file that it makes when it has begun, and does not come to its end.
const BUSY: &str = r#"
    import ctypes, os, time
    def pid(): return os.getpid()
    def begin(begun): open(begun, 'w').close()
    def sleeps(begun):
        begin(begun)
        time.sleep(600)
    def loops(begun):
        begin(begun)
        while True: pass
    def holds(begun):
        begin(begun)
        ctypes.PyDLL(None).sleep(600)
    def swallows(begun):
        begin(begun)
        while True:
            try:
                while True: time.sleep(600)
            except BaseException: pass
"#;

/// Where a test and its parent meet: a folder of the test's.
struct Meeting(PathBuf);

impl Meeting {
    fn begun(&self) -> PathBuf {
        self.0.join("begun")
    }

    /// An interpreter that waits for the true one, and goes on after it.
    fn wrapper(&self) -> PathBuf {
        program(&self.0.join("python"), &format!("'{}' \"$@\"\nexit $?", interpreter().display()))
    }
}

fn program(path: &Path, lines: &str) -> PathBuf {
    fs::write(path, format!("#!/bin/sh\n{lines}\n")).expect("there is room");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path.to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory can be written to")
}

/// Polls until a file is there.
async fn until_there(path: &Path) {
    let end = Instant::now() + 10 * SECOND;
    while !path.exists() {
        assert!(Instant::now() < end, "{} is not there", path.display());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

// === killed parents, killed daemons ===

/// Plays the parent, whose part is: what its interpreter does, how that was started, and
/// where the test waits for it.
#[test]
fn parent_with_an_interpreter() {
    let Ok(part) = std::env::var(PART) else { return };
    let [state, started, meeting] =
        <[&str; 3]>::try_from(part.splitn(3, ' ').collect::<Vec<_>>()).expect("three words");
    let meeting = Meeting(meeting.into());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let busy = oad::python_script("busy.py", dedent(BUSY));
        let busy = match started {
            "wrapped" => busy.interpreter(meeting.wrapper()),
            _ => with(busy),
        };
        let busy = busy.await.expect("it is made");
        let interpreter: u32 = busy.call("pid", ()).await.expect("it answers");
        match state {
            "idle" => {}
            "stopped" => support::signal(interpreter, "-STOP"),
            _ => {
                tokio::spawn(busy.call::<()>(state, (&meeting.begun(),)));
                until_there(&meeting.begun()).await;
            }
        }
        say(format_args!("{} {interpreter}", busy.pid()));
        busy.closed().await.expect_err("it is killed");
        say("closed");
        tokio::time::sleep(SECOND * 600).await;
    });
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    Parent,
    Daemon,
    Both,
}

/// Has an interpreter come to a state, and gives its parent and the daemon.
fn interpreter_that(state: &str, started: &str, folder: &Path) -> (Parent, u32) {
    let parent = Parent::start(
        "parent_with_an_interpreter",
        &format!("{state} {started} {}", folder.display()),
    );
    let mut parent = parent;
    let pids: Vec<u32> =
        parent.hear().iter().map(|pid| pid.parse().expect("it is a number")).collect();
    let here: Vec<u32> = parent.census().into_iter().map(|(pid, _)| pid).collect();
    let wrappers = usize::from(started == "wrapped");
    assert!(
        pids.iter().all(|pid| here.contains(pid)) && here.len() == 3 + wrappers,
        "{pids:?} in {here:?}"
    );
    assert_eq!(parent.directories().len(), 1);
    (parent, pids[0])
}

fn kill(killed: Killed, state: &str, started: &str) {
    let mut took = Vec::new();
    for _ in 0..2 {
        let folder = folder();
        let (mut parent, daemon) = interpreter_that(state, started, folder.path());
        let start = Instant::now();
        match killed {
            Killed::Parent => parent.kill(),
            Killed::Daemon => {
                support::signal(daemon, "-KILL");
                parent.wait_until_gone_but_itself(LIMIT);
                took.push(start.elapsed());
                assert_eq!(parent.hear(), ["closed"]);
                continue;
            }
            Killed::Both => {
                let pids = [daemon, parent.pid()].map(|pid| pid.to_string());
                assert!(
                    Command::new("kill")
                        .arg("-9")
                        .args(pids)
                        .status()
                        .expect("kill can be run")
                        .success()
                );
                parent.process.wait().expect("it is ours");
            }
        }
        // What is left of a directory when both ends are killed is for the next daemon's
        // start to sweep.
        wait_until(LIMIT, || match (parent.census(), parent.directories()) {
            (processes, directories)
                if processes.is_empty() && (killed == Killed::Both || directories.is_empty()) =>
            {
                Ok(())
            }
            left => Err(format!("{killed:?} killed, {state}, {started}: left: {left:?}")),
        });
        took.push(start.elapsed());
    }
    println!(
        "{killed:?} killed, {state}, {started}: everything gone in {:?} (median of 2)",
        median(took)
    );
}

fn kill_all(killed: Killed, started: &str) {
    for state in ["idle", "stopped", "sleeps", "loops", "holds", "swallows"] {
        kill(killed, state, started);
    }
}

#[test]
fn no_interpreter_outlives_a_killed_parent() {
    kill_all(Killed::Parent, "itself");
}

#[test]
fn no_interpreter_outlives_a_killed_daemon() {
    kill_all(Killed::Daemon, "itself");
}

#[test]
fn no_interpreter_outlives_a_parent_and_a_daemon_that_are_killed_at_once() {
    kill_all(Killed::Both, "itself");
}

#[test]
fn no_interpreter_behind_a_wrapper_that_waits_outlives_a_killed_parent() {
    kill_all(Killed::Parent, "wrapped");
}

#[test]
fn no_interpreter_behind_a_wrapper_that_waits_outlives_a_killed_daemon() {
    kill_all(Killed::Daemon, "wrapped");
}

#[test]
fn no_interpreter_behind_a_waiting_wrapper_outlives_its_killed_parent_and_daemon() {
    kill_all(Killed::Both, "wrapped");
}

// === ends that are resisted ===

const GRACE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn shutdown_of_an_object_that_nothing_interrupts_ends_within_the_grace_and_a_moment() {
    for state in ["loops", "holds", "swallows", "stopped"] {
        let folder = folder();
        let begun = folder.path().join("begun");
        let busy = with(oad::python_script("busy.py", dedent(BUSY)))
            .grace(GRACE)
            .await
            .expect("it is made");
        let interpreter: u32 = busy.call("pid", ()).await.expect("it answers");
        let stuck = match state {
            "stopped" => {
                support::signal(interpreter, "-STOP");
                tokio::spawn(busy.call::<()>("pid", ()))
            }
            _ => {
                let stuck = tokio::spawn(busy.call::<()>(state, (&begun,)));
                until_there(&begun).await;
                stuck
            }
        };
        let asked = Instant::now();
        let ended = busy.shutdown().await;
        let took = asked.elapsed();
        println!(
            "shutdown, {state}: {took:?}, {}",
            ended.as_ref().map_or_else(ToString::to_string, ToString::to_string)
        );
        assert_eq!(support::state(busy.pid()), None, "{state}");
        match ended.is_ok_and(|ended| ended.was_killed()) {
            // On a machine that is too busy for an end in order, the zombie is process
            // 1's.
            true => support::wait_until_gone(interpreter, SECOND),
            false => assert_eq!(support::state(interpreter), None, "{state}"),
        }
        // The daemon is killed 0.3 s after its grace; the rest is for a machine that is
        // busy.
        assert!(took < GRACE + 2 * SECOND, "{state}: {took:?}");
        let error = stuck.await.expect("it does not panic").expect_err("it cannot return");
        assert!(matches!(error.kind(), ErrorKind::Died | ErrorKind::Closed), "{error}");
    }
}

#[tokio::test]
async fn import_that_hangs_is_given_up_at_its_deadline_and_leaves_nothing() {
    for (module, line) in [
        ("oad_sleeps", "time.sleep(600)"),
        ("oad_loops", "while True: pass"),
        ("oad_holds", "ctypes.PyDLL(None).sleep(600)"),
    ] {
        let folder = folder();
        let noted = folder.path().join("pids");
        let source = format!(
            r#"
            import ctypes, os, time
            with open({noted:?}, 'w') as noted: noted.write('%d %d' % (os.getppid(), os.getpid()))
            {line}
        "#
        );
        fs::write(folder.path().join(format!("{module}.py")), dedent(&source))
            .expect("there is room");
        let hangs = with(oad::python_module(module))
            .path_entry(folder.path())
            .create_timeout(SECOND)
            .grace(GRACE);
        let asked = Instant::now();
        let error = hangs.await.expect_err("it hangs");
        let took = asked.elapsed();
        println!("import, {module}: given up in {took:?}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(took < LIMIT, "{module}: {took:?}");
        let noted = fs::read_to_string(noted).expect("it had begun");
        for pid in noted.split(' ').map(|pid| pid.parse().expect("it is a number")) {
            support::wait_until_gone(pid, LIMIT);
        }
    }
}

#[tokio::test]
async fn recursion_without_a_bound_is_an_exception_or_a_told_death() {
    let source = r#"
        import sys
        sys.setrecursionlimit(10 ** 6)
        def plain(n=0): return plain(n + 1) + 1
        class Shown:
            def __repr__(self): return repr(self)
        def shown(): return repr(Shown())
    "#;
    for function in ["plain", "shown"] {
        let script: PythonProxy =
            with(oad::python_script("deep.py", dedent(source))).await.expect("it is made");
        let call = tokio::time::timeout(60 * SECOND, script.call::<u64>(function, ()));
        let error = call.await.expect("it does not hang").expect_err("there is no end to it");
        println!("recursion, {function}: {error}");
        match error.kind() {
            ErrorKind::Exception => {
                let exception = error.exception().expect("Python raised it");
                assert!(
                    ["RecursionError", "MemoryError"].contains(&exception.type_name()),
                    "{error}"
                );
                assert_eq!(script.getattr::<String>("__name__").await.expect("it lives"), "deep");
            }
            kind => {
                assert_eq!(kind, ErrorKind::Died, "{error}");
                let death = error.death().expect("it is why");
                assert!(death.is_of_interpreter() && death.signal() == Some(11), "{error}");
            }
        }
        assert!(script.shutdown().await.expect("the daemon lives").is_clean());
    }
}
