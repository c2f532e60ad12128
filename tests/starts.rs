//! Starting a daemon: from which runtime, and what is reported if the process cannot be
//! one.

use std::future::IntoFuture as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use oad::{ErrorKind, Remote as _};
use support::absent::absent;
use support::lab::LabProxy;
use tokio::sync::OnceCell;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

// === One daemon for many runtimes ===

/// Each test below has a runtime of its own, which ends with it.
async fn shared() -> &'static LabProxy {
    static SHARED: OnceCell<LabProxy> = OnceCell::const_new();
    let lab = async || LabProxy::new().on_own_runtime().await.expect("the daemon starts");
    SHARED.get_or_init(lab).await
}

async fn use_shared(note: &str) {
    for _ in 0..20 {
        let notes = shared().await.note(note.to_owned(), Duration::ZERO).await;
        assert!(notes.expect("it responds").iter().any(|found| found == note));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn daemon_is_shared_by_the_runtime_of_one_test() {
    use_shared("one").await;
}

#[tokio::test]
async fn daemon_is_shared_by_the_runtime_of_another_test() {
    use_shared("another").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_is_shared_by_a_runtime_of_several_threads() {
    use_shared("several").await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

#[test]
fn daemon_on_its_own_runtime_outlives_the_one_that_started_it() {
    let start = |own: bool| {
        let lab = LabProxy::new();
        let lab = if own { lab.on_own_runtime() } else { lab };
        // The runtime ends at the end of this statement.
        runtime().block_on(lab.into_future()).expect("the daemon starts")
    };
    let (own, bound) = (start(true), start(false));
    assert_eq!(runtime().block_on(own.log()).expect("it responds"), [""; 0]);
    let error = runtime().block_on(bound.log()).expect_err("its connection has ended");
    assert_eq!(error.kind(), ErrorKind::RuntimeEnded, "{error}");
}

#[tokio::test]
async fn own_runtime_is_a_setting_of_a_new_daemon() {
    let lab = LabProxy::new().await.expect("the daemon starts");
    let beside = LabProxy::new().within(lab.daemon()).on_own_runtime();
    let error = beside.await.expect_err("the daemon has its connection");
    assert_eq!(error.kind(), ErrorKind::BadArguments, "{error}");
}

// === Waiting with `block_on` ===

#[tokio::test]
async fn block_on_the_only_thread_fails_at_once() {
    block_on_fails_at_once();
}

/// tokio would keep what the waiting future wakes for the thread that waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_on_one_of_several_threads_fails_at_once() {
    tokio::spawn(async { block_on_fails_at_once() }).await.expect("it does not panic");
}

fn block_on_fails_at_once() {
    let began = Instant::now();
    let error = block_on(LabProxy::new().into_future()).expect_err("it would wait for itself");
    assert!(began.elapsed() < SECOND * 2, "{:?}", began.elapsed());
    assert_eq!(error.kind(), ErrorKind::WouldDeadlock);
    let expected = "starting a daemon for Lab: a sync wait (`block_on`) blocks the thread of the \
                    async runtime that would carry the connection to the daemon; `.await` it, or \
                    start it with `.on_own_runtime()`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn block_on_the_only_thread_works_with_an_own_runtime() {
    block_on_works_with_an_own_runtime();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_on_one_of_several_threads_works_with_an_own_runtime() {
    tokio::spawn(async { block_on_works_with_an_own_runtime() }).await.expect("it does not panic");
}

fn block_on_works_with_an_own_runtime() {
    let lab = block_on(LabProxy::new().on_own_runtime().into_future()).expect("it starts");
    assert_eq!(block_on(lab.log().into_future()).expect("it responds"), [""; 0]);
}

#[tokio::test]
async fn block_on_another_thread_works() {
    let other = tokio::task::spawn_blocking(|| block_on(LabProxy::new().into_future()));
    let lab = other.await.expect("it does not panic").expect("the daemon starts");
    assert_eq!(lab.log().await.expect("it responds"), [""; 0]);
}

/// There the runtime goes on on another thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_on_in_place_works() {
    let started = || block_on(LabProxy::new().into_future()).expect("the daemon starts");
    let other = tokio::spawn(async move { tokio::task::block_in_place(started) });
    let lab = other.await.expect("it does not panic");
    assert_eq!(lab.log().await.expect("it responds"), [""; 0]);
}

/// A runtime that is slow to take its turns is no deadlock.
#[tokio::test]
async fn busy_runtime_is_not_taken_for_a_blocked_one() {
    let busy = async {
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(150));
            tokio::task::yield_now().await;
        }
    };
    let many = futures_util::future::join_all((0..40).map(|_| tokio::task::yield_now()));
    let (lab, (), _) = tokio::join!(LabProxy::new().into_future(), busy, many);
    assert_eq!(lab.expect("the daemon starts").log().await.expect("it responds"), [""; 0]);
}

// === Processes that cannot be daemons ===

/// Starts this binary by way of a script, whose lines stand before the `exec`; returns
/// the message, which must name the script, and without what comes before its name.
async fn failure(before: &str) -> (ErrorKind, String) {
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let script = folder.path().join("script");
    let this = std::env::current_exe().expect("it has a path");
    let this = this.display();
    let lines = format!(
        "#!/bin/sh\n{before} {this} oad_test_daemon --exact --nocapture --test-threads 1\n"
    );
    std::fs::write(&script, lines).expect("the folder can be written to");
    for path in [folder.path(), &script] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("it is this user's");
    }
    let error = LabProxy::new().executable(&script).await.expect_err("it cannot be a daemon");
    let message = error.to_string().replace(&script.display().to_string(), "PROGRAM");
    let (_, reason) = message.split_once("(Lab): ").unwrap_or_else(|| panic!("{message}"));
    (error.kind(), reason.to_owned())
}

