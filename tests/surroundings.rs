//! What a daemon finds around it: a PID namespace, inherited signals, clients that hang
//! up.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use oad::{Endpoint, Remote as _, Spawn, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say};

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// A lab whose daemon is this test binary, below a program with arguments.
fn below(wrapper: &str, arguments: &[&str]) -> Spawn<LabProxy> {
    below_a(LabProxy::new(), wrapper, arguments)
}

fn below_a(lab: Spawn<LabProxy>, wrapper: &str, arguments: &[&str]) -> Spawn<LabProxy> {
    let lab = lab.executable(PathBuf::from(wrapper));
    let this = std::env::current_exe().expect("it has a path");
    let lab =
        arguments.iter().fold(lab, |lab, argument| lab.program_arg(*argument)).program_arg(this);
    ["oad_test_daemon", "--exact", "--nocapture"].into_iter().fold(lab, Spawn::program_arg)
}

// === PID namespaces ===

const UNSHARE: &str = "/usr/bin/unshare";

/// Ways to make a PID namespace: with and without a `/proc` of its own, with the daemon
/// as its first process and below another.
const NAMESPACES: &[&[&str]] = &[
    &["-Urpf", "--mount-proc"],
    &["-Urpf"],
    &["-Urpf", "--mount-proc", UNSHARE, "-pf", "--mount-proc"],
    &["-Urpf", "--mount-proc", "sh", "-c", "\"$@\"; exit $?", "sh"],
];

/// Whether this machine allows the namespaces.
fn namespaces_are_allowed() -> bool {
    let tried = Command::new(UNSHARE).args(["-Urpf", "--mount-proc", "true"]).output();
    let allowed = tried.is_ok_and(|output| output.status.success());
    if !allowed {
        println!("not tested: this machine does not allow PID namespaces");
    }
    allowed
}

#[tokio::test]
async fn daemon_below_a_pid_namespace_serves_and_ends_in_order() {
    for arguments in NAMESPACES.iter().filter(|_| namespaces_are_allowed()) {
        for localhost in [false, true] {
            let lab = below(UNSHARE, arguments);
            let lab = if localhost { lab.localhost() } else { lab };
            let lab = lab.await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
            assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
            assert_eq!(support::state(lab.pid()), Some('S'), "the pid is one of this namespace");
            let ended = lab.shutdown().await.expect("it ends");
            assert!(ended.is_clean(), "{arguments:?}: {ended}");
        }
    }
}

#[tokio::test]
async fn daemon_below_a_pid_namespace_that_is_killed_is_told_and_leaves_nothing() {
    for arguments in NAMESPACES.iter().filter(|_| namespaces_are_allowed()) {
        let lab = below(UNSHARE, arguments).await.expect("it works");
        let stray = lab.stray().await.expect("it starts");
        assert!(stray > 0);
        let call = tokio::spawn(lab.block(SECOND * 600));
        lab.log().await.expect("the call is there");
        support::signal(lab.pid(), "-KILL");
        let error = call.await.expect("it does not panic").expect_err("it is dead");
        assert!(error.is_dead(), "{error}");
        lab.closed().await.expect_err("it died");
        support::wait_until_gone(lab.pid(), SECOND * 5);
    }
}

/// The first process of a namespace does not die of its own SIGKILL.
#[tokio::test]
async fn watchdog_ends_a_daemon_that_is_the_first_process_of_a_namespace() {
    if !namespaces_are_allowed() {
        return;
    }
    let lab = LabProxy::marking(std::path::Path::new("/dev/null"), SECOND * 600).grace(SECOND);
    let lab = below_a(lab, UNSHARE, NAMESPACES[0]).await.expect("it works");
    let pid = lab.pid();
    let ended = lab.shutdown().await.expect("it ends");
    assert!(!ended.is_clean() && ended.duration() < SECOND * 3, "{ended}");
    support::wait_until_gone(pid, SECOND * 5);
}

