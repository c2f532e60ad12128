//! The end of a daemon, seen from outside and from inside.

use std::time::{Duration, Instant};

use oad::{ErrorKind, Health, Remote as _, Value};
use support::lab::LabProxy;
use support::{Parent, say, wait_until_gone};

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

async fn lab() -> LabProxy {
    LabProxy::new().await.expect("a daemon can be made")
}

fn directory_of(lab: &LabProxy) -> std::path::PathBuf {
    lab.daemon()
        .socket()
        .and_then(std::path::Path::parent)
        .expect("it listens on a socket in a directory")
        .to_owned()
}

/// Asserts that neither the process nor the directory of a daemon is left.
#[track_caller]
fn assert_gone(pid: u32, directory: &std::path::Path) {
    assert_eq!(support::state(pid), None, "the process still exists");
    assert!(!directory.exists(), "{} still exists", directory.display());
}

#[tokio::test]
async fn shutdown_reports_once_everything_is_gone() {
    let lab = lab().await;
    let (pid, directory) = (lab.pid(), directory_of(&lab));
    assert!(directory.exists());
    let ended = lab.shutdown().await.expect("it ends");
    assert_gone(pid, &directory);
    assert!(ended.is_clean(), "{ended}");
    assert_eq!(
        (ended.pid(), ended.calls(), ended.status().and_then(|status| status.code())),
        (pid, Some(0), Some(0))
    );
    let error = lab.echo(Value::Null).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Closed);
    let (start, end) = (
        format!("calling Lab.echo on daemon {pid} (Lab): the daemon was shut down "),
        "nothing was sent; start a new daemon",
    );
    assert!(error.to_string().starts_with(&start) && error.to_string().ends_with(end), "{error}");
}

#[tokio::test]
async fn concurrent_shutdowns_get_the_same_report() {
    let lab = lab().await;
    let reports = futures_util::future::join_all((0..8).map(|_| lab.shutdown())).await;
    for ended in reports {
        let ended = ended.expect("it ends");
        assert!(ended.is_clean() && ended.pid() == lab.pid(), "{ended}");
    }
    lab.shutdown().await.expect("it has ended");
}

#[tokio::test]
async fn running_call_may_finish_within_the_grace() {
    let lab = lab().await;
    let call = tokio::spawn(lab.note("last".into(), Duration::from_millis(300)));
    tokio::task::yield_now().await;
    let ended = lab.shutdown().await.expect("it ends");
    assert_eq!(call.await.expect("it does not panic").expect("it has its answer"), ["last"]);
    assert!(ended.is_clean() && ended.calls() == Some(1), "{ended}");
}

#[tokio::test]
async fn dropping_last_proxy_ends_daemon() {
    let first = lab().await;
    let (pid, directory) = (first.pid(), directory_of(&first));
    let second = first.clone();
    drop(first);
    assert_eq!(second.echo(Value::Int(1)).await.expect("one is left"), Value::Int(1));
    let start = Instant::now();
    drop(second);
    assert!(start.elapsed() < Duration::from_millis(5), "the drop took {:?}", start.elapsed());
    wait_until_gone(pid, SECOND);
    support::wait_until(SECOND, || match directory.exists() {
        true => Err("the directory is there".to_owned()),
        false => Ok(()),
    });
}

#[test]
fn dropping_outside_a_runtime_ends_daemon() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lab = runtime.block_on(lab());
    let pid = lab.pid();
    std::thread::spawn(move || drop(lab)).join().expect("it does not panic");
    wait_until_gone(pid, SECOND);
}

#[test]
fn end_of_the_runtime_ends_daemon_and_is_reported() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let lab = runtime.block_on(lab());
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = other.block_on(lab.echo(Value::Null)).expect_err("its runtime has ended");
    assert_eq!(error.kind(), ErrorKind::RuntimeEnded, "{error}");
    wait_until_gone(lab.pid(), SECOND);
}

#[test]
fn daemon_can_be_made_and_called_without_a_runtime() {
    let lab = futures_executor::block_on(lab());
    let call = lab.echo(Value::Int(4)).timeout(SECOND * 10);
    assert_eq!(futures_executor::block_on(call).expect("it answers"), Value::Int(4));
    let error =
        futures_executor::block_on(lab.block(SECOND * 60).timeout(Duration::from_millis(50)));
    assert_eq!(error.expect_err("it takes a minute").kind(), ErrorKind::Timeout);
    let lab = LabProxy::new();
    let lab = futures_executor::block_on(lab.into_future()).expect("a daemon can be made");
    assert!(futures_executor::block_on(lab.shutdown()).expect("it ends").is_clean());
}

