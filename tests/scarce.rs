//! A daemon that can start no more threads, from the first one on.

use std::future::IntoFuture as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use oad::{ErrorKind, Remote as _, Result, Spawn};
use support::absent::absent;
use support::lab::LabProxy;
use support::{PART, say};

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// The limit of the last daemon, which has enough threads for all that is asked of it.
const ENOUGH: u32 = 40;

/// How many threads the daemons may have.
const LIMITS: [u32; 15] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, ENOUGH];

/// The first of the users of these tests alone: the limit counts the threads of a user.
const USER: u32 = 61_235;

fn is_root() -> bool {
    let output = std::process::Command::new("unshare").args(["-m", "true"]).output();
    let is_root = output.is_ok_and(|output| output.status.success());
    if !is_root {
        absent("only root may change its user");
    }
    is_root
}

/// A lab in a daemon whose user may have so many threads.
async fn with_threads(user: u32, threads: u32, over_grpc: bool, mark: &Path) -> Result<LabProxy> {
    let lab = LabProxy::marking(mark, Duration::ZERO).executable("/usr/bin/prlimit").localhost();
    let lab = if over_grpc { lab.over_grpc() } else { lab };
    let arguments = [
        format!("--nproc={threads}:{threads}"),
        "setpriv".to_owned(),
        format!("--reuid={user}"),
        "--clear-groups".to_owned(),
        "--inh-caps=-all".to_owned(),
        "--bounding-set=-all".to_owned(),
        std::env::current_exe().expect("it has a path").display().to_string(),
        "oad_test_daemon".to_owned(),
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ];
    arguments.into_iter().fold(lab, Spawn::program_arg).await
}

/// Every outcome comes soon, and is a success or names the limit.
async fn soon<T>(what: &str, threads: u32, call: impl Future<Output = Result<T>>) -> bool {
    let outcome = tokio::time::timeout(SECOND * 8, call).await;
    match outcome.unwrap_or_else(|_| panic!("{what} hangs with {threads} threads")) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Limit, "{what} with {threads} threads: {error}");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_without_threads_refuses_at_once_and_ends_in_order() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everybody).expect("it is ours");
    let (mut started, mut refused) = (0, 0);
    let ways = [false, true].into_iter();
    for (over_grpc, threads) in ways.flat_map(|way| LIMITS.map(move |limit| (way, limit))) {
        let mark = folder.path().join(format!("{threads} {over_grpc}"));
        let lab =
            tokio::time::timeout(SECOND * 8, with_threads(USER, threads, over_grpc, &mark)).await;
        let lab = match lab.unwrap_or_else(|_| panic!("a start hangs with {threads} threads")) {
            Ok(lab) => lab,
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::Spawn | ErrorKind::Limit), "{threads}: {error}");
                assert!(threads < ENOUGH, "{error}");
                continue;
            }
        };
        started += 1;
        let block =
            || soon("a sync call", threads, lab.block(Duration::from_millis(200)).into_future());
        let blocked = futures_util::future::join_all((0..8).map(|_| block())).await;
        let done = blocked.iter().filter(|done| **done).count();
        refused += 8 - done;
        assert!(threads < ENOUGH || done == 8);
        let large = soon("a large answer", threads, lab.bytes(3 << 20).into_future()).await;
        assert!(large, "{threads}: an answer needs no thread");
        let text = oad::Value::from("x".repeat(1 << 20));
        soon("a large argument", threads, lab.echo(text).into_future()).await;
        let ended = tokio::time::timeout(SECOND * 5, lab.shutdown()).await;
        let ended = ended.expect("it ends").expect("it ends in order");
        assert!(ended.is_clean(), "{threads}: {ended}");
        assert!(mark.exists(), "{threads}: the object was dropped");
    }
    assert!(started > 1 && refused > 0, "{started} started, {refused} calls refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn object_that_can_start_no_process_fails_its_call_and_nothing_else() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everybody).expect("it is ours");
    let mark = folder.path().join("mark");
    let lab = with_threads(USER + 2, ENOUGH, false, &mark).await.expect("there are threads");
    let mut strays = Vec::new();
    let error = loop {
        assert!(strays.len() < ENOUGH as usize, "there are no more processes");
        match tokio::time::timeout(SECOND * 8, lab.stray().into_future()).await {
            Ok(Ok(pid)) => strays.push(pid),
            Ok(Err(error)) => break error,
            Err(_) => panic!("it hangs"),
        }
    };
    assert!(!strays.is_empty(), "{error}");
    // The object's own failure, or the daemon's that has no thread for the call.
    assert!(matches!(error.kind(), ErrorKind::Exception | ErrorKind::Limit), "{error}");
    assert!(soon("a call", ENOUGH, lab.log().into_future()).await, "calls need no process");
    let ended = tokio::time::timeout(SECOND * 8, lab.shutdown()).await.expect("it ends");
    let ended = ended.expect("it ends in order");
    assert!(ended.is_clean() && mark.exists(), "{ended}");
    strays.into_iter().for_each(|pid| support::wait_until_gone(pid, SECOND * 8));
}

