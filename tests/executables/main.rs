//! Programs that become daemons by way of a wrapper, and programs that do not become
//! daemons at all.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oad::{ErrorKind, Remote as _, Spawn, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say};

#[path = "../support/mod.rs"]
mod support;

mod refused;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// How long a program that never answers is waited for here.
const TIMEOUT: Duration = Duration::from_millis(400);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("the temporary directory can be written to"))
    }

    fn file(&self, name: &str, contents: &[u8], mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, contents).expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        path
    }

    fn script(&self, name: &str, lines: &str) -> PathBuf {
        self.file(name, format!("#!/bin/sh\n{lines}\n").as_bytes(), 0o755)
    }
}

/// A lab whose daemon is this test binary, started by way of `wrapper`, which is given
/// its command line.
fn wrapped(wrapper: &Path) -> Spawn<LabProxy> {
    let this = std::env::current_exe().expect("it has a path");
    LabProxy::new()
        .executable(wrapper)
        .program_arg(this)
        .program_arg("oad_test_daemon")
        .program_arg("--exact")
        .program_arg("--nocapture")
}

#[tokio::test]
async fn wrapper_that_execs_becomes_the_daemon() {
    let folder = Folder::new();
    let lab = wrapped(&folder.script("wrapper", "exec \"$@\"")).await.expect("it works");
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    assert!(lab.shutdown().await.expect("it ends").is_clean());
}

#[tokio::test]
async fn wrapper_that_waits_is_seen_through() {
    let folder = Folder::new();
    let wrapper = folder.script("wrapper", "\"$@\"\nexit $?");
    let lab = wrapped(&wrapper).await.expect("it works");
    let parent = support::children(std::process::id())
        .into_iter()
        .find(|pid| support::children(*pid).contains(&lab.pid()));
    assert!(parent.is_some(), "the daemon is the wrapper's child, and its own pid is told");
    assert!(lab.shutdown().await.expect("it ends").is_clean());

    let lab = wrapped(&wrapper).await.expect("it works");
    support::signal(lab.pid(), "-KILL");
    let error = lab.echo(Value::Null).await.expect_err("it is dead");
    assert_eq!(
        error.death().and_then(oad::Death::code),
        Some(128 + 9),
        "as the shell tells it: {error}"
    );
}

/// Scripts that start the daemon, as their child or in a session of its own, and do not
/// end with it.
const LINGERING: &[&str] = &[
    "\"$@\"\nsleep 1000",
    "exec 3<&0; \"$@\" <&3 & wait; sleep 1000",
    "exec 3<&0; setsid \"$@\" <&3 & trap '' TERM HUP INT; while :; do sleep 1000; done",
];

/// What was started for a daemon, itself and its wrapper included, by the marker that all
/// of it carries.
fn marked(daemon: uuid::Uuid) -> Vec<u32> {
    let entry = format!("OAD_DAEMON={}:{}", std::process::id(), daemon.simple());
    let is_marked = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
            environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
        })
    };
    support::pids().filter(is_marked).collect()
}

#[tokio::test]
async fn daemon_that_dies_under_a_wrapper_that_lives_on_is_told_soon() {
    let folder = Folder::new();
    for (number, lines) in LINGERING.iter().enumerate() {
        let wrapper = folder.script(&format!("wrapper{number}"), lines);
        let mut took = Vec::new();
        for _ in 0..5 {
            let lab = wrapped(&wrapper).await.expect("it works");
            let id = lab.daemon().id();
            assert!(marked(id).len() >= 2, "the daemon and its wrapper");
            let call = tokio::spawn(lab.block(SECOND * 600));
            lab.log().await.expect("the call is there");
            let killed = Instant::now();
            support::signal(lab.pid(), "-KILL");
            let error = call.await.expect("it does not panic").expect_err("it is dead");
            took.push(killed.elapsed());
            let expected = format!(
                "calling Lab.block on daemon {} (Lab): the daemon's process died: its exit status \
                 is unknown (the wrapper \
                 that started it outlived it); the call may have been carried out",
                lab.pid()
            );
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Died, expected));
            let death = error.death().expect("it died");
            assert_eq!((death.pid(), death.status().is_none()), (lab.pid(), true));
            lab.closed().await.expect_err("it died");
            assert_eq!(marked(id), [0; 0]);
        }
        println!(
            "daemon under a wrapper killed: told in {:?} (median)",
            support::median(took.clone())
        );
        // The wrapper's moment is half of that; the rest may be somebody else's, who has
        // the processor just then.
        let best = took.iter().min().expect("there are some");
        assert!(*best < Duration::from_millis(100), "{lines}: {took:?}");
        assert!(support::median(took.clone()) < Duration::from_millis(200), "{lines}: {took:?}");
    }
}

