//! What `kill -9` leaves: of a parent, nothing; of a daemon, its callers' errors.

use std::time::{Duration, Instant};

use oad::{ErrorKind, Remote as _};
use support::lab::LabProxy;
use support::{PART, Parent, median, say};

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// How long everything may take to be gone when the parent is killed.
const ORPHAN_LIMIT: Duration = SECOND;

/// Plays the parent that is killed, in the state that its part names.
#[test]
fn parent_to_be_killed() {
    let Ok(part) = std::env::var(PART) else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        let busy = lab.clone();
        match part.as_str() {
            "idle" | "stopped" | "forked" => {}
            "blocked" => drop(tokio::spawn(async move { busy.block(SECOND * 600).await })),
            "spinning" => drop(tokio::spawn(async move { busy.spin(SECOND * 600).await })),
            "waiting" => {
                drop(tokio::spawn(async move { busy.wait("here".into(), SECOND * 600).await }))
            }
            "stray" => say(lab.stray().await.expect("setsid can be run")),
            part => panic!("there is no part {part}"),
        }
        // A second call sees to it that the first has arrived.
        lab.log().await.expect("it answers");
        if part == "stopped" {
            support::signal(lab.pid(), "-STOP");
        }
        if part == "forked" {
            fork_a_copy();
        }
        say(lab.pid());
        tokio::time::sleep(SECOND * 600).await;
    });
}

/// Leaves a copy of this process that holds all it holds, the lifelines too, and does
/// nothing.
fn fork_a_copy() {
    // SAFETY: the copy calls nothing but `pause`, which is safe to call in a fork of a
    // process with threads.
    #[allow(unsafe_code)]
    unsafe {
        if libc::fork() == 0 {
            loop {
                libc::pause();
            }
        }
    }
}

#[test]
fn daemon_ends_with_its_parent_although_a_copy_of_the_parent_lives() {
    let mut parent = Parent::start("parent_to_be_killed", "forked");
    let daemon: u32 = parent.hear_number();
    parent.kill();
    support::wait_until_gone(daemon, ORPHAN_LIMIT);
    assert_eq!(parent.census().len(), 1, "the copy is there");
}

fn kill_parents(part: &str, times: usize) {
    let mut took = Vec::new();
    for _ in 0..times {
        let mut parent = Parent::start("parent_to_be_killed", part);
        let stray: Option<u32> = (part == "stray").then(|| parent.hear_number());
        let daemon: u32 = parent.hear_number();
        // In the middle of an exec a process has no environment to be seen.
        support::wait_until(SECOND, || {
            let here: Vec<u32> = parent.census().into_iter().map(|(pid, _)| pid).collect();
            let all = here.contains(&daemon) && stray.is_none_or(|stray| here.contains(&stray));
            all.then_some(()).ok_or_else(|| format!("{here:?}"))
        });
        assert_eq!(parent.directories().len(), 1);
        parent.kill();
        took.push(parent.wait_until_nothing_is_left(ORPHAN_LIMIT));
    }
    println!(
        "parent killed, {part}: {times} times, everything gone in {:?} (median)",
        median(took)
    );
}

#[test]
fn nothing_outlives_a_killed_parent_idle() {
    kill_parents("idle", 10);
}

#[test]
fn nothing_outlives_a_killed_parent_during_a_call() {
    kill_parents("blocked", 5);
    kill_parents("spinning", 5);
    kill_parents("waiting", 5);
}

#[test]
fn nothing_outlives_a_killed_parent_with_the_child_stopped() {
    kill_parents("stopped", 10);
}

#[test]
fn nothing_outlives_a_killed_parent_with_a_stray_grandchild() {
    kill_parents("stray", 15);
}

#[tokio::test]
async fn killed_daemon_fails_every_call_in_flight_with_the_signal() {
    let mut took = Vec::new();
    for _ in 0..5 {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        let calls: Vec<_> = (0..64).map(|_| tokio::spawn(lab.block(SECOND * 600))).collect();
        lab.log().await.expect("the calls are there");
        let pid = lab.pid();
        let killed = Instant::now();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.cast_signed()).expect("it is a pid"),
            rustix::process::Signal::KILL,
        )
        .expect("it is ours");
        for call in calls {
            let error = call.await.expect("it does not panic").expect_err("it cannot return");
            took.push(killed.elapsed());
            assert_eq!(error.kind(), ErrorKind::Died, "{error}");
            assert_eq!(error.death().and_then(oad::Death::signal), Some(9), "{error}");
            let expected = format!(
                "calling Lab.block on daemon {pid} (Lab): the daemon's process died: killed by \
                 signal 9 (SIGKILL); \
                 the call may have been carried out"
            );
            assert_eq!(error.to_string(), expected);
        }
        let error = lab.log().await.expect_err("it is dead");
        assert!(
            error.to_string().ends_with("(SIGKILL); nothing was sent; start a new daemon"),
            "{error}"
        );
        assert_eq!(support::state(pid), None, "it is reaped");
    }
    let worst = took.iter().max().expect("there are some");
    println!(
        "daemon killed: {} errors, median {:?}, worst {worst:?}",
        took.len(),
        median(took.clone())
    );
    assert!(
        median(took.clone()) < Duration::from_millis(100),
        "the median is {:?}",
        median(took.clone())
    );
    // Another test of this binary may have the processor just then.
    assert!(*worst < Duration::from_millis(500), "the worst took {worst:?}");
}

#[tokio::test]
async fn abort_is_told_with_its_signal_and_last_words() {
    let lab = LabProxy::new().await.expect("a daemon can be made");
    let error = lab.abort().await.expect_err("it aborts");
    let death = error.death().expect("it died");
    assert_eq!((death.signal(), death.pid()), (Some(6), lab.pid()));
    assert!(death.stderr().contains("these are my last words"), "{error:?}");
    assert!(format!("{error:?}").contains("| these are my last words"), "{error:?}");
}

#[tokio::test]
async fn exit_is_told_with_its_code_also_zero() {
    for code in [0, 3] {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        let error = lab.exit(code).await.expect_err("it exits");
        assert_eq!(error.kind(), ErrorKind::Died, "{error}");
        assert_eq!(error.death().and_then(oad::Death::code), Some(code), "{error}");
        let expected = format!(
            "the daemon's process died: exited with code {code}; the call may have been carried out"
        );
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

/// Plays the parent that ends as soon as it hears that its daemon has died.
#[test]
fn parent_of_one_that_dies() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lab = runtime.block_on(async { LabProxy::new().await.expect("a daemon can be made") });
    runtime.block_on(lab.exit(3)).expect_err("it exits");
    say("died");
    std::process::exit(0);
}

#[test]
fn nothing_is_left_when_the_parent_ends_with_the_news_of_a_death() {
    for _ in 0..10 {
        let mut parent = Parent::start("parent_of_one_that_dies", "go");
        assert_eq!(parent.hear(), ["died"]);
        parent.process.wait().expect("it is ours");
        assert!(parent.directories().is_empty(), "{:?}", parent.directories());
        assert_eq!(parent.census(), []);
    }
}
