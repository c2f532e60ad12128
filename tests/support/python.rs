//! The interpreter under test: `OAD_PYTHON` names it; the one that `python3` stands for
//! by default.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oad::{PythonBuilder, PythonProxy};

use super::absent::absent;

/// The program itself, also where its name stands for a script that chooses one.
pub fn interpreter() -> PathBuf {
    let named = std::env::var_os("OAD_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(named).args(["-c", "import sys; print(sys.executable)"]).output();
    let printed =
        String::from_utf8(output.expect("there is a python3").stdout).expect("its path is text");
    PathBuf::from(printed.trim_end())
}

/// The definition with the interpreter under test.
pub fn with(python: PythonBuilder) -> PythonBuilder {
    python.interpreter(interpreter())
}

/// A module of one's own, made of its text.
pub async fn script(source: &str) -> PythonProxy {
    with(oad::python_script("script.py", dedent(source))).await.expect("it is made")
}

/// The text without its first line, if that is empty, and without the indentation that
/// all its lines have, so that it can be indented like the code around it.
pub fn dedent(text: &str) -> String {
    let lines = || text.strip_prefix('\n').unwrap_or(text).split_inclusive('\n');
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_blank = |line: &&str| line.trim().is_empty();
    let common = lines().filter(|line| !is_blank(line)).map(indentation).min().unwrap_or(0);
    let dedented = lines().map(|line| if is_blank(&line) { "\n" } else { &line[common..] });
    dedented.collect()
}

/// Makes a virtual environment by the interpreter under test.
pub fn make_environment(folder: &Path, flags: &[&str]) {
    let made = Command::new(interpreter()).args(["-m", "venv"]).args(flags).arg(folder).status();
    assert!(
        made.expect("the interpreter can be started").success(),
        "the standard library makes environments"
    );
}

/// A virtual environment with numpy, or `None` where it cannot be had, which is said.
pub fn environment_with_numpy(folder: &Path) -> Option<PathBuf> {
    let has_numpy = |python: &Path| {
        let mut command = Command::new(python);
        let imported = command.args(["-c", "import numpy"]).stderr(Stdio::null()).status();
        imported.is_ok_and(|status| status.success())
    };
    let python = interpreter();
    if has_numpy(&python) {
        make_environment(folder, &["--without-pip", "--system-site-packages"]);
        return has_numpy(&folder.join("bin/python")).then(|| folder.to_owned()).or(Some(python));
    }
    // Some distributions leave out what puts pip there.
    let made =
        Command::new(&python).args(["-m", "venv"]).arg(folder).stdout(Stdio::null()).status();
    if made.expect("the interpreter can be started").success() {
        let words = "-m pip --quiet --disable-pip-version-check --no-input --retries 0 \
                     --timeout 15 install --only-binary :all: numpy";
        let mut command = Command::new(folder.join("bin/python"));
        // What it says of its own troubles is in nobody's way.
        let _ = command
            .args(words.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    let has_it = has_numpy(&folder.join("bin/python"));
    if !has_it {
        absent(&format!("{} has no numpy, and pip cannot install it", python.display()));
    }
    has_it.then(|| folder.to_owned())
}