#[tokio::test]
async fn daemon_outlives_the_thread_that_made_it() {
    let runtime = tokio::runtime::Handle::current();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (made, making) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        assert!(made.send(runtime.block_on(lab())).is_ok(), "it is waited for");
        stopped.recv().expect_err("the sender is dropped");
    });
    let lab = making.await.expect("it is made");
    // The parent death signal is SIGCONT, so a stopped daemon shows whether it receives
    // it.
    support::stop(lab.pid());
    let is_stopped = || {
        (support::state(lab.pid()) == Some('T')).then_some(()).ok_or_else(|| "it runs".to_owned())
    };
    assert_eq!(is_stopped(), Ok(()));
    drop(stop);
    tokio::task::spawn_blocking(move || thread.join())
        .await
        .expect("it does not panic")
        .expect("it does not panic");
    assert_eq!(is_stopped(), Ok(()), "it received no signal");
    support::signal(lab.pid(), "-CONT");
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it lives"), Value::Int(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_works_from_many_tasks_and_moves_between_them() {
    let lab = lab().await;
    let tasks = (0..16).map(|n| {
        let lab = lab.clone();
        tokio::spawn(async move {
            let first = lab.echo(Value::Int(n)).await.expect("it answers");
            let rest = tokio::spawn(async move { lab.echo(Value::Int(n + 1)).await });
            (first, rest.await.expect("it does not panic").expect("it answers"))
        })
    });
    for (n, answers) in (0..).zip(futures_util::future::join_all(tasks).await) {
        assert_eq!(answers.expect("it does not panic"), (Value::Int(n), Value::Int(n + 1)));
    }
}

#[tokio::test]
async fn object_is_dropped_before_the_report_and_with_the_last_proxy() {
    let marks = tempfile::tempdir().expect("the temporary directory can be written to");
    let (first, second) = (marks.path().join("shutdown"), marks.path().join("drop"));
    let lab =
        LabProxy::marking(&first, Duration::from_millis(200)).await.expect("a daemon can be made");
    assert!(lab.shutdown().await.expect("it ends").is_clean());
    assert!(first.exists(), "the object was dropped");
    let lab = LabProxy::marking(&second, Duration::ZERO).await.expect("a daemon can be made");
    let pid = lab.pid();
    drop(lab);
    wait_until_gone(pid, SECOND);
    assert!(second.exists(), "the object was dropped");
}

#[tokio::test]
async fn drop_that_hangs_is_bounded() {
    let mark = std::path::Path::new("/nowhere");
    let lab = LabProxy::marking(mark, SECOND * 600)
        .grace(Duration::from_millis(300))
        .await
        .expect("a daemon can be made");
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.duration() < Duration::from_millis(900), "{ended}");
    assert!(
        !ended.is_clean() && ended.to_string().ends_with(", and an object was still being dropped"),
        "{ended}"
    );
}

#[tokio::test]
async fn exit_during_the_grace_is_not_clean() {
    let lab = lab().await;
    let call = tokio::spawn(lab.exit_after(Duration::from_millis(300), 0));
    tokio::task::yield_now().await;
    let ended = lab.shutdown().await.expect("it was asked to");
    assert_eq!(
        (ended.is_clean(), ended.calls(), ended.abandoned()),
        (false, Some(1), None),
        "{ended}"
    );
    assert_eq!(
        call.await.expect("it does not panic").expect_err("it was cut off").kind(),
        ErrorKind::Closed
    );
}

#[tokio::test]
async fn stray_process_of_the_object_is_ended_with_the_daemon() {
    let lab = lab().await;
    let stray = lab.stray().await.expect("setsid can be run");
    assert!(support::state(stray).is_some());
    lab.shutdown().await.expect("it ends");
    assert_eq!(support::state(stray), None, "the stray process still exists");
}

#[tokio::test]
async fn stray_process_is_ended_when_its_daemon_is_killed() {
    let lab = lab().await;
    let stray = lab.stray().await.expect("setsid can be run");
    support::signal(lab.pid(), "-KILL");
    let error = lab.shutdown().await.expect_err("it died");
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    wait_until_gone(stray, SECOND);
}

#[tokio::test]
async fn stopped_daemon_is_shut_down_within_its_grace() {
    let lab = lab().await;
    support::stop(lab.pid());
    let start = Instant::now();
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.was_killed(), "{ended}");
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn spawn_that_is_dropped_leaves_nothing() {
    let mut parent = Parent::start("parent_of_dropped_spawns", "go");
    assert_eq!(parent.hear(), ["dropped"]);
    parent.wait_until_gone_but_itself(SECOND * 5);
    parent.kill();
}

#[test]
fn parent_of_dropped_spawns() {
    if std::env::var_os(support::PART).is_none() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for micros in (0..20_000).step_by(1_000) {
            let spawning = LabProxy::slowly(SECOND * 60);
            let _ =
                tokio::time::timeout(Duration::from_micros(micros), spawning.into_future()).await;
        }
    });
    say("dropped");
    std::thread::sleep(SECOND * 60);
}

#[tokio::test]
async fn longest_durations_do_not_overflow() {
    let lab = LabProxy::new()
        .grace(Duration::MAX)
        .start_timeout(Duration::MAX)
        .await
        .expect("a daemon can be made");
    assert!(lab.shutdown().await.expect("it ends").is_clean());
}

