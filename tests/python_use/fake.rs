//! Interpreters that lie: they begin as they should, and then send nonsense. Whatever
//! waits for them fails, and nothing of them is left.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use oad::{Daemon, ErrorKind, PythonProxy, Value};
use tokio::sync::Semaphore;

use crate::support::python::interpreter;
use crate::support::{children, resident_kib, wait_until_gone};
use crate::{folder, program, until};

/// How many of them lie at once, in all tests together. Each is two processes and has to
/// end within a daemon's grace.
static ROOM: Semaphore = Semaphore::const_new(6);

/// What all of them do as an interpreter should.
const HONEST: &str = include_str!("liar.py");

/// Far longer than anything takes here on a loaded machine. Only what never ends takes as
/// long, and every such interpreter hangs for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// For interpreters that never become ready: it ends what would otherwise last for ever.
const SHORT_START: Duration = Duration::from_secs(2);

/// An interpreter that lies, and the folder that it is in.
fn liar(lie: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let text = format!("#!{}\n{HONEST}{lie}\n", interpreter().display());
    let program = program(&folder.path().join("python"), &text);
    (folder, program)
}

async fn make(daemon: &Daemon, lie: &str) -> oad::Result<PythonProxy> {
    make_within(PATIENCE, daemon, lie).await
}

async fn make_within(start: Duration, daemon: &Daemon, lie: &str) -> oad::Result<PythonProxy> {
    let (_folder, liar) = liar(lie);
    let made = oad::python_value("x").interpreter(liar).within(daemon).start_timeout(start);
    made.create_timeout(PATIENCE).await
}

/// The daemon still runs, none of its interpreters does, and it ends in order.
async fn end(daemon: &Daemon, what: &str) {
    until(async || children(daemon.pid()).is_empty()).await;
    until(async || daemon.objects().await.expect("the daemon lives").is_empty()).await;
    let ended = daemon.shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{what}: {ended}");
}

/// Tries each, some of them at once, because most of the time each waits for an end.
async fn try_each<'a>(
    lies: impl IntoIterator<Item = (&'a str, &'a str)>,
    one: impl AsyncFn(&str, &str),
) {
    let one = &one;
    let lies = lies.into_iter().map(|(lie, told)| async move {
        let _room = ROOM.acquire().await.expect("it is never closed");
        one(lie, told).await;
    });
    join_all(lies).await;
}

#[tokio::test]
async fn nonsense_instead_of_a_greeting_is_an_error() {
    let lies = [
        ("send(b'\\xff' * 8); hang()", "a frame is too large"),
        ("send(b'Python 3.8.0 (default)\\n' * 1000); hang()", "a frame is too large"),
        ("send(b'\\x10\\0\\0\\0half')", "it exited or is not Python"),
        ("send(b'\\x10\\0\\0\\0half'); hang()", "it did not start within 2s"),
        ("os.close(fd); hang()", "it exited or is not Python"),
        ("frame('a version'); hang()", "it is not Python"),
        ("frame((0, 'version', ('three', 8, 0, 'cpython', ''))); hang()", "it is not Python"),
        ("body(b'(' + b'\\x7f' * 9); hang()", "it is not Python"),
        ("frame((0, 'version', (3, 8, 0, 'pypy', ''))); hang()", "pypy"),
        (
            "begin(); frame((1, 'failed', ('no', 'I will not'))); hang()",
            "it did not accept the agent",
        ),
        ("begin(); frame((0, 'compiled', 'text')); hang()", "it did not accept the agent"),
        ("begin(); frame((0, 'compiled', b'x' * 3000000)); hang()", "it did not start"),
        ("begin(); body(b'not marshal'); hang()", "it did not accept the agent"),
        ("begin(); sys.exit('I have seen enough')", "I have seen enough"),
    ];
    try_each(lies, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let error =
            make_within(SHORT_START, &daemon, lie).await.expect_err("it is not an interpreter");
        println!("{lie}: {error}");
        assert!(error.to_string().contains(told), "{lie}: {error}");
        assert!(matches!(error.kind(), ErrorKind::Spawn | ErrorKind::Protocol), "{lie}: {error:?}");
        end(&daemon, lie).await;
    })
    .await;
}

