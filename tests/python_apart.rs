//! An interpreter and the object in it keep apart: what the object replaces, where it
//! imports from, which signals come, and how long the end may take. `OAD_PYTHON` names
//! the interpreter.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oad::value::{Date, Decimal};
use oad::{PythonBuilder, PythonProxy, Remote as _, ShutdownReport};
use rustix::process::{Pid, Signal, kill_process};
use support::python::{dedent, interpreter, with};
use support::until;

mod support;

oad::test_daemon!();

fn script(source: &str) -> PythonBuilder {
    with(oad::python_script("script.py", dedent(source)))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

/// A program that runs `lines` and then is the interpreter.
fn wrapper(path: &Path, lines: &str) -> PathBuf {
    let text = format!("#!/bin/sh\n{lines}\nexec {} \"$@\"\n", interpreter().display());
    fs::write(path, text).expect("there is room");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path.to_owned()
}

#[tokio::test]
async fn names_that_the_object_replaces_do_not_reach_oad() {
    let source = r#"
        import builtins, datetime, os, sys, time
        from unittest import mock
        def pid():
            with mock.patch('os.getpid', return_value=42), mock.patch('os._exit'):
                return os.getpid()
        def replace():
            def lie(*args, **kwargs): raise RuntimeError('a lie')
            for name in ('sum', 'len', 'map', 'isinstance', 'type', 'id', 'set', 'repr', 'zip'):
                setattr(builtins, name, lie)
            for name in ('sleep', 'monotonic', 'time'): setattr(time, name, lie)
            os.read = os.write = os.getpid = lie
            datetime.datetime = datetime.date = None
            sys.modules.clear()
        def fail(): raise ValueError('it fails')
        def each():
            yield 1
            yield 2
        today = datetime.date(2024, 2, 29)
    "#;
    for over_grpc in [false, true] {
        let made = script(source);
        let made = if over_grpc { made.over_grpc() } else { made };
        let script = made.await.expect("it is made");
        assert_eq!(script.call::<i64>("pid", ()).await.expect("it goes on"), 42);
        script.call::<()>("replace", ()).await.expect("it goes on");
        let today = script.getattr::<Date>("today").await.expect("a date");
        assert_eq!(today.to_string(), "2024-02-29");
        let error = script.call::<()>("fail", ()).await.expect_err("it fails");
        let exception = error.exception().expect("Python raised it");
        assert_eq!((exception.type_name(), exception.message()), ("ValueError", "it fails"));
        assert!(exception.traceback().is_some_and(|text| text.contains("def fail(): raise")));
        let each = script.call_iter::<i64>("each", ()).await.expect("it opens");
        assert_eq!(each.collect::<Vec<_>>().await.expect("it ends"), [1, 2]);
        assert!(script.shutdown().await.expect("it ends").is_clean());
    }
}

#[tokio::test]
async fn files_on_the_path_do_not_replace_what_oad_imports() {
    let folder = folder();
    for name in ["inspect", "decimal", "uuid", "datetime", "numbers", "ast", "typing"] {
        let file = folder.path().join(name).with_extension("py");
        fs::write(file, "raise SystemExit('the wrong file')\n").expect("there is room");
    }
    fs::write(
        folder.path().join("mine.py"),
        "class Mine:\n    'Mine.'\n    def same(self, x): return x\n",
    )
    .expect("there is room");
    let mine = with(oad::python("mine", "Mine")).path_entry(folder.path());
    let mine = mine.await.expect("it is made");
    let described = mine.describe().await.expect("it is described");
    assert_eq!(described.documentation(), "Mine.");
    let amount: Decimal = "1.50".parse().expect("a decimal");
    assert_eq!(mine.call::<Decimal>("same", (&amount,)).await.expect("it is one"), amount);
    // Nor does what PYTHONPATH names.
    for name in ["ast", "datetime", "numbers", "typing"] {
        // Python itself needs them in some environments.
        fs::remove_file(folder.path().join(name).with_extension("py")).expect("it is there");
    }
    let list = with(oad::python_value(vec![1])).env("PYTHONPATH", folder.path());
    let list = list.await.expect("it is made");
    assert!(list.describe().await.expect("it is described").documentation().contains("list"));
    list.call::<()>("append", (&amount,)).await.expect("it is one");
    assert_eq!(list.get_item::<Decimal>(1).await.expect("it is one"), amount);
}

#[tokio::test]
async fn paths_are_found_in_every_locale() {
    let folder = folder();
    let path = folder.path().join("ünï ☃");
    fs::create_dir(&path).expect("there is room");
    let source = "\u{feff}x = 7\ndef fail(): raise ValueError\n";
    fs::write(path.join("mödule.py"), source).expect("there is room");
    fs::write(path.join("plain.py"), "x = 8\n").expect("there is room");
    for locale in ["C", "POSIX", "C.UTF-8", "en_US.ISO-8859-1"] {
        let set = |python: PythonBuilder| {
            let python = with(python).env("LC_ALL", locale).env("PYTHONUTF8", "0");
            python.env("PYTHONCOERCECLOCALE", "0")
        };
        let plain = set(oad::python_module("plain")).path_entry(&path).await.expect(locale);
        assert_eq!(plain.getattr::<i64>("x").await.expect("it is there"), 8, "{locale}");
        let file = set(oad::python_file(path.join("mödule.py"))).await.expect(locale);
        assert_eq!(file.getattr::<i64>("x").await.expect("it is there"), 7, "{locale}");
        let error = file.call::<()>("fail", ()).await.expect_err("it fails");
        let traceback = error.exception().and_then(|exception| exception.traceback());
        let text = traceback.expect("Python raised it").to_string();
        assert!(text.contains("ünï ☃/mödule.py\", line 2, in fail"), "{locale}: {text}");
    }
}

#[tokio::test]
async fn signal_to_the_whole_service_lets_running_calls_end() {
    let source = r#"
        import os, time
        def f(path):
            open(path + '.begun', 'w').close()
            while not os.path.exists(path): time.sleep(0.005)
            return 'done'
    "#;
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        for over_grpc in [false, true] {
            let (folder, made) = (folder(), script(source).grace(Duration::from_secs(20)));
            let made = if over_grpc { made.over_grpc() } else { made };
            let script = made.await.expect("it is made");
            let path = folder.path().join("go");
            let (begun, pids) =
                (folder.path().join("go.begun"), [script.pid(), script.interpreter().pid()]);
            let call = tokio::spawn(script.call::<String>("f", (&path,)).into_future());
            until(async || begun.exists()).await;
            for pid in pids {
                let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
                kill_process(pid, signal).expect("it runs");
            }
            fs::write(&path, "").expect("there is room");
            let done = call.await.expect("it does not panic").expect("nothing interrupts it");
            assert_eq!(done, "done", "{signal:?}");
        }
    }
}

