//! Interpreters as they are found: virtual environments, old ones, hostile surroundings;
//! and what they print. `OAD_PYTHON` names the interpreter.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::future::IntoFuture as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use oad::value::Array;
use oad::{Daemon, ErrorKind, PythonProxy, Remote as _, Value};
use support::absent::{absent, skip};
use support::log_capture::LogCapture;
use support::python::{
    dedent, environment_with_numpy, interpreter, make_environment, script, with,
};
use tracing::instrument::WithSubscriber as _;

#[path = "../support/mod.rs"]
mod support;

mod refused;

oad::test_daemon!();

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("the temporary directory can be written to")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("there is room");
    fs::write(path, text).expect("there is room");
}

fn program(path: &Path, lines: &str) -> PathBuf {
    write(path, &format!("#!/bin/sh\n{lines}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path.to_owned()
}

/// A virtual environment in a folder with one module in it.
fn environment() -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let environment = folder.path().join("venv");
    make_environment(&environment, &["--without-pip"]);
    let libraries = fs::read_dir(environment.join("lib")).expect("it has libraries").flatten();
    let library =
        libraries.map(|entry| entry.path()).find(|path| path.join("site-packages").is_dir());
    let packages = library.expect("packages have a place").join("site-packages");
    write(&packages.join("oad_dropped.py"), "where = __file__\ndef double(n): return n * 2\n");
    (folder, environment)
}

/// When everything below a folder was last written, and how large it is.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut listed = BTreeMap::new();
    let mut ahead = vec![folder.to_owned()];
    while let Some(path) = ahead.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            ahead.extend(
                fs::read_dir(&path).expect("it can be read").flatten().map(|entry| entry.path()),
            );
        }
        listed.insert(path, (metadata.modified().expect("it is kept"), metadata.len()));
    }
    listed
}

/// Uses an environment, named in one way or the other.
async fn use_environment(daemon: &Daemon, named: &Path, prefix: &Path) {
    let made = |python: oad::PythonBuilder| python.interpreter(named).within(daemon).into_future();
    let module = made(oad::python_module("oad_dropped")).await.expect("the environment is seen");
    assert_eq!(module.call::<i64>("double", (4,)).await.expect("it answers"), 8);
    assert!(
        Path::new(&module.getattr::<String>("where").await.expect("it answers"))
            .starts_with(prefix)
    );
    let sys = made(oad::python_module("sys")).await.expect("it is made");
    assert_eq!(Path::new(&sys.getattr::<String>("prefix").await.expect("it answers")), prefix);
    assert_ne!(
        sys.getattr::<String>("base_prefix").await.expect("it answers"),
        prefix.to_string_lossy()
    );
    // It is imported there for the first time, from the standard library and from the
    // environment.
    let version = made(oad::python("fractions", "Fraction").arg("1/3")).await.expect("it is made");
    assert_eq!(version.str().await.expect("it answers"), "1/3");
}

/// A daemon that may write only where its files' permissions say so. The superuser's is
/// one that has given its privilege away, or `None` where that cannot be done.
async fn daemon_without_privilege(folder: &Path) -> Option<Daemon> {
    if !rustix::process::geteuid().is_root() {
        return Some(oad::daemon().await.expect("a daemon can be made"));
    }
    let drops = "setpriv --bounding-set=-dac_override,-dac_read_search \
                 --inh-caps=-dac_override,-dac_read_search";
    let works = Command::new("/bin/sh")
        .args(["-c", &format!("{drops} true")])
        .stderr(Stdio::null())
        .status();
    if !works.is_ok_and(|status| status.success()) {
        absent("setpriv cannot drop privileges here, and the superuser could have written anyway");
        return None;
    }
    let this = std::env::current_exe().expect("the test has a path");
    let lines = format!("exec {drops} '{}' oad_test_daemon --exact --nocapture", this.display());
    let daemon = oad::daemon().executable(program(&folder.join("unprivileged"), &lines));
    Some(daemon.await.expect("a daemon can be made"))
}

