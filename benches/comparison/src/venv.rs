//! The virtual environment of the Python peers, which is made once below cargo's target
//! directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGES: &[&str] = &["numpy", "pyoad==1.0.2", "execnet", "Pyro5", "rpyc", "grpcio"];

/// Returns the environment's interpreter.
///
/// # Errors
///
/// What could not be run, and what it printed.
pub(crate) fn interpreter(python: &Path) -> Result<PathBuf, String> {
    let program = std::env::current_exe().expect("this program has a path");
    let target = program.parent().expect("this program is in a directory");
    let folder = target.join("oad-bench-venv");
    // The list is written last: an environment that was interrupted has none, and another
    // list of packages makes another environment.
    let (list, complete) = (PACKAGES.join("\n"), folder.join("packages"));
    let interpreter = folder.join("bin/python");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == list) {
        return Ok(interpreter);
    }
    eprintln!("making a virtual environment with {}", PACKAGES.join(" "));
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let words = "-m pip --quiet --disable-pip-version-check --no-input install";
    run(Command::new(&interpreter).args(words.split(' ')).args(PACKAGES))?;
    std::fs::write(complete, list).map_err(|error| error.to_string())?;
    Ok(interpreter)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("failed to run `{command:?}`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let printed = String::from_utf8_lossy(&output.stderr);
            Err(format!("`{command:?}` failed: {}", printed.trim()))
        }
    }
}
