//! What one interpreter has compiled of the agent serves the next ones. In a program of
//! its own, because a process keeps it as long as it lives.

use std::fs;
use std::path::Path;
use std::process::Command;

use oad::Daemon;
use support::python::{interpreter, with};

mod support;

oad::test_daemon!();

/// The descriptors of a process that stand for a compiled agent.
fn agents_of(pid: u32) -> usize {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives");
    let targets = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.starts_with("/memfd:oad-agent (deleted)")).count()
}

fn agents_here() -> usize {
    agents_of(std::process::id())
}

/// Notes in `notes` each text of an agent that the interpreter compiles. 3.6 and 3.7 have
/// no audit hooks.
fn hook(folder: &Path, notes: &Path) {
    let text = format!(
        "
import sys
def note(event, arguments):
    if event == 'compile' and arguments[1] == '<oad agent>':
        with open({notes:?}, 'a') as file:
            file.write('compiled\\n')
if sys.version_info >= (3, 8):
    sys.addaudithook(note)
"
    );
    fs::write(folder.join("sitecustomize.py"), text).expect("there is room");
}

/// How often the agent was compiled; `None` if this Python cannot tell.
fn compiled(notes: &Path) -> Option<usize> {
    let print = "import sys; print(sys.version_info >= (3, 8))";
    let output = Command::new(interpreter()).args(["-c", print]).output();
    let can_tell = output.expect("it can be started").stdout == b"True\n";
    let text = fs::read_to_string(notes).unwrap_or_default();
    can_tell.then(|| text.lines().count())
}

async fn use_interpreter(daemon: &Daemon) {
    let list = with(oad::python_value(vec![1, 2])).within(daemon).await.expect("it is made");
    assert_eq!(list.len().await.expect("it is a list"), 2);
}

#[tokio::test]
async fn agent_is_compiled_once_by_a_build_for_daemons_of_this_program() {
    let folder = tempfile::tempdir().expect("there is room");
    let notes = folder.path().join("notes");
    hook(folder.path(), &notes);
    let daemon = || oad::daemon().env("PYTHONPATH", folder.path());
    assert_eq!(agents_here(), 0);

    // What a program says that was named is not trusted, even if it is this one.
    let this = std::env::current_exe().expect("it has a path");
    let named = daemon().executable(this);
    let named = ["oad_test_daemon", "--exact", "--nocapture"]
        .into_iter()
        .fold(named, |daemon, argument| daemon.program_arg(argument))
        .await
        .expect("it starts");
    use_interpreter(&named).await;
    assert_eq!(agents_of(named.pid()), 1, "the daemon keeps its own");
    assert_eq!(agents_here(), 0);
    assert!(compiled(&notes).is_none_or(|count| count == 1));

    for _ in 0..3 {
        let own = daemon().await.expect("it starts");
        use_interpreter(&own).await;
        assert_eq!(agents_here(), 1);
        let given = daemon().over_grpc().await.expect("it starts");
        assert_eq!(agents_of(given.pid()), 1, "it was given one");
        use_interpreter(&given).await;
        assert!(compiled(&notes).is_none_or(|count| count == 2));
    }
}