/// A base installation of one's own, for `PYTHONHOME`: links to all of the standard
/// library, in folders that are not links.
fn base_installation(folder: &Path) -> PathBuf {
    let output = Command::new(interpreter())
        .args(["-c", "import os; print(os.path.dirname(os.__file__))"])
        .output();
    let printed =
        String::from_utf8(output.expect("it can be started").stdout).expect("its path is text");
    let library = PathBuf::from(printed.trim_end());
    let last_two = library.iter().rev().take(2).collect::<Vec<_>>();
    let copy = folder.join(last_two[1]).join(last_two[0]);
    let omitted = ["__pycache__", "site-packages", "dist-packages", "test", "tests"];
    let mut ahead = vec![(library, copy)];
    while let Some((from, to)) = ahead.pop() {
        fs::create_dir_all(&to).expect("there is room");
        for entry in fs::read_dir(from).expect("it can be read").flatten() {
            let (name, kind) = (entry.file_name(), entry.file_type().expect("it is known"));
            match kind.is_dir() {
                true if omitted.iter().any(|omitted| name == *omitted) => {}
                true => ahead.push((entry.path(), to.join(name))),
                false => symlink(entry.path(), to.join(name)).expect("there is room"),
            }
        }
    }
    folder.to_owned()
}

#[tokio::test]
async fn environment_is_seen_by_its_folder_and_by_its_interpreter_and_nothing_is_written_there() {
    let (_folder, environment) = environment();
    let before = listing(&environment);
    let daemon = oad::daemon().await.expect("a daemon can be made");
    for named in
        [environment.clone(), environment.join("bin/python"), environment.join("bin/python3")]
    {
        use_environment(&daemon, &named, &environment).await;
    }
    assert_eq!(listing(&environment), before);
}

#[tokio::test]
async fn nothing_is_written_into_the_base_installation() {
    let folder = folder();
    let home = base_installation(folder.path());
    let before = listing(&home);
    let daemon = oad::daemon().env("PYTHONHOME", &home);
    // Whatever this process has been told not to write.
    let daemon = daemon.env("PYTHONDONTWRITEBYTECODE", "").env("PYTHONPYCACHEPREFIX", "");
    let daemon = daemon.await.expect("a daemon can be made");
    for module in ["fractions", "xml.dom.minidom", "concurrent.futures", "unittest"] {
        let module =
            with(oad::python_module(module)).within(&daemon).await.expect("it is imported");
        let file: String = module.getattr("__file__").await.expect("it answers");
        assert!(Path::new(&file).starts_with(&home), "{file}");
        module.describe().await.expect("it describes");
    }
    assert_eq!(listing(&home), before);
    // An interpreter that is left alone writes there what it has compiled.
    let mut alone = Command::new(interpreter());
    alone
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env_remove("PYTHONPYCACHEPREFIX")
        .env("PYTHONHOME", &home);
    assert!(alone.args(["-c", "import fractions"]).status().expect("it can be started").success());
    assert_ne!(listing(&home), before);
}

#[tokio::test]
async fn environment_that_cannot_be_written_to_is_used() {
    let (folder, environment) = environment();
    let change = |mode: u32| {
        for path in listing(&environment).into_keys().filter(|path| !path.is_symlink()) {
            let now = fs::metadata(&path).expect("it is there").permissions().mode();
            let then = if mode == 0 { now & !0o222 } else { now | mode };
            fs::set_permissions(&path, fs::Permissions::from_mode(then)).expect("it is ours");
        }
    };
    change(0);
    let before = listing(&environment);
    match daemon_without_privilege(folder.path()).await {
        Some(daemon) => {
            use_environment(&daemon, &environment, &environment).await;
            let builtins =
                with(oad::python_module("builtins")).within(&daemon).await.expect("it is made");
            for place in [&environment, &environment.join("bin")] {
                let error = builtins
                    .call::<PythonProxy>("open", (place.join("new"), "w"))
                    .await
                    .expect_err("it may not");
                assert_eq!(
                    error.exception().expect("Python raised it").type_name(),
                    "PermissionError"
                );
            }
        }
        None => {
            let daemon = oad::daemon().await.expect("a daemon can be made");
            use_environment(&daemon, &environment, &environment).await;
        }
    }
    assert_eq!(listing(&environment), before);
    change(0o200);
}

