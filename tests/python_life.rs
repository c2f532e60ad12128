//! The life of an interpreter as its callers see it: its output, its health and its
//! death. `OAD_PYTHON` names the interpreter.

use std::future::IntoFuture as _;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use oad::{Daemon, ErrorKind, Health, Proxy, PythonProxy, Remote as _};
use support::lab::LabProxy;
use support::log_capture::LogCapture;
use support::python::{dedent, interpreter, script, with};
use support::{children, until};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tracing::instrument::WithSubscriber as _;

mod support;

oad::test_daemon!();

const NOISE: &str = r#"
    import ctypes, os, sys
    def pid(): return os.getpid()
    def noise():
        print('printed')
        sys.stderr.write('complained\n')
        os.write(1, b'\xff\x00\x1eraw\n')
        os.write(2, b'long ' + 20000 * b'x' + b'\n')
        ctypes.CDLL(None).puts(b'from C')
        ctypes.CDLL(None).fflush(None)
        os.write(1, b'without an end')
"#;

/// The interpreter below a daemon that has one.
fn interpreter_of(proxy: &PythonProxy) -> u32 {
    let interpreters = support::children(proxy.pid());
    assert_eq!(interpreters.len(), 1, "{interpreters:?}");
    interpreters[0]
}

/// Starts processes that outlive their interpreter in every way: in a session of its own,
/// in its group, forked, and dead but not waited for.
const LEAVE: &str = r#"
    import os, subprocess, time
    kept = []
    def leave():
        kept.append(subprocess.Popen(['sleep', '1000'], start_new_session=True))
        kept.append(subprocess.Popen(['sleep', '1000']))
        kept.append(subprocess.Popen(['true']))
        pids = [process.pid for process in kept]
        forked = os.fork()
        if forked == 0:
            os.setsid()
            time.sleep(1000)
        return pids + [forked]
"#;

/// What `NOISE` is told as.
fn assert_noise_is_told(told: &LogCapture, pid: u32, daemon: u32) {
    let expected = [
        ("INFO", "stdout", "printed"),
        ("WARN", "stderr", "complained"),
        ("INFO", "stdout", "\\xff\\u{0}\\u{1e}raw"),
        ("INFO", "stdout", "from C"),
        ("INFO", "stdout", "without an end"),
    ];
    told.assert_output(pid, daemon, &expected);
    let lines = told.lines();
    let end = format!(" pid={pid} daemon={daemon} stream=\"stderr\"");
    let pieces =
        lines.iter().filter_map(|line| line.strip_suffix(&end)).filter(|line| line.ends_with('x'));
    let told: usize = pieces.map(|line| line.bytes().filter(|byte| *byte == b'x').count()).sum();
    assert_eq!(told, 20_000, "a long line is told in pieces, all of it");
}

#[tokio::test]
async fn output_of_an_interpreter_is_told_with_its_pid_and_its_daemons() {
    let told = LogCapture::default();
    let (pid, daemon) = async {
        let script = script(NOISE).await;
        let pid: u32 = script.call("pid", ()).await.expect("it answers");
        script.call::<()>("noise", ()).await.expect("it is only noise");
        script.shutdown().await.expect("it ends");
        (pid, script.pid())
    }
    .with_subscriber(told.subscriber())
    .await;
    assert_ne!(pid, daemon);
    assert_noise_is_told(&told, pid, daemon);
}

#[tokio::test]
async fn output_of_an_interpreter_below_a_daemon_in_process_goes_to_the_programs_subscriber() {
    let told = LogCapture::default();
    tracing::subscriber::set_global_default(told.subscriber()).expect("no other test does that");
    let daemon = oad::daemon().in_process().await.expect("a daemon can be made");
    let script = with(oad::python_script("script.py", dedent(NOISE)))
        .within(&daemon)
        .await
        .expect("it is made");
    let pid: u32 = script.call("pid", ()).await.expect("it answers");
    script.call::<()>("noise", ()).await.expect("it is only noise");
    script.shutdown().await.expect("it ends");
    until(async || told.lines().iter().any(|line| line.contains("without an end"))).await;
    assert_noise_is_told(&told, pid, std::process::id());
}