/// A wrapper that replaces fd 0 by a socket of its own, for example.
#[test]
fn process_with_the_marker_and_another_socket_at_fd_0_never_runs_its_main() {
    let this = std::env::current_exe().expect("it has a path");
    for parent in [0, 1, std::process::id()] {
        let (ours, theirs) = UnixStream::pair().expect("there are descriptors");
        let program = Command::new(&this)
            .args(["oad_test_daemon", "after_init", "--exact", "--nocapture", "--test-threads=1"])
            .env("OAD_DAEMON", format!("{parent}:{:032x}", 7))
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .output()
            .expect("it starts");
        drop(ours);
        let stderr = String::from_utf8_lossy(&program.stderr);
        assert_eq!(program.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("PID namespace"), "{stderr}");
    }
}

/// It would run its `main`, which may start the next daemon, without end.
#[tokio::test]
async fn wrapper_that_drops_the_environment_is_named() {
    let error = below("/usr/bin/env", &["-i"]).await.expect_err("the marker is lost");
    assert_eq!(error.kind(), oad::ErrorKind::Spawn, "{error}");
    assert!(error.to_string().contains("must pass on its environment"), "{error}");
}

// === Signals ===

/// The value of a line of `/proc/…/status`.
fn mask(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("it is a mask")
}

#[tokio::test]
async fn daemon_has_the_defaults_of_signals_whatever_its_parent_has() {
    const SIGPIPE: u64 = 1 << 12;
    /// The C library keeps these two for itself, and lets nobody change them.
    const RESERVED: u64 = 3 << 31;
    let lab = below("/usr/bin/env", &["--ignore-signal", "--block-signal"]);
    let lab = lab.await.expect("it works");
    let tasks = std::fs::read_dir(format!("/proc/{}/task", lab.pid())).expect("it runs");
    let tasks = tasks.map(|task| task.expect("it can be read").path());
    // The helper test does not run on the main thread, whose mask is libtest's affair.
    for task in tasks.filter(|task| !task.ends_with(lab.pid().to_string())) {
        // The C library blocks all signals while a thread starts and while it ends.
        support::wait_until(Duration::from_secs(5), || {
            let Ok(status) = std::fs::read_to_string(task.join("status")) else { return Ok(()) };
            // Rust ignores SIGPIPE in every program.
            match (mask(&status, "SigIgn") & !RESERVED, mask(&status, "SigBlk")) {
                (SIGPIPE, 0) => Ok(()),
                _ => Err(status),
            }
        });
    }
    let status = ["/proc/self/status".to_owned()];
    let child = lab.run("cat", &status, Vec::new()).await.expect("it runs");
    let masks = (mask(&child, "SigIgn") & !RESERVED, mask(&child, "SigBlk"));
    assert_eq!(masks, (0, 0), "{child}");
    support::signal(lab.pid(), "-TERM");
    assert!(lab.closed().await.expect("it ends in order").is_clean());
}

#[cfg(feature = "python")]
#[tokio::test]
async fn object_in_an_interpreter_has_the_defaults_of_signals() {
    let code = "import subprocess, signal\n\
                def code():\n    return subprocess.call(['sh', '-c', 'exit 3'])\n\
                def ignored():\n    numbers = set(range(1, 65)) - {9, 19, 32, 33}\n    \
                return [n for n in numbers if signal.getsignal(n) == signal.SIG_IGN]\n\
                def blocked():\n    return len(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n";
    let this = std::env::current_exe().expect("it has a path");
    let script = oad::python_script("codes", code)
        .executable("/usr/bin/env")
        .program_arg("--ignore-signal")
        .program_arg("--block-signal")
        .program_arg(this)
        .program_arg("oad_test_daemon")
        .program_arg("--exact")
        .program_arg("--nocapture");
    let script = script.await.expect("it starts");
    assert_eq!(script.call::<i32>("code", ()).await.expect("it runs"), 3);
    assert_eq!(script.call::<u32>("blocked", ()).await.expect("it runs"), 0);
    let ignored: Vec<i32> = script.call("ignored", ()).await.expect("it runs");
    // Python ignores SIGPIPE and SIGXFSZ in every program.
    assert!(ignored.iter().all(|number| [13, 25].contains(number)), "{ignored:?}");
}