#[tokio::test]
async fn wrapper_that_lives_on_is_ended_after_its_daemon() {
    let folder = Folder::new();
    for (number, lines) in LINGERING.iter().enumerate() {
        let wrapper = folder.script(&format!("wrapper{number}"), lines);
        let mark = folder.0.path().join(format!("mark{number}"));
        let marking = |mark: &Path| {
            let this = std::env::current_exe().expect("it has a path");
            let lab =
                LabProxy::marking(mark, Duration::ZERO).executable(&wrapper).program_arg(this);
            lab.program_arg("oad_test_daemon").program_arg("--exact").program_arg("--nocapture")
        };
        let lab = marking(&mark).await.expect("it works");
        let ended = lab.shutdown().await.expect("it ends");
        assert!(mark.exists(), "the object was dropped");
        assert!(ended.is_clean() && !ended.was_killed() && ended.status().is_none(), "{ended}");
        assert_eq!((ended.pid(), ended.abandoned()), (lab.pid(), Some(0)));
        let expected = "its exit status is unknown (the wrapper that started it outlived it)";
        assert!(ended.to_string().ends_with(expected) && ended.duration() < SECOND * 2, "{ended}");
        assert_eq!(marked(lab.daemon().id()), [0; 0]);

        std::fs::remove_file(&mark).expect("it is there");
        let lab = marking(&mark).await.expect("it works");
        let (id, closed) = (lab.daemon().id(), lab.closed());
        drop(lab);
        assert!(closed.await.expect("it ends").is_clean());
        assert!(mark.exists(), "the object was dropped");
        assert_eq!(marked(id), [0; 0]);
    }
}

#[tokio::test]
async fn wrapper_has_a_moment_to_tidy_up_and_to_tell() {
    let folder = Folder::new();
    let mark = folder.0.path().join("tidied");
    let wrapper = folder.script("wrapper", "\"$@\"; sleep 0.05; echo done > \"$MARK\"; exit 0");
    let lab = wrapped(&wrapper).env("MARK", &mark).await.expect("it works");
    let ended = lab.shutdown().await.expect("it ends");
    assert!(
        ended.is_clean() && ended.status().and_then(|status| status.code()) == Some(0),
        "{ended}"
    );
    assert!(mark.exists());
}

/// Plays the parent that is killed, with a daemon under the wrapper that its part names,
/// after how long its object's drop takes.
#[test]
fn parent_of_a_wrapped_daemon() {
    let Ok(part) = std::env::var(PART) else { return };
    let (drop_takes, wrapper) = part.split_once(' ').expect("it says both");
    let drop_takes = SECOND * drop_takes.parse().expect("it is a number");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let this = std::env::current_exe().expect("it has a path");
        let lab = LabProxy::marking(Path::new("/dev/null"), drop_takes)
            .executable(wrapper)
            .program_arg(this);
        let lab = lab
            .program_arg("oad_test_daemon")
            .program_arg("--exact")
            .program_arg("--nocapture")
            .await
            .expect("it works");
        say(lab.pid());
        tokio::time::sleep(SECOND * 600).await;
    });
}

/// Kills the parent of a daemon under that wrapper, and gives how long it takes until
/// nothing of them is left.
fn kill_parent_of(wrapper: &Path, drop_takes: u32, limit: Duration) -> Duration {
    let mut parent =
        Parent::start("parent_of_a_wrapped_daemon", &format!("{drop_takes} {}", wrapper.display()));
    let daemon: u32 = parent.hear_number();
    // In the middle of an exec a process has no environment to be seen.
    support::wait_until(SECOND, || match parent.census() {
        here if here.len() >= 3 && here.iter().any(|(pid, _)| *pid == daemon) => Ok(()),
        here => Err(format!("{here:?}")),
    });
    parent.kill();
    parent.wait_until_nothing_is_left(limit)
}

#[test]
fn wrapper_that_lives_on_ends_with_its_daemon_when_their_parent_is_killed() {
    let folder = Folder::new();
    let nested = "sh -c '\"$@\"; sleep 1000' sh \"$@\"; sleep 1000";
    let with_a_helper = "sleep 1000 & \"$@\"; wait";
    for (number, lines) in LINGERING.iter().chain(&[nested, with_a_helper]).enumerate() {
        let wrapper = folder.script(&format!("wrapper{number}"), lines);
        let took = (0..5).map(|_| kill_parent_of(&wrapper, 0, SECOND)).collect();
        println!(
            "parent of a wrapped daemon killed: everything gone in {:?} (median): {lines}",
            support::median(took)
        );
    }
}

#[test]
fn wrapper_whose_parent_is_killed_is_asked_before_it_is_killed() {
    let folder = Folder::new();
    let mark = folder.0.path().join("tidied");
    let lines = format!(
        "exec 3<&0; trap 'echo asked > {}; exit 0' TERM; \"$@\" <&3 & wait; sleep 1000",
        mark.display()
    );
    kill_parent_of(&folder.script("wrapper", &lines), 0, SECOND);
    assert_eq!(std::fs::read_to_string(&mark).expect("it has tidied up"), "asked\n");
}

#[test]
fn wrapper_ends_with_a_daemon_whose_ending_hangs_when_their_parent_is_killed() {
    let folder = Folder::new();
    for (number, lines) in LINGERING.iter().enumerate() {
        kill_parent_of(&folder.script(&format!("wrapper{number}"), lines), 600, SECOND * 2);
    }
}

#[tokio::test]
async fn environment_and_directory_are_what_they_are_set_to() {
    let folder = Folder::new();
    let mark = folder.0.path().join("seen");
    let wrapper = folder.script("wrapper", "{ pwd; env; } > \"$MARK\"; exec \"$@\"");
    let lab =
        wrapped(&wrapper).env_clear().env("MARK", &mark).current_dir("/").await.expect("it works");
    let seen = std::fs::read_to_string(&mark).expect("it is written");
    let mut names: Vec<&str> = seen
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    // Some shells tell themselves what they run.
    names.retain(|name| *name != "_");
    names.sort_unstable();
    assert_eq!(seen.lines().next(), Some("/"));
    // The last is the shell's own.
    assert_eq!(names, ["MARK", "OAD_DAEMON", "PWD"], "{seen}");
    drop(lab);
}
