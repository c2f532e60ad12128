//! Programs that become daemons by way of a wrapper, and programs that do not become
//! daemons at all.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oad::{ErrorKind, Remote as _, Spawn, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say};

mod support;

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

/// Runs a program that does not become a daemon, and gives what is said of it, without
/// what is different every time.
async fn complaint(executable: &Path) -> (ErrorKind, String) {
    let start = Instant::now();
    let error = wrapped(executable).start_timeout(TIMEOUT).await.expect_err("it is no daemon");
    assert!(start.elapsed() < TIMEOUT + 10 * SECOND, "{:?}: {error}", start.elapsed());
    let message = error.to_string().replace(&executable.display().to_string(), "PROGRAM");
    let message = message
        .strip_prefix("starting a daemon for Lab")
        .expect("it says what was tried")
        .to_owned();
    let message = match message.strip_prefix(" on daemon ") {
        Some(on) => {
            let (pid, rest) = on.split_once(' ').expect("it names the pid");
            assert_eq!(
                support::state(pid.parse().expect("it is a number")),
                None,
                "nothing is left: {error}"
            );
            rest.strip_prefix("(Lab): ").expect("it names the object").to_owned()
        }
        None => message.trim_start_matches(": ").to_owned(),
    };
    (error.kind(), message)
}

