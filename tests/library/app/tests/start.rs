//! Daemons of a program that calls no `init`, because a library does it for all.

use std::process::Command;

/// This binary is started again as a daemon too, without a helper test.
#[tokio::test]
async fn tests_need_no_helper() {
    app::work().await.expect("the objects work");
}

#[test]
fn program_without_init_runs_its_main_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_plain")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "main\ndone\n", "{output:?}");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn entry_point_of_the_re_exported_crate_works() {
    let output = Command::new(env!("CARGO_BIN_EXE_app")).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{output:?}");
}

/// A program that a daemon's object might start: it inherits the variable, not the
/// lifeline.
#[test]
fn inherited_environment_does_not_make_a_daemon() {
    let marker = format!("{}:{:032x}", std::process::id(), 7);
    let output = Command::new(env!("CARGO_BIN_EXE_plain"))
        .env("OAD_DAEMON", marker)
        .output()
        .expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "main\ndone\n", "{output:?}");
}
