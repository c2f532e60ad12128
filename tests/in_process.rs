//! Daemons within this process. There is no `oad::test_daemon!` here on purpose.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use oad::{Endpoint, ErrorKind, Health, Remote as _, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say};
use tonic::body::Body;

mod support;

const SECOND: Duration = Duration::from_secs(1);

async fn lab() -> LabProxy {
    LabProxy::new().in_process().await.expect("a daemon can be made")
}

#[tokio::test]
async fn calls_run_as_in_a_process() {
    let lab = lab().await;
    assert_eq!(lab.pid(), std::process::id());
    assert_eq!(lab.echo(Value::Int(4)).await.expect("it answers"), Value::Int(4));
    assert_eq!(lab.bytes(5_000_000).await.expect("it answers").len(), 5_000_000);
    assert_eq!(lab.len(&vec![1; 5_000_000].into()).await.expect("it answers"), 5_000_000);
    assert_eq!(lab.block_on_a_future(Duration::from_millis(1)).await.expect("it answers"), 7);
    assert_eq!(lab.health().await.expect("it answers"), Health::Serving);
    let start = Instant::now();
    let (first, second) = tokio::join!(lab.block(SECOND / 2), lab.block(SECOND / 2));
    first.and(second).expect("they return");
    assert!(start.elapsed() < SECOND, "shared calls overlap: {:?}", start.elapsed());
    let logs =
        futures_util::future::join_all((0..20).map(|n| lab.note(n.to_string(), Duration::ZERO)))
            .await;
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(
        logs[19].as_ref().expect("it returns"),
        &expected,
        "exclusive calls keep their order"
    );
}