#[tokio::test]
async fn files_that_cannot_be_started_say_why() {
    let folder = Folder::new();
    let other_machine: Vec<u8> =
        [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0\x01\0\0\0"[..], &[0; 40]].concat();
    let cases = [
        (folder.0.path().join("missing"), "No such file or directory (os error 2); check the path"),
        (
            folder.0.path().join("missing/more"),
            "No such file or directory (os error 2); check the path",
        ),
        (
            folder.0.path().to_owned(),
            "Permission denied (os error 13); it must be a file with execute permission",
        ),
        (
            folder.file("plain", b"#!/bin/sh\n", 0o644),
            "Permission denied (os error 13); it must be a file",
        ),
        (
            folder.file("orphan", b"#!/no/such/shell\n", 0o755),
            "No such file or directory (os error 2); check the path; for a script, also the \
             interpreter",
        ),
        (
            folder.file("foreign", &other_machine, 0o755),
            "Exec format error (os error 8); not an executable for this machine",
        ),
        (
            folder.file("text", b"exec \"$@\"\n", 0o755),
            "Exec format error (os error 8); not an executable for this machine; a script needs a \
             `#!` line",
        ),
        (
            folder.file("empty", b"", 0o755),
            "Exec format error (os error 8); not an executable for this machine",
        ),
    ];
    for (executable, expected) in cases {
        let (kind, message) = complaint(&executable).await;
        let expected = format!("failed to start `PROGRAM`: {expected}");
        assert_eq!(kind, ErrorKind::Spawn, "{message}");
        assert!(message.starts_with(&expected), "{message}\n{expected}");
    }
    let nowhere =
        wrapped(Path::new("/bin/true")).current_dir("/nowhere").await.expect_err("it is not there");
    assert!(
        nowhere.to_string().contains("working directory `/nowhere` does not exist"),
        "{nowhere}"
    );
}

#[tokio::test]
async fn programs_that_do_not_serve_say_how_they_failed() {
    let folder = Folder::new();
    let early = "`PROGRAM` ended before it was ready: ";
    let silent =
        "`PROGRAM` was not ready within 400ms; check that its `main` calls `oad::init()` first";
    let garbled = "`PROGRAM` wrote something other than oad's handshake: `";
    let cases = [
        (
            "true",
            ErrorKind::Spawn,
            format!(
                "{early}exited with code 0; check that its `main` \
                                            calls `oad::init()` first"
            ),
        ),
        ("exit 3", ErrorKind::Spawn, format!("{early}exited with code 3")),
        ("kill -SEGV $$", ErrorKind::Spawn, format!("{early}killed by signal 11 (SIGSEGV)")),
        ("kill -9 $$", ErrorKind::Spawn, format!("{early}killed by signal 9 (SIGKILL)")),
        ("head -c 10 <&0; exit 4", ErrorKind::Spawn, format!("{early}exited with code 4")),
        // It daemonizes: the first process ends, and what it left is ended too.
        ("sleep 1000 & exit 0", ErrorKind::Spawn, format!("{early}exited with code 0")),
        ("exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("trap '' TERM; while :; do sleep 1000; done", ErrorKind::Handshake, silent.to_owned()),
        ("exec 0<&-; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("exec cat", ErrorKind::Handshake, silent.to_owned()),
        ("yes | head -c 1000000; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("printf '{\"Ready\"' >&0; exec sleep 1000", ErrorKind::Handshake, silent.to_owned()),
        ("echo Hello >&0; exec sleep 1000", ErrorKind::Handshake, format!("{garbled}Hello\\n`")),
        (
            "echo '{\"Ready\":1}' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}{{\\\"Ready\\\":1}}\\n`"),
        ),
        (
            "printf '\\000\\033[31m\\n' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}\\x00\\x1b[31m\\n`"),
        ),
        (
            "exec 3>&0; yes | tr -d '\\n' | head -c 10000000 >&3; exec sleep 1000",
            ErrorKind::Handshake,
            format!("{garbled}yyyyyyyy"),
        ),
        (
            "echo '{\"OtherVersion\":{\"protocol\":99}}' >&0; exec sleep 1000",
            ErrorKind::Version,
            "`PROGRAM` uses version 99 of oad's protocol, but this program uses version 1; build \
             both with the same version"
                .to_owned(),
        ),
        (
            "echo '{\"Ready\":{\"protocol\":2,\"pid\":1,\"endpoint\":{\"Unix\":\"/nowhere\"}}}' \
             >&0; exec sleep 1000",
            ErrorKind::Version,
            "`PROGRAM` uses version 2 of oad's protocol".to_owned(),
        ),
        (
            "echo '{\"Failed\":{\"message\":\"no room\"}}' >&0; exec sleep 1000",
            ErrorKind::Spawn,
            "`PROGRAM` cannot be a daemon: no room".to_owned(),
        ),
        (
            "echo '{\"Terminating\":{\"grace\":{\"secs\":18446744073709551615,\"nanos\":0},\
             \"calls\":0}}' >&0; exec sleep 1000",
            ErrorKind::Handshake,
            "`PROGRAM` ended before it was ready".to_owned(),
        ),
        (
            "echo '{\"Ready\":{\"protocol\":1,\"pid\":1,\"endpoint\":{\"Unix\":\"/nowhere\"}}}' \
             >&0; exec sleep 1000",
            ErrorKind::Handshake,
            "failed to connect to unix:/nowhere: No such file or directory".to_owned(),
        ),
    ];
    for (number, (lines, expected_kind, expected)) in cases.iter().enumerate() {
        let (kind, message) = complaint(&folder.script(&format!("case{number}"), lines)).await;
        assert_eq!(kind, *expected_kind, "{lines}: {message}");
        assert!(message.starts_with(expected), "{lines}\nsays    {message}\nand not {expected}");
    }
}

#[tokio::test]
async fn socket_of_another_process_is_not_trusted() {
    let folder = Folder::new();
    let socket = folder.0.path().join("s");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("the path is free");
    let answer = format!(
        "{{\"Ready\":{{\"protocol\":1,\"pid\":1,\"endpoint\":{{\"Unix\":\"{}\"}}}}}}",
        socket.display()
    );
    let (kind, message) =
        complaint(&folder.script("impostor", &format!("echo '{answer}' >&0; exec sleep 1000")))
            .await;
    assert_eq!(kind, ErrorKind::Handshake);
    let expected = format!("process {} listens there instead of daemon 1", std::process::id());
    assert!(message.ends_with(&expected), "{message}");
}

#[tokio::test]
async fn last_words_of_a_program_that_does_not_serve_are_kept() {
    let folder = Folder::new();
    for lines in ["echo 'no such model' >&2; exit 1", "echo 'no such model' >&2; exec sleep 1000"] {
        let error = wrapped(&folder.script("words", lines))
            .start_timeout(TIMEOUT)
            .await
            .expect_err("it is no daemon");
        assert_eq!(error.death().map(oad::Death::stderr), Some("no such model\n"), "{error:?}");
    }
}
