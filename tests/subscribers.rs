//! `tracing` subscribers that block or panic: they are the user's code, and oad's
//! supervision does not depend on them.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::future::IntoFuture as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use oad::{ErrorKind, Remote as _, Value};
use support::lab::LabProxy;
use tracing::instrument::WithSubscriber as _;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// What a subscriber does with an event.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Takes,
    Blocks,
    Panics,
}

/// Keeps the events' texts, blocks or panics.
#[derive(Clone)]
struct Moody(Arc<(Mutex<Mood>, Condvar, Mutex<Vec<String>>)>);

impl Moody {
    fn new() -> Self {
        // See `LogCapture`: with one subscriber only, `tracing` caches the interest of
        // another test's thread.
        drop(support::log_capture::LogCapture::default().subscriber());
        Moody(Arc::new((Mutex::new(Mood::Takes), Condvar::new(), Mutex::default())))
    }

    fn set(&self, mood: Mood) {
        *self.0.0.lock().unwrap() = mood;
        self.0.1.notify_all();
    }

    fn taken(&self) -> Vec<String> {
        self.0.2.lock().unwrap().clone()
    }
}

/// A blocked thread would outlive a failed test.
impl Drop for Moody {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.set(Mood::Takes);
        }
    }
}

struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl tracing::Subscriber for Moody {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("oad::")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let (mood, changed, taken) = &*self.0;
        let mut mood = mood.lock().unwrap();
        while *mood == Mood::Blocks {
            mood = changed.wait(mood).unwrap();
        }
        let panics = *mood == Mood::Panics;
        drop(mood);
        assert!(!panics, "this subscriber panics");
        let mut text = Text(String::new());
        event.record(&mut text);
        taken.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}

// === In the daemon ===

/// Installs a subscriber in its constructor, as a library's start-up code may.
#[derive(Debug)]
struct Talkative;

#[oad::object]
impl Talkative {
    fn new() -> Self {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time();
        subscriber.with_writer(std::io::stderr).init();
        Talkative
    }

    fn talk(&self, text: &str) {
        tracing::info!("{text}");
    }
}

/// All daemons of a process share one thread for events, which a subscriber may block.
/// So these tests run one after the other.
static EVENTS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn constructor_may_install_a_subscriber() {
    let _alone = EVENTS.lock().await;
    let log = support::log_capture::LogCapture::default();
    let talked = async {
        let talkative = TalkativeProxy::new().await.expect("nobody has set one before");
        talkative.talk("is heard").await.expect("it talks");
        talkative.shutdown().await.expect("it ends")
    };
    assert!(talked.with_subscriber(log.subscriber()).await.is_clean());
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("is heard")), "{lines:#?}");
}

// === In the parent ===

/// Asserts that a future needs no more than `limit`.
async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = tokio::time::timeout(SECOND * 30, future).await;
    let took = start.elapsed();
    assert!(took < limit, "{what} took {took:?}");
    done.expect("it is within the limit")
}

#[tokio::test]
async fn subscriber_that_blocks_or_panics_holds_up_no_daemon() {
    let _alone = EVENTS.lock().await;
    blocking().await;
    panicking().await;
}

async fn blocking() {
    let moody = Moody::new();
    let lab = async || {
        LabProxy::new().into_future().with_subscriber(moody.clone()).await.expect("it starts")
    };
    let (printing, other, third) = (lab().await, lab().await, lab().await);
    moody.set(Mood::Blocks);
    printing.print("stuck\n").await.expect("it prints");

    within(SECOND * 2, "health", other.health()).await.expect("it is well");
    let killed = other.pid();
    let call = tokio::spawn(other.block(SECOND * 600));
    other.log().await.expect("the call is there");
    support::signal(killed, "-KILL");
    let error = within(SECOND, "a death", call).await.expect("no panic").expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::Died, "{error}");
    let fourth = within(SECOND * 5, "a start", lab()).await;
    within(SECOND * 2, "a shutdown", fourth.shutdown()).await.expect("it ends");
    // More than the pipe holds, and more lines than may wait.
    for _ in 0..20 {
        let lines = "some of many lines\n".repeat(1_000);
        within(SECOND * 5, "printing", printing.print(&lines)).await.expect("it prints");
    }
    let ended = within(SECOND * 3, "an end", third.shutdown()).await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
    drop((other, third));

    moody.set(Mood::Takes);
    printing.print("again\n").await.expect("it prints");
    printing.shutdown().await.expect("it ends");
    let taken = moody.taken();
    let counted = |line: &&String| {
        line.contains("events were dropped, because the subscriber was too slow dropped=")
    };
    assert!(taken.iter().any(|line| line.starts_with("message=stuck")), "what waited is told");
    assert!(taken.iter().any(|line| line.starts_with("message=again")), "it goes on");
    assert!(taken.iter().filter(counted).count() >= 1, "what was lost is counted");
}

async fn panicking() {
    let moody = Moody::new();
    let lab =
        LabProxy::new().into_future().with_subscriber(moody.clone()).await.expect("it starts");
    moody.set(Mood::Panics);
    for _ in 0..3 {
        lab.print("lost\n").await.expect("its pipes are still read");
    }
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    support::until(async || lab.health().await.is_ok()).await;
    moody.set(Mood::Takes);
    lab.print("taken\n").await.expect("it prints");
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
    assert!(moody.taken().iter().any(|line| line.starts_with("message=taken")));
    assert!(moody.taken().iter().any(|line| line.starts_with("message=gone")));
}