/// Whether this test may do what only root may: mount, and change its user.
fn is_root() -> bool {
    let output = std::process::Command::new("unshare").args(["-m", "true"]).output();
    let is_root = output.is_ok_and(|output| output.status.success());
    if !is_root {
        absent("only root may mount and change its user");
    }
    is_root
}

#[tokio::test]
async fn process_without_dev_null_says_so() {
    if is_root() {
        let (kind, message) =
            failure("exec unshare -m sh -c 'mount -t tmpfs none /dev && exec \"$@\"' sh").await;
        let expected = "`PROGRAM` cannot be a daemon: failed to open `/dev/null`: No such file or \
                        directory (os error 2)";
        assert_eq!((kind, message.as_str()), (ErrorKind::Spawn, expected));
    }
}

#[tokio::test]
async fn process_without_threads_says_so() {
    if is_root() {
        // libtest needs no thread for a single test. The limit counts what the user runs.
        let (kind, message) = failure(
            "exec prlimit --nproc=1:1 setpriv --reuid 61234 --clear-groups --inh-caps=-all \
             --bounding-set=-all",
        )
        .await;
        let expected = "`PROGRAM` cannot be a daemon: failed to start a thread: Resource \
                        temporarily \
                        unavailable (os error 11)";
        assert_eq!((kind, message.as_str()), (ErrorKind::Spawn, expected));
    }
}

#[tokio::test]
async fn process_without_enough_files_says_so() {
    let mut reasons = Vec::new();
    for limit in 4..24 {
        let (kind, message) =
            match tokio::time::timeout(SECOND * 20, failure(&format!("ulimit -n {limit}; exec")))
                .await
            {
                Ok(failure) => failure,
                Err(_) => panic!("with {limit} files it neither starts nor fails"),
            };
        assert_eq!(kind, ErrorKind::Spawn, "{limit}: {message}");
        assert!(message.starts_with("`PROGRAM` cannot be a daemon: "), "{limit}: {message}");
        assert!(message.contains("Too many open files"), "{limit}: {message}");
        reasons.push(message);
        if reasons.len() >= 6 {
            break;
        }
    }
    reasons.dedup();
    assert!(reasons.len() > 1, "each limit stops another step: {reasons:#?}");
}

/// As in a container whose profile forbids a system call.
#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn process_with_a_refused_system_call_says_which() {
    // A seccomp filter that refuses prctl(PR_SET_CHILD_SUBREAPER), in Python because the
    // shell has no such command.
    const REFUSE: &str = "exec python3 -c '
import ctypes, os, struct, sys
step = lambda *fields: struct.pack(\"HBBI\", *fields)
load, equal, leave = 0x20, 0x15, 0x06
steps = [
    step(load, 0, 0, 0), step(equal, 0, 3, 157),
    step(load, 0, 0, 16), step(equal, 0, 1, 36),
    step(leave, 0, 0, 0x00050001), step(leave, 0, 0, 0x7fff0000),
]
code = ctypes.create_string_buffer(b\"\".join(steps))
program = ctypes.create_string_buffer(struct.pack(\"HxxxxxxP\", len(steps), ctypes.addressof(code)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
'";
    let (kind, message) = failure(REFUSE).await;
    let expected = "`PROGRAM` cannot be a daemon: failed to become a subreaper (prctl): Operation \
                    not \
                    permitted (os error 1)";
    assert_eq!((kind, message.as_str()), (ErrorKind::Spawn, expected));
}

/// A daemon needs `/proc` only to find the processes that its objects leave behind.
#[tokio::test]
async fn program_without_proc_is_told_what_to_do() {
    if std::env::var_os(support::PART).is_some() {
        let error = LabProxy::new().await.expect_err("its own file cannot be found");
        support::say(error);
        return;
    }
    if !is_root() {
        return;
    }
    let this = std::env::current_exe().expect("it has a path");
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh"])
        .arg(this)
        .args(["program_without_proc_is_told_what_to_do", "--exact", "--nocapture"])
        .env(support::PART, "parent")
        .output()
        .expect("it starts");
    let output = String::from_utf8_lossy(&output.stdout);
    let expected = "starting a daemon for Lab: failed to start `/";
    assert!(output.contains(expected), "it is named: {output}");
    assert!(
        output.contains("oad finds this program's file by way of `/proc`: mount it"),
        "{output}"
    );
}
