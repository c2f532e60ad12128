//! What a test reports when it needs something that this machine does not have.

use std::io::Write as _;

/// Reports that something is absent that CI must have: fails in CI, and elsewhere prints
/// what was not tested.
#[track_caller]
pub fn absent(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}, and CI must have it");
    skip(why);
}

/// Prints that a test was skipped, and why.
pub fn skip(why: &str) {
    announce(&format!("SKIPPED: {why}, so nothing was tested here"));
}

/// Prints a notice even from a test that passes, whose `eprintln!` libtest would capture.
pub fn announce(what: &str) {
    let notice = format!("\n*** {what} ***\n");
    std::io::stderr().write_all(notice.as_bytes()).expect("stderr is open");
}