#[test]
fn it_can_be_made_and_called_without_a_runtime() {
    let lab = futures_executor::block_on(lab());
    assert_eq!(
        futures_executor::block_on(lab.echo(Value::Int(4))).expect("it answers"),
        Value::Int(4)
    );
    let late =
        futures_executor::block_on(lab.wait("late".into(), SECOND * 60).timeout(SECOND / 20));
    assert_eq!(late.expect_err("it takes a minute").kind(), ErrorKind::Timeout);
    assert!(futures_executor::block_on(lab.shutdown()).expect("it ends").is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_called_from_many_tasks() {
    let lab = lab().await;
    let calls = (0..64).map(|n| tokio::spawn(lab.echo(Value::Int(n))));
    for (n, answer) in (0..).zip(futures_util::future::join_all(calls).await) {
        assert_eq!(answer.expect("it does not panic").expect("it answers"), Value::Int(n));
    }
}

#[tokio::test]
async fn several_objects_share_it() {
    let first = lab().await;
    let second = LabProxy::new().within(first.daemon()).await.expect("it fits in");
    second.note("second".into(), Duration::ZERO).await.expect("it answers");
    assert_eq!(first.log().await.expect("it answers"), [""; 0]);
    drop(first);
    assert_eq!(second.log().await.expect("it lives on"), ["second"]);
}

#[tokio::test]
async fn failures_are_those_of_a_process() {
    let failing = LabProxy::failing("so".into()).in_process().await.expect_err("it fails");
    assert_eq!(failing.exception().map(|exception| exception.message()), Some("so"), "{failing}");

    let lab = LabProxy::new()
        .in_process()
        .message_limit(1 << 20)
        .depth_limit(3)
        .await
        .expect("a daemon can be made");
    for panicking in [lab.panic("one".into()), lab.panic_later("two".into())] {
        let error = panicking.await.expect_err("it panics");
        let exception = error.exception().expect("a panic is an exception");
        assert_eq!(exception.type_name(), "panic");
        assert!(
            exception.location().is_some_and(|place| place.contains("tests/support/lab.rs")),
            "{error:?}"
        );
    }
    let error = lab.bytes(2 << 20).await.expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let deep = (0..4).fold(Value::Null, |value, _| Value::List(vec![value].into()));
    assert_eq!(lab.echo(deep).await.expect_err("it is too deep").kind(), ErrorKind::TooDeep);
    let expected = format!("calling Lab.bytes on daemon {} (Lab): ", std::process::id());
    assert!(error.to_string().starts_with(&expected), "{error}");
    lab.log().await.expect("it lives on");
}

#[tokio::test]
async fn async_call_is_cancelled_by_its_deadline_and_when_it_is_dropped() {
    let lab = lab().await;
    let late = lab.wait("late".into(), SECOND * 600).timeout(SECOND / 20).await;
    assert_eq!(late.expect_err("it takes long").kind(), ErrorKind::Timeout);
    let dropped =
        tokio::time::timeout(SECOND / 20, lab.wait_alone("dropped".into(), SECOND * 600)).await;
    dropped.expect_err("it takes long");
    let expected = ["late began", "late ended", "dropped began", "dropped ended"];
    loop {
        let log = lab.log().await.expect("it answers");
        if log == expected {
            break;
        }
        assert!(
            expected.starts_with(&log.iter().map(String::as_str).collect::<Vec<_>>()),
            "{log:?}"
        );
    }
}

#[tokio::test]
async fn shutdown_reports_how_it_went() {
    let lab = lab().await;
    let call = tokio::spawn(lab.note("last".into(), SECOND / 4));
    tokio::task::yield_now().await;
    let ended = lab.shutdown().await.expect("it ends");
    assert_eq!(call.await.expect("it does not panic").expect("it has its answer"), ["last"]);
    assert!(ended.is_clean() && !ended.was_killed(), "{ended}");
    assert_eq!((ended.pid(), ended.status(), ended.calls()), (std::process::id(), None, Some(1)));
    let expected =
        format!("daemon {} ended in {} ms: ", std::process::id(), ended.duration().as_millis());
    assert_eq!(ended.to_string(), expected + "it ran within this process, which is still alive");
    let error = lab.log().await.expect_err("it has ended");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_eq!(lab.health().await.expect_err("it has ended").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn sync_call_that_does_not_return_is_reported_abandoned() {
    let lab = LabProxy::new().in_process().grace(SECOND / 10).await.expect("a daemon can be made");
    let stuck = tokio::spawn(lab.block(SECOND * 2));
    let other = tokio::spawn(lab.wait_to_the_end("other".into(), SECOND * 600));
    tokio::task::yield_now().await;
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.duration() < SECOND, "{ended}");
    assert_eq!(
        (ended.is_clean(), ended.was_killed(), ended.abandoned()),
        (false, false, Some(2)),
        "{ended}"
    );
    for call in [stuck, other] {
        let error = call.await.expect("it does not panic").expect_err("it was cut off");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

/// Tells what becomes of it, by memory that it shares with the test.
struct Shared {
    dropped: Arc<AtomicUsize>,
}

/// Where the constructor, which is given values only, finds what to share.
static SHARED: std::sync::Mutex<Vec<(String, Arc<AtomicUsize>)>> =
    std::sync::Mutex::new(Vec::new());

#[oad::object]
impl Shared {
    fn new(name: &str) -> Self {
        let all = SHARED.lock().expect("nobody panics");
        let (_, dropped) =
            all.iter().find(|(known, _)| known == name).expect("the test has put it there");
        Shared { dropped: Arc::clone(dropped) }
    }

    /// Starts a task of its own that ends only by being ended.
    fn spawn(&self) {
        let guard = Guard(Arc::clone(&self.dropped));
        tokio::spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
    }

    /// Keeps a thread of the runtime to itself.
    async fn hog(&self) {
        HOGGED.fetch_add(1, Ordering::SeqCst);
        while !RELEASED.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

static HOGGED: AtomicUsize = AtomicUsize::new(0);
static RELEASED: AtomicBool = AtomicBool::new(false);

impl Drop for Shared {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(10, Ordering::SeqCst);
    }
}

async fn shared(name: &str) -> (SharedProxy, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    SHARED.lock().expect("nobody panics").push((name.to_owned(), Arc::clone(&dropped)));
    let making = SharedProxy::new(name).in_process().grace(SECOND / 10);
    (making.await.expect("a daemon can be made"), dropped)
}

#[tokio::test]
async fn dropping_last_proxy_drops_the_object_and_ends_its_tasks() {
    let (proxy, dropped) = shared("drop").await;
    proxy.spawn().await.expect("it answers");
    let closed = proxy.closed();
    let second = proxy.clone();
    drop(proxy);
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(second);
    assert!(closed.await.expect("it was asked to").is_clean());
    support::wait_until(SECOND, || match dropped.load(Ordering::SeqCst) {
        11 => Ok(()),
        other => Err(format!("{other}: the object counts 1, its task 10")),
    });
}

#[tokio::test]
async fn async_code_that_never_awaits_is_let_go_after_the_grace() {
    let (proxy, dropped) = shared("hog").await;
    let proxies = [proxy.clone(), proxy.clone(), proxy.clone(), proxy.clone()];
    let calls: Vec<_> = proxies.iter().map(|proxy| tokio::spawn(proxy.hog())).collect();
    // The one thread that runs its async code.
    while HOGGED.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    let daemon = proxy.daemon().clone();
    drop((proxy, proxies));
    let ended = daemon.shutdown().await.expect("it ends");
    assert!(ended.was_killed() && !ended.is_clean(), "{ended}");
    for call in calls {
        assert_eq!(
            call.await.expect("it does not panic").expect_err("cut off").kind(),
            ErrorKind::Closed
        );
    }
    RELEASED.store(true, Ordering::Relaxed);
    support::wait_until(SECOND * 5, || match dropped.load(Ordering::SeqCst) {
        1 => Ok(()),
        other => Err(format!("{other}")),
    });
}

#[test]
fn end_of_the_runtime_ends_it_and_is_told() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (proxy, dropped) = runtime.block_on(shared("runtime"));
    drop(runtime);
    let error = futures_executor::block_on(proxy.spawn()).expect_err("nobody carries it");
    assert_eq!(error.kind(), ErrorKind::RuntimeEnded, "{error}");
    support::wait_until(SECOND, || match dropped.load(Ordering::SeqCst) {
        1 => Ok(()),
        other => Err(format!("{other}")),
    });
}

#[tokio::test]
async fn process_that_the_object_starts_is_left_alone() {
    let lab = lab().await;
    let stray = lab.stray().await.expect("setsid can be run");
    lab.shutdown().await.expect("it ends");
    assert!(support::state(stray).is_some(), "it is there");
    support::signal(stray, "-KILL");
}

/// A service of the user's own.
#[derive(Clone)]
struct Own;

impl tonic::server::NamedService for Own {
    const NAME: &'static str = "test.v1.Own";
}

impl tower::Service<http::Request<Body>> for Own {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        ready(Ok(tonic::Status::data_loss("reached").into_http()))
    }
}

#[tokio::test]
async fn generated_clients_reach_oads_services_and_the_users_own() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let serving = oad::daemon().in_process_with(|services| services.add_service(Own, &[]));
    let daemon: oad::Daemon = serving.await.expect("a daemon can be made");
    for service in ["", "oad.v1.Objects", "test.v1.Own"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(daemon.channel()).check(request).await.expect("it is known");
    }
    let mut own = tonic::client::Grpc::new(daemon.channel());
    own.ready().await.expect("it is connected");
    let path = http::uri::PathAndQuery::from_static("/test.v1.Own/Anything");
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let status = own.unary(tonic::Request::new(()), path, codec).await.expect_err("it says so");
    assert_eq!(status.message(), "reached");

    assert_eq!((daemon.socket(), daemon.endpoint()), (None, &Endpoint::InProcess));
    let line = format!(
        "# daemon {} (no object) runs inside the process that started it; grpcurl cannot reach it:",
        daemon.pid()
    );
    assert_eq!(daemon.grpcurl(), line);
}

/// Plays the program whose holdings are counted.
#[test]
fn program_with_many() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let stdin = || std::fs::read_link("/proc/self/fd/0").expect("it is open");
    let before = stdin();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        live_and_die().await;
        say("one");
        wait_for_word().await;
        let start = Instant::now();
        for life in 0..1000 {
            live_and_die().await;
            if life % 20 == 0 {
                // How far it gets is not the same every time.
                let spawning = LabProxy::slowly(SECOND * 60).in_process().into_future();
                let _ = tokio::time::timeout(Duration::from_micros(life * 5), spawning).await;
            }
        }
        println!("a life took {:?}", start.elapsed() / 1000);
        say("many");
        wait_for_word().await;
    });
    assert_eq!(stdin(), before);
    let mine = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::set_global_default(mine).expect("nobody has set one");
    assert_eq!(rustix::process::child_subreaper().expect("it can be asked"), None);
    assert_eq!(rustix::process::parent_process_death_signal().expect("it can be asked"), None);
    say("untouched");
}