#[tokio::test]
async fn current_directory_does_not_shadow_the_standard_library() {
    let folder = folder();
    for name in ["socket", "json", "marshal", "linecache", "inspect", "traceback", "threading"] {
        write(
            &folder.path().join(format!("{name}.py")),
            "raise RuntimeError('the shadow of a module')\n",
        );
    }
    let json = with(oad::python_module("json"))
        .current_dir(folder.path())
        .await
        .expect("it is the true one");
    assert_eq!(json.call::<Vec<i64>>("loads", ("[1]",)).await.expect("it answers"), [1]);
    let here =
        with(oad::python("os", "getcwd")).current_dir(folder.path()).await.expect("it is made");
    let here = PathBuf::from(here.str().await.expect("it answers"));
    assert_eq!(here, folder.path().canonicalize().expect("it is there"));
    with(oad::python_name("socket", "AF_INET"))
        .within(json.daemon())
        .await
        .expect("it is the true one");
    assert_eq!(
        fs::read_dir(folder.path()).expect("it is there").count(),
        7,
        "nothing was written there"
    );
}

#[tokio::test]
async fn path_entries_and_the_environment_reach_the_interpreter() {
    let (first, second) = (folder(), folder());
    write(&first.path().join("oad_here.py"), "who = 'first'\n");
    write(&second.path().join("oad_here.py"), "who = 'second'\n");
    write(&second.path().join("oad_there.py"), "import os\nwho = os.environ['OAD_WHO']\n");
    let path =
        |python: oad::PythonBuilder| python.path_entry(first.path()).path_entry(second.path());
    let here = path(with(oad::python_module("oad_here")))
        .env("OAD_WHO", "you")
        .await
        .expect("it is found");
    assert_eq!(here.getattr::<String>("who").await.expect("it answers"), "first");
    let there = path(with(oad::python_module("oad_there")))
        .within(here.daemon())
        .await
        .expect("it is found");
    assert_eq!(there.getattr::<String>("who").await.expect("it answers"), "you");
    let left: Vec<_> = [&first, &second].map(|folder| listing(folder.path()).len()).into();
    assert_eq!(left, [2, 3], "nothing was written there");
}

/// A folder beside the current directory, and its path from there.
fn folder_seen_from_here() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(".").expect("the current directory can be written to");
    let relative = Path::new(".").join(folder.path().file_name().expect("it has a name"));
    (folder, relative)
}

#[tokio::test]
async fn relative_paths_are_those_of_the_caller() {
    let (kept, here) = folder_seen_from_here();
    let elsewhere = folder();
    write(&here.join("libraries/oad_library.py"), "who = 'library'\n");
    write(
        &here.join("oad_file.py"),
        "import os\nos.chdir('/')\nimport oad_library\nwho = 'file', oad_library.who\n",
    );
    let file = with(oad::python_file(here.join("oad_file.py"))).path_entry(here.join("libraries"));
    let file = file.current_dir(elsewhere.path()).await.expect("it is found from elsewhere");
    assert_eq!(
        file.getattr::<(String, String)>("who").await.expect("it answers"),
        ("file".into(), "library".into())
    );

    make_environment(&here.join("venv"), &["--without-pip"]);
    let environment = std::path::absolute(here.join("venv")).expect("there is a current directory");
    for named in ["venv", "venv/bin/python"] {
        let sys =
            oad::python_module("sys").interpreter(here.join(named)).current_dir(elsewhere.path());
        let prefix: String = sys
            .await
            .expect("it is found from elsewhere")
            .getattr("prefix")
            .await
            .expect("it answers");
        assert_eq!(Path::new(&prefix), environment);
    }
    // A word without `/` is a name, or else a folder that is here.
    let name = kept.path().file_name().expect("it has one");
    let error = oad::python("", "str")
        .interpreter(name)
        .current_dir("/")
        .await
        .expect_err("it is not an environment");
    let kept = std::path::absolute(kept.path()).expect("there is a current directory");
    let told = format!("`{}` is not a virtual environment", kept.display());
    assert!(error.to_string().contains(&told), "{error}");
}

#[tokio::test]
async fn what_runs_before_the_agent_may_print() {
    let folder = folder();
    write(
        &folder.path().join("sitecustomize.py"),
        "import sys\nprint('x' * 200000)\nprint('y', file=sys.stderr)\n",
    );
    let told = LogCapture::default();
    let made = async {
        let text = with(oad::python("", "str")).arg("text").env("PYTHONPATH", folder.path()).await;
        let text = text.expect("it disturbs nothing");
        assert_eq!(text.str().await.expect("it answers"), "text");
        text.shutdown().await.expect("it ends");
    };
    made.with_subscriber(told.subscriber()).await;
    assert!(told.lines().iter().any(|line| line.contains("oad::output: y pid=")), "it was told");
}