// === The parent ===

/// Plays a parent that cannot start a thread any more, as a user of its own.
#[tokio::test(flavor = "multi_thread")]
async fn parent_without_threads() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let lab = LabProxy::new().await.expect("there are threads still");
    let killed = LabProxy::new().await.expect("there are threads still");
    let this = std::process::id().to_string();
    let mut prlimit = std::process::Command::new("prlimit");
    let limited = prlimit.args(["--nproc=1:1", "--pid", &this]).status();
    assert!(limited.expect("it runs").success());

    assert!(soon("a large answer", 0, lab.bytes(3 << 20).into_future()).await);
    let text = oad::Value::from("x".repeat(1 << 20));
    assert!(soon("a large argument", 0, lab.echo(text).into_future()).await);
    let start = tokio::time::timeout(SECOND * 8, LabProxy::new().into_future());
    let error = start.await.expect("it comes soon").expect_err("there is no process to be had");
    assert!(matches!(error.kind(), ErrorKind::Spawn | ErrorKind::Limit), "{error}");
    // `kill` would be another process.
    let pid = rustix::process::Pid::from_raw(killed.pid().cast_signed()).expect("it is not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    let closed = tokio::time::timeout(SECOND * 8, killed.closed()).await.expect("it is told");
    assert!(closed.expect_err("it was killed").is_dead());
    let ended = tokio::time::timeout(SECOND * 8, lab.shutdown()).await.expect("it ends");
    assert!(ended.expect("it ends").is_clean());
    say("all well");
}

#[test]
fn parent_without_threads_keeps_its_daemons() {
    if !is_root() {
        return;
    }
    let user = USER + 1;
    let output = std::process::Command::new("setpriv")
        .args([&format!("--reuid={user}"), "--clear-groups", "--inh-caps=-all"])
        .arg("--bounding-set=-all")
        .arg(std::env::current_exe().expect("it has a path"))
        .args(["parent_without_threads", "--exact", "--nocapture"])
        .env(PART, "parent")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("say: all well"), "{printed}\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

// === Descriptors ===

/// Plays a parent that may have few descriptors.
#[test]
fn parent_with_few_descriptors() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("it has enough").block_on(async {
        say("runs");
        let lab = tokio::time::timeout(SECOND * 8, LabProxy::new().into_future()).await;
        match lab.expect("it comes soon") {
            Ok(lab) => {
                let answer = tokio::time::timeout(SECOND * 8, lab.log().into_future()).await;
                answer.expect("it comes soon").expect("it answers");
                let ended = tokio::time::timeout(SECOND * 8, lab.shutdown()).await;
                say(format!("works {}", ended.expect("it ends").expect("it ends").is_clean()));
            }
            Err(error) => say(format!("failed {:?} {error}", error.kind())),
        }
    });
}

#[test]
fn parent_without_descriptors_leaves_nothing_and_names_the_limit() {
    let (mut failed, mut worked) = (0, 0);
    for limit in 4..40 {
        let runtime_dir = tempfile::Builder::new();
        let runtime_dir = { runtime_dir }
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir()
            .expect("the temporary directory can be written to");
        let output = std::process::Command::new("prlimit")
            .arg(format!("--nofile={limit}:{limit}"))
            .arg(std::env::current_exe().expect("it has a path"))
            .args(["parent_with_few_descriptors", "--exact", "--nocapture"])
            .env(PART, "parent")
            .env("XDG_RUNTIME_DIR", runtime_dir.path())
            .output()
            .expect("it starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !printed.contains("say: runs") {
            // It has not even a runtime.
            continue;
        }
        assert!(!stderr.contains("panicked"), "{limit}: {printed}\n{stderr}");
        let left = std::fs::read_dir(runtime_dir.path()).expect("it is there").count();
        assert_eq!(left, 0, "{limit}: {printed}");
        match printed.split_once("say: failed ") {
            Some((_, error)) => {
                failed += 1;
                let (kind, message) = error.split_once(' ').expect("it says both");
                assert!(["Spawn", "Limit", "Handshake"].contains(&kind), "{limit}: {error}");
                assert!(message.contains("Too many open files"), "{limit}: {error}");
                println!("{limit}: {message}");
            }
            None => {
                worked += 1;
                assert!(printed.contains("say: works true"), "{limit}: {printed}");
            }
        }
    }
    assert!(failed > 3 && worked > 3, "{failed} failed, {worked} worked");
}
