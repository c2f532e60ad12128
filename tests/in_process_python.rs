//! Python objects below a daemon within the program itself, as a library may use them: no
//! `init`, and nothing is left when the program ends.

use std::time::Duration;

use oad::PythonProxy;
use support::python::with;
use support::{PART, Parent, say};

mod support;

/// Plays the program, which never calls `oad::init`: it uses a Python object and a process
/// that this has started, and ends in the way that its part names.
#[test]
fn program_with_python() {
    let Some(part) = std::env::var_os(PART) else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let kept = runtime.block_on(async {
        let daemon = oad::daemon().in_process().await.expect("the daemon starts");
        let os = with(oad::python_module("os")).within(&daemon).await.expect("python starts");
        let interpreter: u32 = os.call("getpid", ()).await.expect("getpid returns");
        let subprocess: PythonProxy =
            with(oad::python_module("subprocess")).within(&daemon).await.expect("it is imported");
        let sleep: PythonProxy =
            subprocess.call("Popen", (["sleep", "600"],)).await.expect("sleep starts");
        say(interpreter);
        say(sleep.getattr::<u32>("pid").await.expect("it has a pid"));
        (os, subprocess, sleep)
    });
    match part.to_str() {
        Some("return") => drop(kept),
        // The proxies are never dropped.
        Some("exit") => std::process::exit(0),
        Some("leak") => std::mem::forget((kept, runtime)),
        other => panic!("unknown part {other:?}"),
    }
}

/// Runs the program and checks that its interpreter and the process below it end with it.
fn leaves_nothing(part: &str) {
    let mut program = Parent::start("program_with_python", part);
    let pids: [u32; 2] = [program.hear_number(), program.hear_number()];
    assert!(program.process.wait().expect("it is our child").success());
    support::wait_until(Duration::from_secs(5), || {
        let left: Vec<u32> =
            pids.into_iter().filter(|pid| support::state(*pid).is_some()).collect();
        let census = program.census();
        match left.is_empty() && census.is_empty() && program.directories().is_empty() {
            true => Ok(()),
            false => Err(format!("left: {left:?} {census:?} {:?}", program.directories())),
        }
    });
}

#[test]
fn program_that_returns_leaves_nothing() {
    leaves_nothing("return");
}

#[test]
fn program_that_exits_with_proxies_leaves_no_interpreter() {
    leaves_nothing("exit");
}

#[test]
fn program_that_forgets_its_proxies_leaves_no_interpreter() {
    leaves_nothing("leak");
}
