//! A program that does not call `oad::init`, and one that only inherits a daemon's
//! environment. There is no `oad::test_daemon!` here on purpose.

use oad::ErrorKind;

mod support;

#[derive(serde::Serialize, serde::Deserialize)]
struct Plain;

#[oad::object]
impl Plain {
    fn new() -> Self {
        Plain
    }
}

const ADVICE: &str = "make `oad::init();` the first line of `main`, or write `#[oad::main]` on \
                      it; in tests, put \
                      `oad::test_daemon!();` at the top of the file";

/// Plays the program that forgets.
#[test]
fn forgetful_program() {
    if std::env::var_os(support::PART).is_none() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(PlainProxy::new().into_future()).expect_err("init has not run");
    assert_eq!(error.kind(), ErrorKind::NotInitialized);
    support::say(error);
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn program_that_forgets_init_reads_which_line_to_add_and_starts_nothing() {
    let mut program = support::Parent::start("forgetful_program", "go");
    let expected = format!(
        "starting a daemon for Plain: this program cannot be started again as a daemon; {ADVICE}"
    );
    assert_eq!(program.hear().join(" "), expected);
    let here: Vec<u32> = program.census().into_iter().map(|(pid, _)| pid).collect();
    assert_eq!(here, [program.pid()], "no second process");
    program.kill();
}

/// The same when another program is named: the child, this binary, makes a daemon itself
/// instead of serving. It is refused, and is no fork bomb.
#[tokio::test]
async fn child_that_forgets_init_is_refused_when_it_makes_a_daemon_itself() {
    let this = std::env::current_exe().expect("it has a path");
    let spawning = PlainProxy::new().executable(&this);
    let error = spawning
        .program_arg("child_that_makes_a_daemon")
        .program_arg("--exact")
        .program_arg("--nocapture")
        .env(support::PART, "child");
    let error = error.await.expect_err("it does not serve");
    assert_eq!(error.kind(), ErrorKind::Spawn, "{error:?}");
    let expected = format!(
        "`{}` ended before it was ready: exited with code 101, its stderr ended with",
        this.display()
    );
    assert!(error.to_string().contains(&expected), "{error}");
    let stderr = error.death().expect("it ended").stderr();
    assert!(
        stderr.contains(
            "this process was started as a daemon, but starts one itself instead of serving"
        ),
        "{stderr}"
    );
}

#[test]
fn child_that_makes_a_daemon() {
    if std::env::var_os(support::PART).is_none() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // By another executable, which needs no `init` in this one; only that this one was
    // started as a daemon forbids it.
    let error = runtime
        .block_on(PlainProxy::new().executable("/bin/true").into_future())
        .expect_err("it is refused");
    panic!("{error}");
}

#[tokio::test]
async fn programs_that_are_no_daemons_are_told_apart() {
    let missing =
        PlainProxy::new().executable("/nowhere/at/all").await.expect_err("it is not there");
    let expected = "starting a daemon for Plain: failed to start `/nowhere/at/all`: No such file \
                    or directory (os error 2); \
                    check the path; for a script, also the interpreter in its first line";
    assert_eq!((missing.kind(), missing.to_string().as_str()), (ErrorKind::Spawn, expected));

    let folder = PlainProxy::new().executable("/tmp").await.expect_err("it is a folder");
    assert!(folder.to_string().contains("it must be a file with execute permission"), "{folder}");

    let brief = PlainProxy::new().executable("/bin/false").await.expect_err("it exits");
    assert!(
        brief.to_string().contains(
            "`/bin/false` ended before it was ready: exited with code 1; check that its \
                       `main` calls"
        ),
        "{brief}"
    );

    let timeout = std::time::Duration::from_millis(300);
    let start = std::time::Instant::now();
    let silent = PlainProxy::new()
        .executable("/bin/sleep")
        .program_arg("1000")
        .start_timeout(timeout)
        .await
        .expect_err("silent");
    assert_eq!(silent.kind(), ErrorKind::Handshake, "{silent}");
    assert!(
        silent.to_string().contains(
            "`/bin/sleep` was not ready within 300ms; check that its `main` calls \
                       `oad::init()` first"
        ),
        "{silent}"
    );
    assert!(start.elapsed() < timeout * 3, "{:?}", start.elapsed());
}