#[tokio::test]
async fn interpreter_starts_with_the_defaults_of_signals() {
    let folder = folder();
    let ignoring =
        wrapper(&folder.path().join("python"), "trap '' CHLD HUP INT QUIT TERM USR1 ALRM");
    let source = r#"
        import signal, subprocess
        def f(): return subprocess.run(['sh', '-c', 'exit 3']).returncode
        def ignored():
            names = ('SIGCHLD', 'SIGUSR1', 'SIGALRM', 'SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGHUP')
            return [n for n in names if signal.getsignal(getattr(signal, n)) == signal.SIG_IGN]
    "#;
    let script = script(source).interpreter(&ignoring).await.expect("it is made");
    assert_eq!(script.call::<i64>("f", ()).await.expect("it ends"), 3);
    assert_eq!(script.call::<Vec<String>>("ignored", ()).await.expect("it ends"), [""; 0]);
}

const SLOW_END: &str = r#"
    import atexit, time
    def end(path, seconds):
        def f():
            time.sleep(seconds)
            open(path, 'w').close()
        atexit.register(f)
"#;

/// Ends an interpreter whose `atexit` handler takes so long, within a grace.
async fn end(over_grpc: bool, seconds: f64, grace: Duration) -> (bool, ShutdownReport) {
    let (folder, made) = (folder(), script(SLOW_END).grace(grace));
    let made = if over_grpc { made.over_grpc() } else { made };
    let script = made.await.expect("it is made");
    let path = folder.path().join("ended");
    script.call::<()>("end", (&path, seconds)).await.expect("it is registered");
    let report = script.shutdown().await.expect("it ends");
    (path.exists(), report)
}

#[tokio::test]
async fn end_of_an_interpreter_has_what_is_left_of_the_grace() {
    for over_grpc in [false, true] {
        let (has_ended, report) = end(over_grpc, 1.5, Duration::from_secs(20)).await;
        assert!(has_ended && report.is_clean(), "{report}");
        assert_eq!(report.interpreters_cut_short(), 0);
        assert!(report.duration() < Duration::from_secs(10), "{report}");
    }
}