#[tokio::test]
async fn termination_signals_end_the_daemon_in_order() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let marks = tempfile::tempdir().expect("the temporary directory can be written to");
        let mark = marks.path().join("dropped");
        let lab = LabProxy::marking(&mark, Duration::ZERO).await.expect("a daemon can be made");
        support::signal(lab.pid(), signal);
        wait_until_gone(lab.pid(), SECOND);
        assert!(mark.exists(), "{signal}: the object was dropped");
        let ended = lab.shutdown().await.expect("it was asked to");
        assert!(ended.is_clean(), "{signal}: {ended}");
        assert_eq!(lab.log().await.expect_err("it is gone").kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn daemon_made_by_an_object_ends_with_it_in_order() {
    let marks = tempfile::tempdir().expect("the temporary directory can be written to");
    let mark = marks.path().join("dropped");
    let lab = lab().await;
    let nested = lab.nest(&mark).await.expect("a daemon can make a daemon");
    assert!(support::state(nested).is_some() && nested != lab.pid());
    assert!(lab.shutdown().await.expect("it ends").is_clean());
    assert!(mark.exists(), "the nested object was dropped");
    assert_eq!(support::state(nested), None, "the nested daemon still exists");
}

#[tokio::test]
async fn closed_returns_the_true_cause_and_keeps_nothing_alive() {
    let lab = lab().await;
    let closed = lab.closed();
    drop(lab);
    assert!(closed.await.expect("it was asked to").is_clean());

    let lab = LabProxy::new().await.expect("a daemon can be made");
    let (first, second) = (lab.closed(), lab.closed());
    support::signal(lab.pid(), "-KILL");
    for error in [first.await, second.await].map(|closed| closed.expect_err("it died")) {
        assert_eq!(error.death().and_then(oad::Death::signal), Some(9), "{error}");
        let expected = format!(
            "daemon {} (Lab): the daemon's process died: killed by signal 9 (SIGKILL)",
            lab.pid()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn health_distinguishes_busy_stopped_and_dead_daemons() {
    let lab = lab().await;
    let busy = tokio::spawn(lab.note("busy".into(), SECOND * 60));
    tokio::task::yield_now().await;
    assert_eq!(lab.health().await.expect("it answers"), Health::Serving);
    support::stop(lab.pid());
    let start = Instant::now();
    assert_eq!(lab.health().await.expect("it lives"), Health::Unresponsive);
    assert!(start.elapsed() < SECOND * 2, "{:?}", start.elapsed());
    support::signal(lab.pid(), "-CONT");
    assert_eq!(lab.health().await.expect("it answers again"), Health::Serving);
    support::signal(lab.pid(), "-KILL");
    let error = loop {
        // The kernel takes a moment to kill it.
        if let Err(error) = lab.health().await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    busy.await.expect("it does not panic").expect_err("it died");
}

#[tokio::test]
async fn daemon_has_the_threads_that_are_asked_for() {
    for (daemon, expected) in [
        (oad::daemon(), 1),
        (oad::daemon().worker_threads(0), 1),
        (oad::daemon().worker_threads(5), 5),
    ] {
        let daemon = daemon.await.expect("it starts");
        let workers = || {
            let threads =
                std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it lives");
            let names = threads.filter_map(|thread| {
                std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()
            });
            names.filter(|name| name.starts_with("tokio")).count()
        };
        support::wait_until(Duration::from_secs(5), || match workers() {
            found if found == expected => Ok(()),
            found => Err(format!("{found} workers, and {expected} were asked for")),
        });
    }
}

// === Another clock ===

/// tokio's paused clock stands still, or jumps. Processes live in real time.
#[tokio::test(start_paused = true)]
async fn paused_clock_of_the_caller_does_not_shorten_the_grace() {
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    for (name, by_drop) in [("shutdown", false), ("drop", true)] {
        let mark = folder.path().join(name);
        let lab = LabProxy::marking(&mark, Duration::ZERO).grace(SECOND);
        let lab = lab.await.expect("the daemon starts");
        // More real time than the grace and the patience after it passes for the caller.
        std::thread::sleep(Duration::from_millis(1500));
        let ended = if by_drop {
            let closed = lab.closed();
            drop(lab);
            closed.await
        } else {
            lab.shutdown().await
        };
        let ended = ended.expect("it ends");
        assert!(ended.is_clean() && mark.exists(), "{name}: {ended}");
    }
}

/// A jump of the clock, to the next timer when nothing else is to do, is not a timeout.
#[tokio::test(start_paused = true)]
async fn paused_clock_of_the_caller_does_not_end_a_call() {
    let lab = LabProxy::new().await.expect("the daemon starts");
    let call = lab.block(Duration::from_millis(300)).timeout(SECOND * 20);
    call.await.expect("it has the time");
    tokio::time::advance(SECOND * 3600).await;
    lab.health().await.expect("it is well");
    assert!(lab.shutdown().await.expect("it ends").is_clean());
}