async fn live_and_die() {
    let lab = lab().await;
    assert_eq!(lab.echo(Value::Int(5)).await.expect("it answers"), Value::Int(5));
    let closed = lab.closed();
    drop(lab);
    assert!(closed.await.expect("it was asked to").is_clean());
}

/// Waits for SIGUSR1.
async fn wait_for_word() {
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    let mut signals = tokio::signal::unix::signal(kind).expect("signals can be heard");
    say("listening");
    signals.recv().await;
}

#[test]
fn thousand_lives_and_some_that_are_given_up_leave_no_thread_descriptor_process_or_file() {
    let mut program = Parent::start("program_with_many", "go");
    let look = |program: &Parent| {
        (support::holdings(program.pid()), program.census().len(), program.directories())
    };
    assert_eq!(
        (program.hear(), program.hear()),
        (vec!["one".to_owned()], vec!["listening".to_owned()])
    );
    // The threads of a runtime that was let go take a moment to end.
    support::wait_until(SECOND * 5, || match look(&program) {
        // The test's own two, and the keeper.
        ((_, threads, _), 1, directories) if threads <= 3 && directories.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let before = look(&program);
    let memory = support::resident_kib(program.pid());
    support::signal(program.pid(), "-USR1");
    assert_eq!(
        (program.hear(), program.hear()),
        (vec!["many".to_owned()], vec!["listening".to_owned()])
    );
    support::wait_until(SECOND * 5, || match look(&program) {
        now if now == before => Ok(()),
        now => Err(format!("{now:?}, and {before:?} before")),
    });
    let grown = support::resident_kib(program.pid()).saturating_sub(memory);
    println!("1000 lives: memory grew by {grown} KiB");
    assert!(grown < 8 * 1024, "{grown} KiB");
    support::signal(program.pid(), "-USR1");
    assert_eq!(program.hear(), ["untouched"]);
    assert!(program.process.wait().expect("it is ours").success());
}