/// Has SIGPIPE at its default, as some command line tools and C libraries set it.
#[derive(Debug)]
struct Fragile;

#[oad::object]
impl Fragile {
    fn new() -> Self {
        const SIGPIPE: i32 = 13;
        #[allow(unsafe_code, reason = "the signature is that of the C library")]
        unsafe extern "C" {
            safe fn signal(number: i32, handler: usize) -> usize;
        }
        signal(SIGPIPE, 0);
        Fragile
    }

    fn bytes(&self, len: usize) -> oad::value::Bytes {
        vec![7; len].into()
    }
}

/// The beginning of HTTP/2, after which the daemon writes.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn client_that_hangs_up_does_not_kill_a_daemon_with_sigpipe_at_its_default() {
    for localhost in [false, true] {
        let fragile = FragileProxy::new();
        let fragile = if localhost { fragile.localhost() } else { fragile };
        let fragile = fragile.await.expect("it starts");
        for _ in 0..100 {
            match fragile.daemon().endpoint() {
                Endpoint::Unix(path) => {
                    let mut client = UnixStream::connect(path).expect("it listens");
                    client.write_all(HTTP2).expect("it is open");
                }
                Endpoint::Tcp(address) => {
                    let mut client = std::net::TcpStream::connect(address).expect("it listens");
                    client.write_all(HTTP2).expect("it is open");
                }
                other => panic!("{other}"),
            }
        }
        let bytes = fragile.bytes(100_000).await.expect("it lives");
        assert_eq!(bytes.len(), 100_000);
        let ended = fragile.shutdown().await.expect("it ends");
        assert!(ended.is_clean(), "{ended}");
    }
}

// === Orphans ===

/// Plays a parent that adopts orphans, as the first process of a container does. It also
/// has a child of its own, which nobody but itself may reap.
#[tokio::test]
async fn parent_that_adopts_orphans() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let this = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(this)).expect("it is allowed");
    let mut own = Command::new("sh").args(["-c", "exit 7"]).spawn().expect("it starts");
    support::wait_until(SECOND * 5, || match support::state(own.id()) {
        Some('Z') => Ok(()),
        other => Err(format!("{other:?}")),
    });
    for _ in 0..3 {
        let lab = LabProxy::new().await.expect("it starts");
        let stray = lab.stray().await.expect("it starts");
        let child = ["-c".to_owned(), "sleep 1000 >/dev/null 2>&1 & sleep 0 &".to_owned()];
        lab.run("sh", &child, Vec::new()).await.expect("it runs");
        #[cfg(feature = "python")]
        {
            let code = "import subprocess, os\nsubprocess.Popen(['true'])\n\
                        subprocess.Popen(['sleep', '1000'])\n\
                        subprocess.Popen(['sleep', '1000'], start_new_session=True)\n";
            let script = oad::python_script("strays", code).within(lab.daemon());
            let script = script.await.expect("it starts");
            script.str().await.expect("it answers");
        }
        support::signal(lab.pid(), "-KILL");
        lab.shutdown().await.expect_err("it died");
        support::wait_until_gone(stray, SECOND * 5);
    }
    let ended = LabProxy::new().await.expect("it starts").shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
    support::wait_until(SECOND * 5, || match support::children(std::process::id()) {
        left if left == [own.id()] => Ok(()),
        left => Err(format!("{left:?}, and {} is its own", own.id())),
    });
    assert_eq!(own.wait().expect("it is there").code(), Some(7), "nobody else has reaped it");
    say("all reaped");
}

#[test]
fn parent_that_adopts_orphans_reaps_what_oad_has_killed_and_nothing_else() {
    let mut parent = Parent::start("parent_that_adopts_orphans", "subreaper");
    assert_eq!(parent.hear(), ["all", "reaped"]);
}
