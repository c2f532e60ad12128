//! Which program the interpreter is.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::child::python::executable::refusal;
use crate::common::error::{Error, ErrorKind, Result};

/// Finds the program that a caller has named: by its path, by the path of a virtual
/// environment, or by a name on `PATH`.
///
/// # Errors
///
/// [`ErrorKind::Spawn`] if there is none, with what was looked for.
pub(super) fn choose(named: &str) -> Result<PathBuf> {
    let path = PathBuf::from(named);
    if !named.contains('/') {
        // A folder that happens to have the name of an interpreter must not stand for it.
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
        .advise("is it the path of an interpreter?"));
    }
    runnable(path)
}

/// The absolute path of what can be run. Its link is not followed: an interpreter finds
/// its environment by the path that it is called by.
fn runnable(path: PathBuf) -> Result<PathBuf> {
    let Some(why) = refusal(&path) else {
        return Ok(std::path::absolute(&path).unwrap_or(path));
    };
    let message = format!("the interpreter `{}` is not executable: {why}", path.display());
    Err(Error::new(ErrorKind::Spawn, message).advise("is it the path of an interpreter?"))
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
            "the interpreter that the virtual environment `{shown}` was made with is not there \
             any more"
        );
        return Err(Error::new(ErrorKind::Spawn, message).advise("make the environment anew"));
    }
    Err(Error::new(
        ErrorKind::Spawn,
        format!("the folder `{shown}` is no virtual environment: it has no bin/python"),
    )
    .advise("name the interpreter itself, or make one by `python3 -m venv`"))
}

fn on_path(name: &str) -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| {
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    });
    let missing = || {
        Error::new(
            ErrorKind::Spawn,
            format!("there is no interpreter `{name}` on the daemon's PATH"),
        )
        .advise("install Python, or name an interpreter or a virtual environment by its path")
    };
    found.ok_or_else(missing).and_then(runnable)
}

fn missing(path: &Path) -> Error {
    let shown = path.display();
    if path.is_symlink() {
        return Error::new(
            ErrorKind::Spawn,
            format!("the interpreter `{shown}` is a link to what is not there"),
        )
        .advise("if it is a virtual environment's, make that anew");
    }
    Error::new(ErrorKind::Spawn, format!("there is no interpreter `{shown}`"))
        .advise("check the path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(named: &str) -> String {
        choose(named).expect_err("it is none").to_string()
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = |name: &str| folder.path().join(name);
        let shown = folder.path().display();
        assert!(
            failure("no-such-python")
                .starts_with("there is no interpreter `no-such-python` on the daemon's PATH")
        );
        assert!(
            failure("/nowhere/python").starts_with("there is no interpreter `/nowhere/python`; ")
        );
        assert!(
            failure(&shown.to_string()).contains("is no virtual environment: it has no bin/python")
        );
        fs::write(path("text"), "no program").expect("there is room");
        assert!(failure(&path("text").display().to_string()).contains("is not executable"));
        std::os::unix::fs::symlink("gone", path("link")).expect("there is room");
        assert!(
            failure(&path("link").display().to_string()).contains("is a link to what is not there")
        );
        fs::create_dir(path("bin")).expect("there is room");
        std::os::unix::fs::symlink("/gone/python3", path("bin/python")).expect("there is room");
        assert!(failure(&shown.to_string()).contains("was made with is not there any more"));
    }
}