/// Malformed responses to the request `n`, each with what its error contains.
const LIES: [(&str, &str); 18] = [
    ("body(b'nonsense')", "a frame is not an answer"),
    ("body(b'')", "a frame is not an answer"),
    ("send(b'\\xff\\xff\\xff\\xff')", "a frame is too large"),
    ("frame([n, 'value', None])", "a frame is not an answer"),
    ("frame((n + 7, 'value', 'for nobody'))", NOT_ASKED),
    ("send(b'\\x00\\x01\\0\\0half'); os._exit(5)", "exited with code 5"),
    ("os.close(fd); os._exit(6)", "exited with code 6"),
    ("frame((n, 'nonsense', None))", "malformed response from the interpreter"),
    ("frame((n, 7, None))", "expected text, found an integer"),
    ("frame((n, 'failed', None))", "expected a list, found null"),
    ("frame((n, 'failed', ('no such code', 'a reason')))", "a reason"),
    ("frame((n, 'raised', None))", "expected a dict, found null"),
    ("frame((n, 'raised', {'type': 5}))", "expected text, found an integer"),
    (
        "frame((n, 'value', (Ellipsis, 'handle', 'one', 'Fake', '')))",
        "expected an integer, found text",
    ),
    ("frame((n, 'value', (Ellipsis, 'nothing', 1)))", "\"nothing\" is not a kind of value"),
    ("body(value_of(n) + b'[\\xff\\xff\\xff\\x7f')", "it ends too early"),
    ("body(value_of(n) + b'[\\x01\\0\\0\\0' * 10 ** 6 + b'N')", ""),
    ("frame((n, 'value', compile('1', 'code', 'eval')))", "no value starts with the byte"),
];

#[tokio::test]
async fn nonsense_instead_of_an_object_is_an_error() {
    let lies = LIES
        .into_iter()
        .chain([("frame((n, 'value', 'no handle'))", "malformed response from the interpreter")]);
    try_each(lies, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let error = make(&daemon, &format!("n = greet()\n{lie}\nhang()"))
            .await
            .expect_err("nothing is made");
        println!("{lie}: {error}");
        assert!(error.to_string().contains(told), "{lie}: {error}");
        assert_ne!(error.kind(), ErrorKind::Timeout, "{lie}: {error}");
        end(&daemon, lie).await;
    })
    .await;
}

#[tokio::test]
async fn nonsense_instead_of_a_response_is_an_error() {
    try_each(LIES, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let fake = make(&daemon, &format!("n = make()\n{lie}\nhang()"))
            .await
            .expect("so far it tells the truth");
        assert_eq!(fake.type_name(), "Fake");
        let error =
            fake.call::<Value>("f", ()).timeout(PATIENCE).await.expect_err("it is not an answer");
        println!("{lie}: {error}");
        assert_ne!(error.kind(), ErrorKind::Timeout, "{lie}: {error}");
        assert!(error.to_string().contains(told), "{lie}: {error}");
        drop(fake);
        end(&daemon, lie).await;
    })
    .await;
}

/// Answers to requests that were not made.
const WRONG_IDS: [(&str, &str); 6] = [
    ("frame((n + 1, 'value', 'for nobody'))", NOT_ASKED),
    ("frame((n - 1, 'value', 'once more'))", NOT_ASKED),
    ("frame((0, 'value', 'for nobody'))", NOT_ASKED),
    ("frame((10 ** 30, 'value', 'for nobody'))", NOT_ASKED),
    ("frame((-n, 'value', 'for nobody'))", NOT_ASKED),
    ("frame(('n', 'value', 'for nobody'))", "a frame is not an answer"),
];

const NOT_ASKED: &str = "it answered a request that was not made";

/// Through the daemon's door, and through the parent's.
async fn call_of_wrong_ids(daemon: &Daemon, lie: &str, told: &str) {
    let fake = make(daemon, &format!("n = make()\n{lie}\nhang()")).await.expect("it is made");
    let error = fake.call::<Value>("f", ()).timeout(PATIENCE).await.expect_err("it is ended");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{lie}: {error}");
    assert!(error.to_string().contains(told), "{lie}: {error}");
    // Although the object is still held.
    until(async || children(daemon.pid()).is_empty()).await;
    drop(fake);
    end(daemon, lie).await;
}