#[tokio::test]
async fn last_words_of_a_daemon_hold_those_of_its_interpreter_as_they_were() {
    let told = LogCapture::default();
    let words = async {
        let script: PythonProxy =
            script("import sys\ndef say(x): print(x, file=sys.stderr)\n").await;
        script.call::<()>("say", ("these are my last words",)).await.expect("it is said");
        until(async || told.lines().iter().any(|line| line.contains("my last words"))).await;
        support::signal(script.pid(), "-KILL");
        let error = script.closed().await.expect_err("it was killed");
        error.death().expect("it tells how").stderr().to_owned()
    }
    .with_subscriber(told.subscriber())
    .await;
    assert_eq!(words, "these are my last words\n");
}

#[tokio::test]
async fn nothing_that_an_interpreter_has_started_outlives_its_death() {
    let script: PythonProxy = script(LEAVE).await;
    let left: Vec<u32> = script.call("leave", ()).await.expect("they are started");
    assert_eq!(left.len(), 4);
    support::signal(interpreter_of(&script), "-KILL");
    let killed = Instant::now();
    for pid in left {
        support::wait_until_gone(pid, Duration::from_secs(5));
    }
    println!("interpreter killed: what it had started was gone in {:?}", killed.elapsed());
    support::wait_until(Duration::from_secs(5), || match support::children(script.pid()) {
        children if children.is_empty() => Ok(()),
        children => Err(format!("left below the daemon: {children:?}")),
    });
    assert!(script.shutdown().await.expect("the daemon lives").is_clean());
}

#[tokio::test]
async fn nothing_that_an_interpreter_has_started_outlives_its_last_object() {
    let script: PythonProxy = script(LEAVE).await;
    let left: Vec<u32> = script.call("leave", ()).await.expect("they are started");
    let daemon = script.daemon().clone();
    drop(script);
    until(async || left.iter().all(|pid| support::state(*pid).is_none())).await;
    assert_eq!(daemon.objects().await.expect("the daemon lives"), []);
}

#[tokio::test]
async fn kill_of_an_interpreter_is_told_at_once_to_every_call_with_all_that_is_known() {
    let mut took = Vec::new();
    for _ in 0..5 {
        let source = r#"
            import sys, time
            def wait(x):
                print('waiting', x, file=sys.stderr)
                time.sleep(600)
        "#;
        let told = LogCapture::default();
        let script: PythonProxy =
            async { script(source).await }.with_subscriber(told.subscriber()).await;
        let interpreter = interpreter_of(&script);
        let calls: Vec<_> =
            (0..20).map(|number| tokio::spawn(script.call::<()>("wait", (number,)))).collect();
        // Only the first runs; the others wait for their turns.
        until(async || told.lines().iter().any(|line| line.contains("waiting"))).await;
        let killed = Instant::now();
        support::signal(interpreter, "-KILL");
        let mut last = Duration::ZERO;
        for call in calls {
            let error = call.await.expect("it does not panic").expect_err("it is dead");
            last = killed.elapsed();
            assert_eq!(error.kind(), ErrorKind::Died);
            let death = error.death().expect("it is why");
            assert!(death.is_of_interpreter());
            assert_eq!((death.pid(), death.signal(), death.code()), (interpreter, Some(9), None));
            assert_eq!(death.stderr().lines().count(), 1, "{:?}", death.stderr());
            assert!(death.stderr().starts_with("waiting "), "{:?}", death.stderr());
            assert!(Duration::ZERO < death.uptime() && death.uptime() < Duration::from_secs(60));
            let shown = format!("{error:?}");
            assert!(
                shown.contains("killed by signal 9 (SIGKILL)") && shown.contains("\n  | waiting "),
                "{shown}"
            );
        }
        assert!(last < Duration::from_secs(5), "{last:?}");
        took.push(last);
        assert!(script.shutdown().await.expect("the daemon lives").is_clean());
    }
    println!(
        "interpreter killed: 20 calls failed within {:?} (median of 5)",
        support::median(took)
    );
}

/// Has an interpreter run `code`, of which it dies and gives the error and how long it
/// took.
async fn dies_of(code: &str) -> (oad::Error, Duration) {
    let builtins = with(oad::python_module("builtins")).await.expect("it is made");
    let started = Instant::now();
    let error = builtins.call::<()>("exec", (code,)).await.expect_err("it dies");
    let took = started.elapsed();
    let later = builtins.str().await.expect_err("it is gone");
    assert_eq!((later.kind(), later.death().is_some()), (ErrorKind::Died, true));
    assert!(builtins.shutdown().await.expect("the daemon lives").is_clean());
    (error, took)
}