#[tokio::test]
async fn output_arrives_line_by_line_with_the_pid() {
    let source = r#"
        import faulthandler, os, sys
        def pid(): return os.getpid()
        def noise():
            print('one\x1b[31m')
            sys.stderr.write('two\n')
            os.write(1, b'three\xff\n')
            os.system('echo four; echo five >&2')
            faulthandler.dump_traceback(2)
    "#;
    let told = LogCapture::default();
    let pids = async {
        let script = script(source).await;
        let pid: u32 = script.call("pid", ()).await.expect("it answers");
        script.call::<()>("noise", ()).await.expect("it answers");
        script.shutdown().await.expect("it ends");
        (pid, script.pid())
    };
    let (pid, daemon) = pids.with_subscriber(told.subscriber()).await;
    let lines = told.lines();
    let expected = [
        ("INFO", "stdout", "one\\u{1b}[31m"),
        ("WARN", "stderr", "two"),
        ("INFO", "stdout", "three\\xff"),
        ("INFO", "stdout", "four"),
        ("WARN", "stderr", "five"),
    ];
    told.assert_output(pid, daemon, &expected);
    // This one comes from the interpreter's own C code.
    assert!(lines.iter().any(|line| line.contains("File \"script.py\"")), "{lines:#?}");
}

#[tokio::test]
async fn arrays_of_numpy_cross_in_both_directions() {
    let folder = folder();
    let Some(environment) = environment_with_numpy(&folder.path().join("venv")) else { return };
    let source = r#"
        import numpy
        def turn(x): return x.T.copy()
        def kind(x): return type(x).__name__, x.dtype.str
        def sum(x): return x.sum()
        half = numpy.float64(0.5)
        whole = numpy.int32(-7)
        yes = numpy.bool_(True)
        view = numpy.arange(6, dtype='>i2').reshape(2, 3)[:, ::2]
    "#;
    let script = oad::python_script("script.py", dedent(source))
        .interpreter(environment)
        .await
        .expect("it is made");
    let sent = Array::from_slice(&[1.5f64, -0.0, f64::NAN, 4.0, 5.0, 6.0])
        .into_numpy(&[2, 3])
        .expect("six numbers");
    let turned: Array = script.call("turn", (&sent,)).await.expect("it answers");
    assert_eq!((turned.dtype().as_str(), turned.shape()), ("<f8", &[3, 2][..]));
    let bits = |numbers: Vec<f64>| numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let expected = bits(vec![1.5, 4.0, -0.0, 5.0, f64::NAN, 6.0]);
    assert_eq!(bits(turned.to_vec().expect("they are floats")), expected);
    let back: Array = script.call("turn", (&turned,)).await.expect("it answers");
    assert_eq!(back, sent);
    let kind: (String, String) = script.call("kind", (&sent,)).await.expect("it answers");
    assert_eq!(kind, ("ndarray".into(), "<f8".into()));
    let bytes = Array::from_slice(&[250u8, 10]).into_numpy(&[2]).expect("two numbers");
    assert_eq!(script.call::<u64>("sum", (bytes,)).await.expect("it answers"), 260);

    assert_eq!(
        script.getattr::<f64>("half").await.expect("it answers").to_bits(),
        0.5f64.to_bits()
    );
    assert_eq!(script.getattr::<i64>("whole").await.expect("it answers"), -7);
    assert!(script.getattr::<bool>("yes").await.expect("it answers"));
    let half: Value = script.getattr("half").await.expect("it answers");
    let kind: (String, String) = script.call("kind", (half,)).await.expect("it answers");
    assert_eq!(
        kind,
        ("float64".into(), "<f8".into()),
        "a number of numpy's is one when it comes back"
    );
    let view: Vec<Vec<i16>> = script.getattr("view").await.expect("it answers");
    assert_eq!(view, [[0, 2], [3, 5]]);
    let view: Array = script.getattr("view").await.expect("it answers");
    assert_eq!((view.dtype().as_str(), view.shape()), (">i2", &[2, 2][..]));
}