#[tokio::test]
async fn answer_to_another_request_is_a_protocol_error_and_ends_the_interpreter() {
    try_each(WRONG_IDS, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        call_of_wrong_ids(&daemon, lie, told).await;
    })
    .await;
}

#[tokio::test]
async fn answer_to_another_request_is_a_protocol_error_without_a_door_of_the_parent() {
    let urgent = "
fd = fds[1]
frame((5, 'value', []))";
    let lies = WRONG_IDS.into_iter().chain([(urgent, NOT_ASKED)]);
    try_each(lies, async |lie, told| {
        let daemon = oad::daemon().over_grpc().await.expect("a daemon can be made");
        call_of_wrong_ids(&daemon, lie, told).await;
    })
    .await;
}

#[tokio::test]
async fn second_answer_to_a_request_is_a_protocol_error() {
    let lie = "
n = make()
frame((n, 'value', 'for you'))
request()
frame((n, 'value', 'once more'))
hang()
";
    for is_direct in [true, false] {
        let daemon = if is_direct { oad::daemon() } else { oad::daemon().over_grpc() };
        let daemon = daemon.await.expect("a daemon can be made");
        let fake = make(&daemon, lie).await.expect("it is made");
        assert_eq!(fake.call::<String>("f", ()).await.expect("it answers"), "for you");
        let error = fake.call::<String>("f", ()).timeout(PATIENCE).await.expect_err("it is ended");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        until(async || children(daemon.pid()).is_empty()).await;
        drop(fake);
        end(&daemon, lie).await;
    }
}

#[tokio::test]
async fn interpreter_that_closes_its_door_and_lives_is_reported_soon_and_killed() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let lie = "make()\nos.close(fd)\nhang()";
    let fake = make(&daemon, lie).await.expect("it is made");
    let began = Instant::now();
    let error = fake.call::<Value>("f", ()).timeout(PATIENCE).await.expect_err("it is closed");
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}: {error}", began.elapsed());
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    until(async || children(daemon.pid()).is_empty()).await;
    drop(fake);
    end(&daemon, lie).await;
}

#[tokio::test]
async fn half_an_answer_is_waited_for_until_the_deadline_or_the_end() {
    let half = "make()\nsend(b'\\x00\\x01\\0\\0half')\nhang()";
    let daemon =
        oad::daemon().grace(Duration::from_millis(300)).await.expect("a daemon can be made");
    let fake = make(&daemon, half).await.expect("it is made");
    let late = fake
        .call::<Value>("f", ())
        .timeout(Duration::from_millis(200))
        .await
        .expect_err("half a response is not one");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    let waiting = tokio::spawn(fake.call::<Value>("f", ()));
    let interpreters = children(daemon.pid());
    daemon.shutdown().await.expect("it ends");
    waiting.await.expect("it does not panic").expect_err("it is cut off");
    for pid in interpreters {
        wait_until_gone(pid, PATIENCE);
    }
}

#[tokio::test]
async fn flood_of_answers_for_nobody_is_kept_nowhere() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let text = oad::python_value("x")
        .interpreter(interpreter())
        .within(&daemon)
        .await
        .expect("it is made");
    let before = resident_kib(daemon.pid());
    let lie = "greet()\nwhile True: frame((10 ** 6, 'value', 'x' * 60000))";
    let (_folder, liar) = liar(lie);
    let flooding = oad::python_value("x").interpreter(liar).within(&daemon);
    let error = flooding.create_timeout(PATIENCE).await.expect_err("no answer is for the request");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert_eq!(text.str().await.expect("others go on"), "x");
    let after = resident_kib(daemon.pid());
    println!("flood: the daemon had {before} KiB, and has {after}");
    assert!(after < before + 16 * 1024, "from {before} KiB to {after} KiB");
    drop(text);
    end(&daemon, lie).await;
}
