//! Finds the program of an interpreter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::child::python::executable::refusal;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::find_on_path;

/// Finds the interpreter that the caller named: by its path, by the path of a virtual
/// environment, or by a name on `PATH`.
///
/// # Errors
///
/// [`ErrorKind::Spawn`] if it does not exist or cannot be executed.
pub(super) fn pick_interpreter(named: &str) -> Result<PathBuf> {
    let path = PathBuf::from(named);
    if !named.contains('/') {
        // A folder that happens to have the name of an interpreter must not hide it.
        return on_path(named)
            .or_else(|missing| if path.is_dir() { in_environment(&path) } else { Err(missing) });
    }
    let shown = path.display();
    let Ok(metadata) = fs::metadata(&path) else {
        return Err(missing(&path));
    };
    if metadata.is_dir() {
        return in_environment(&path);
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(Error::new(
            ErrorKind::Spawn,
            format!("the interpreter `{shown}` is not executable"),
        )
        .advise("name the path of an interpreter or of a virtual environment"));
    }
    runnable(path)
}

/// The absolute path of a program. A symbolic link is not followed, because an
/// interpreter finds its environment by the path that it is started by.
fn runnable(path: PathBuf) -> Result<PathBuf> {
    let Some(why) = refusal(&path) else {
        return Ok(std::path::absolute(&path).unwrap_or(path));
    };
    let message = format!("the interpreter `{}` is not executable: {why}", path.display());
    Err(Error::new(ErrorKind::Spawn, message)
        .advise("name the path of an interpreter or of a virtual environment"))
}

fn in_environment(folder: &Path) -> Result<PathBuf> {
    let shown = folder.display();
    let bin = folder.join("bin");
    let named = ["python", "python3"].map(|name| bin.join(name));
    if let Some(python) = named.iter().find(|python| python.exists()) {
        return runnable(python.clone());
    }
    if named.iter().any(|python| python.is_symlink()) {
        let message = format!(
            "the interpreter that the virtual environment `{shown}` was created with no longer \
             exists"
        );
        return Err(Error::new(ErrorKind::Spawn, message).advise("create the environment again"));
    }
    Err(Error::new(
        ErrorKind::Spawn,
        format!("`{shown}` is not a virtual environment: `{shown}/bin/python` does not exist"),
    )
    .advise("name an interpreter, or create an environment with `python3 -m venv`"))
}

fn on_path(name: &str) -> Result<PathBuf> {
    let missing = || {
        let message = format!("there is no interpreter `{name}` on the daemon's PATH");
        Error::new(ErrorKind::Spawn, message)
            .advise("install Python, or name an interpreter or a virtual environment by its path")
    };
    find_on_path(name).ok_or_else(missing).and_then(runnable)
}

fn missing(path: &Path) -> Error {
    let shown = path.display();
    if path.is_symlink() {
        return Error::new(
            ErrorKind::Spawn,
            format!("the interpreter `{shown}` is a link to a file that does not exist"),
        )
        .advise("if it belongs to a virtual environment, create that again");
    }
    Error::new(ErrorKind::Spawn, format!("the interpreter `{shown}` does not exist"))
        .advise("check the path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(named: &str) -> String {
        pick_interpreter(named).expect_err("it is not an interpreter").to_string()
    }

    #[test]
    fn errors_say_what_is_missing() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = |name: &str| folder.path().join(name);
        let shown = folder.path().display();
        assert!(
            failure("no-such-python")
                .starts_with("there is no interpreter `no-such-python` on the daemon's PATH")
        );
        assert!(
            failure("/nowhere/python")
                .starts_with("the interpreter `/nowhere/python` does not exist; ")
        );
        assert!(failure(&shown.to_string()).contains("is not a virtual environment: `"));
        fs::write(path("text"), "no program").expect("there is room");
        assert!(failure(&path("text").display().to_string()).contains("is not executable"));
        std::os::unix::fs::symlink("gone", path("link")).expect("there is room");
        assert!(
            failure(&path("link").display().to_string())
                .contains("is a link to a file that does not exist")
        );
        fs::create_dir(path("bin")).expect("there is room");
        std::os::unix::fs::symlink("/gone/python3", path("bin/python")).expect("there is room");
        assert!(failure(&shown.to_string()).contains("was created with no longer exists"));
    }
}