#[tokio::test]
async fn end_that_was_cut_short_is_not_clean() {
    for over_grpc in [false, true] {
        let (has_ended, report) = end(over_grpc, 60.0, Duration::from_millis(600)).await;
        assert!(!has_ended && !report.is_clean(), "{report}");
        assert_eq!((report.abandoned(), report.interpreters_cut_short()), (Some(0), 1), "{report}");
        assert!(
            report.to_string().ends_with(", and the end of 1 interpreter was cut short"),
            "{report}"
        );
        assert!(report.duration() < Duration::from_millis(1400), "{report}");
    }
}

#[tokio::test]
async fn daemon_in_process_waits_for_its_interpreters_too() {
    for (seconds, grace) in [(1.2, Duration::from_secs(20)), (60.0, Duration::from_millis(600))] {
        let (folder, made) = (folder(), script(SLOW_END).in_process().grace(grace));
        let script = made.await.expect("it is made");
        let path = folder.path().join("ended");
        script.call::<()>("end", (&path, seconds)).await.expect("it is registered");
        let report = script.shutdown().await.expect("it ends");
        assert_eq!(
            (path.exists(), report.is_clean()),
            (seconds < 10.0, seconds < 10.0),
            "{report}"
        );
    }
}

#[tokio::test]
async fn dropped_proxy_lets_its_interpreter_end_too() {
    let (folder, script) = (folder(), script(SLOW_END).grace(Duration::from_secs(20)));
    let script = script.await.expect("it is made");
    let path = folder.path().join("ended");
    script.call::<()>("end", (&path, 1.2)).await.expect("it is registered");
    let since = Instant::now();
    drop(script);
    assert!(since.elapsed() < Duration::from_millis(500), "a drop does not wait");
    until(async || path.exists()).await;
}

#[tokio::test]
async fn interpreter_that_is_not_wanted_any_more_ends_in_order_while_its_daemon_lives() {
    let daemon = oad::daemon().grace(Duration::from_secs(20)).await.expect("it starts");
    let folder = folder();
    let script = script(SLOW_END).within(&daemon).await.expect("it is made");
    let path = folder.path().join("ended");
    script.call::<()>("end", (&path, 1.2)).await.expect("it is registered");
    drop(script);
    until(async || path.exists()).await;
    assert!(daemon.shutdown().await.expect("it ends").is_clean());
}

#[tokio::test]
async fn crash_is_told_with_the_frames_of_the_object() {
    let source = r#"
        import faulthandler, os, signal, sys
        faulthandler.enable()
        def crash(): os.kill(os.getpid(), signal.SIGSEGV)
        def outer():
            sys.stderr.write('noise ' * 2000 + '\n')
            crash()
    "#;
    for over_grpc in [false, true] {
        let made = script(source);
        let made = if over_grpc { made.over_grpc() } else { made };
        let script = made.await.expect("it is made");
        let error = script.call::<()>("outer", ()).await.expect_err("it crashes");
        let text = error.to_string();
        assert!(text.contains("Fatal Python error: Segmentation fault"), "{text}");
        assert!(text.contains("line 3 in crash"), "{text}");
        let death = error.death().expect("the interpreter died");
        assert!(!death.stderr().contains("<oad agent>"), "{}", death.stderr());
        assert!(death.stderr().contains("in outer"), "{}", death.stderr());
        assert!(death.stderr().starts_with("noise "), "{}", death.stderr());
    }
}

#[tokio::test]
async fn timeout_of_an_event_loop_leaves_the_object_idle() {
    let source = r#"
        import asyncio
        async def busy():
            while True: await asyncio.sleep(0)
        async def main():
            asyncio.ensure_future(busy())
            await asyncio.sleep(60)
        def run():
            if hasattr(asyncio, 'run'): return asyncio.run(main())
            return asyncio.new_event_loop().run_until_complete(main())
        def idle(): return True
    "#;
    let script: PythonProxy = script(source).await.expect("it is made");
    for _ in 0..5 {
        let late = script.call::<()>("run", ()).timeout(Duration::from_millis(100)).await;
        assert!(late.expect_err("it is late").is_timeout());
        let idle = script.call::<bool>("idle", ()).timeout(Duration::from_secs(3)).await;
        assert!(idle.expect("the object is idle soon"));
    }
}
