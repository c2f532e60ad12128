//! Python objects in use: by many threads, wherever they are found, by all operators, in
//! great numbers, and in interpreters that lie. `OAD_PYTHON` names the interpreter.

#[path = "../support/mod.rs"]
mod support;

mod fake;
mod found;
mod many;
mod operators;
mod threads;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use support::until;

oad::test_daemon!();

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory can be written to")
}

fn write(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).expect("there is room");
    path.to_owned()
}

/// A file that can be run.
fn program(path: &Path, text: &str) -> PathBuf {
    write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path.to_owned()
}