#[tokio::test]
async fn death_of_an_interpreter_is_told_with_its_true_cause() {
    for (code, told, signal) in [
        ("import os; os._exit(3)", "exited with code 3", None),
        ("import ctypes; ctypes.string_at(0)", "killed by signal 11 (SIGSEGV)", Some(11)),
        ("import os; os.abort()", "killed by signal 6 (SIGABRT)", Some(6)),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "killed by signal 9 (SIGKILL)",
            Some(9),
        ),
    ] {
        let (error, took) = dies_of(code).await;
        println!("{told}: told in {took:?}");
        assert_eq!(error.kind(), ErrorKind::Died, "{error}");
        assert!(error.to_string().contains(told), "{error}");
        let death = error.death().expect("it is why");
        assert_eq!(
            (death.signal(), death.code()),
            (signal, signal.is_none().then_some(3)),
            "{code}"
        );
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn death_of_an_interpreter_is_told_although_a_copy_of_it_lives() {
    // The copy holds its stdout and stderr, and one that Python does not know of its
    // socket too.
    for fork in ["os.fork()", "ctypes.PyDLL(None).fork()"] {
        let code = format!(
            "import ctypes, os, signal, time\nos.write(2, b'last words')\nif {fork} == 0:\n    \
             time.sleep(600)\nos.kill(os.getpid(), signal.SIGKILL)"
        );
        let (error, took) = dies_of(&code).await;
        println!("killed with a copy by `{fork}`: told in {took:?}");
        let death = error.death().expect("it is why");
        assert_eq!(death.signal(), Some(9), "{error:?}");
        // From 3.12 on, Python warns of a fork in a process with threads.
        assert!(death.stderr().starts_with("last words"), "{error:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn memory_that_is_not_to_be_had_is_an_exception_and_the_interpreter_lives() {
    let source = r#"
        import resource
        def limit():
            pages = int(open('/proc/self/statm').read().split()[0])
            most = pages * resource.getpagesize() + (64 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        def take(megabytes): return len(bytes(megabytes << 20))
    "#;
    let script: PythonProxy = script(source).await;
    script.call::<()>("limit", ()).await.expect("it may be lowered");
    let error = script.call::<u64>("take", (1024,)).await.expect_err("there is not so much");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "MemoryError");
    assert_eq!(script.call::<u64>("take", (1,)).await.expect("there is some"), 1 << 20);
}

/// The name of an object for the health service.
fn service(proxy: &Proxy) -> String {
    format!("oad.v1.Objects/{}", proxy.handle().id())
}

async fn check(daemon: &Daemon, service: &str) -> Result<ServingStatus, tonic::Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let checked = HealthClient::new(daemon.channel()).check(request).await;
    checked.map(|response| response.get_ref().status()).map_err(|status| status.code())
}

async fn watch(daemon: &Daemon, service: &str) -> tonic::Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(daemon.channel()).watch(request).await.expect("it is known").into_inner()
}

async fn next(watch: &mut tonic::Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    let next =
        tokio::time::timeout(Duration::from_secs(10), watch.message()).await.expect("it is told");
    next.expect("the daemon lives").map(|response| response.status())
}

#[tokio::test]
async fn health_tells_whose_interpreter_has_died() {
    let root: PythonProxy = script("import os\ndef die(): os._exit(3)\n").await;
    let daemon = root.daemon();
    let second = oad::interpreter(interpreter()).within(daemon).await.expect("it starts");
    let other = second.value("x").await.expect("it is made");
    drop(second);
    let rust: LabProxy = LabProxy::new().within(daemon).await.expect("it is made");
    let mut watched = [
        watch(daemon, "").await,
        watch(daemon, "oad.v1.Objects").await,
        watch(daemon, &service(&root)).await,
    ];
    for watched in &mut watched {
        assert_eq!(next(watched).await, Some(ServingStatus::Serving));
    }
    let mut other_watched = watch(daemon, &service(&other)).await;
    assert_eq!(next(&mut other_watched).await, Some(ServingStatus::Serving));

    root.call::<()>("die", ()).await.expect_err("it dies");
    for watched in &mut watched {
        assert_eq!(next(watched).await, Some(ServingStatus::NotServing));
    }
    for name in ["", "oad.v1.Objects", &service(&root)] {
        assert_eq!(check(daemon, name).await, Ok(ServingStatus::NotServing), "{name}");
    }
    for name in [service(&other), service(rust.as_proxy())] {
        assert_eq!(check(daemon, &name).await, Ok(ServingStatus::Serving), "{name}");
    }
    for name in [
        "oad.v1.Objects/99",
        "oad.v1.Objects/",
        "oad.v1.Objects/x",
        "oad.v1.Objects1",
        "no.such.Service",
    ] {
        assert_eq!(check(daemon, name).await, Err(tonic::Code::NotFound), "{name}");
    }
    assert_eq!(root.health().await.expect("it answers"), Health::NotServing);
    assert_eq!(daemon.health().await.expect("it answers"), Health::NotServing);
    assert_eq!(other.health().await.expect("it answers"), Health::Serving);
    assert_eq!(rust.health().await.expect("it answers"), Health::Serving);

    drop(other);
    assert_eq!(next(&mut other_watched).await, Some(ServingStatus::ServiceUnknown));
    assert_eq!(next(&mut other_watched).await, None, "its number is nobody else's");
    let mut rust_watched = watch(daemon, &service(rust.as_proxy())).await;
    assert_eq!(next(&mut rust_watched).await, Some(ServingStatus::Serving));
    assert_eq!(rust.clone().consume("gone".to_owned()).await.expect("it answers"), 4);
    assert_eq!(next(&mut rust_watched).await, Some(ServingStatus::ServiceUnknown));
    assert_eq!(rust.health().await.expect_err("it is gone").kind(), ErrorKind::NoSuchObject);
    let report = daemon.shutdown().await.expect("it ends");
    assert!(
        report.is_clean() && report.duration() < Duration::from_secs(1),
        "who watches holds nothing up: {report}"
    );
}

#[tokio::test]
async fn who_watches_is_told_of_the_daemons_end() {
    // Nothing is held up for it, so on a machine with much to do the connection may end
    // before the word is out.
    for _ in 0..20 {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        let mut watched = watch(lab.daemon(), &service(lab.as_proxy())).await;
        assert_eq!(next(&mut watched).await, Some(ServingStatus::Serving));
        let (told, ended) = tokio::join!(next(&mut watched), lab.shutdown());
        assert!(ended.expect("it ends").is_clean());
        match told {
            Some(status) => return assert_eq!(status, ServingStatus::NotServing),
            None => continue,
        }
    }
    panic!("nobody who watched was told");
}

#[tokio::test]
async fn death_of_an_interpreter_is_told_to_those_who_wait_for_it() {
    let source = "import os\ndef die(): os._exit(7)\n";
    for daemon in [oad::daemon(), oad::daemon().over_grpc(), oad::daemon().in_process()] {
        let told = LogCapture::default();
        let daemon = daemon.into_future().with_subscriber(told.subscriber()).await;
        let daemon = daemon.expect("a daemon can be made");
        let script = || oad::interpreter(interpreter()).within(&daemon);
        let (dying, other) = (script().await.expect("it starts"), script().await);
        let other = other.expect("it starts");
        let mortal = dying.script("code", source).await.expect("it is made");
        let mut living = Box::pin(other.closed());
        let (as_object, as_interpreter) = (mortal.closed(), dying.closed());
        mortal.call::<()>("die", ()).await.expect_err("it dies");
        for closed in [as_object.boxed(), as_interpreter.boxed(), mortal.closed().boxed()] {
            let error = tokio::time::timeout(Duration::from_secs(20), closed).await;
            let error = error.expect("it is told").expect_err("it died");
            assert_eq!(error.kind(), ErrorKind::Died);
            assert!(error.to_string().contains("exited with code 7"), "{error}");
            let death = error.death().expect("it died");
            assert!(
                death.is_of_interpreter() && death.pid() == dying.pid() && death.code() == Some(7)
            );
        }
        assert!(futures_util::poll!(living.as_mut()).is_pending(), "the other one lives");
        let event = format!(
            " WARN oad::daemon: an interpreter died pid={} name=\"no object\" interpreter={} \
             status=\"exited with code 7\"",
            daemon.pid(),
            dying.pid()
        );
        until(async || told.lines().iter().any(|line| line.ends_with(&event))).await;
        // One that is not needed any more has not died.
        let ended = other.pid();
        drop(other);
        until(async || !children(daemon.pid()).contains(&ended)).await;
        assert!(daemon.shutdown().await.expect("it ends").is_clean());
        assert!(living.await.is_ok());
        assert!(!told.lines().iter().any(|line| line.contains(&format!("interpreter={ended}"))));
    }
}
