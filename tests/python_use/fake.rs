//! Interpreters that lie: they begin as they should, and then talk nonsense. Whoever
//! waits for them is told, and nothing of them is left.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use oad::{Daemon, ErrorKind, PythonProxy, Value};

use crate::support::python::interpreter;
use crate::support::{children, resident_kib, wait_until_gone};
use crate::{LIMIT, folder, program, until};

/// How many of them lie at once.
const AT_ONCE: usize = 6;

/// What they all know of the truth.
const TRUTH: &str = "import marshal, os, struct, sys, time\nfd = int(sys.argv[-2])\n\
                     def send(data):\n    while data: data = data[os.write(fd, data):]\n\
                     def exactly(size):\n    data = b''\n    while len(data) < size:\n        part = os.read(fd, size - len(data))\n        \
                     if not part: sys.exit(0)\n        data += part\n    return data\n\
                     def receive(): return exactly(struct.unpack('<I', exactly(4))[0])\n\
                     def body(data): send(struct.pack('<I', len(data)) + data)\ndef frame(x): body(marshal.dumps(x, 2))\n\
                     def hang(): time.sleep(600)\n\
                     def begin():\n    frame((0, 'version', (3, 8, 0, 'cpython')))\n    receive()\n    receive()\n\
                     def asked():\n    number = 0\n    while not number: number = marshal.loads(receive())[0]\n    return number\n\
                     def greet():\n    begin()\n    frame((1, 'value', None))\n    return asked()\n\
                     def make():\n    frame((greet(), 'value', (Ellipsis, 'handle', 1, 'Fake', '')))\n    return asked()\n";

/// One that tells a lie, and the folder it is in.
fn liar(lie: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = folder();
    let text = format!("#!{}\n{TRUTH}{lie}\n", interpreter().display());
    let program = program(&folder.path().join("python"), &text);
    (folder, program)
}

async fn make(daemon: &Daemon, lie: &str) -> oad::Result<PythonProxy> {
    let (_folder, liar) = liar(lie);
    let made = oad::python_value("x")
        .interpreter(liar)
        .within(daemon)
        .start_timeout(Duration::from_secs(2));
    // Some are silent for ever.
    made.create_timeout(Duration::from_secs(3)).await
}

/// The daemon lives, none of its interpreters does, and it ends at once.
async fn end(daemon: &Daemon, what: &str) {
    until(async || children(daemon.pid()).is_empty()).await;
    until(async || daemon.objects().await.expect("the daemon lives").is_empty()).await;
    let ended = daemon.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < Duration::from_secs(2), "{what}: {ended}");
}

/// Tries each, some of them at once: most of the time they wait for one another's ends.
async fn try_each<'a>(
    lies: impl IntoIterator<Item = (&'a str, &'a str)>,
    one: impl AsyncFn(&str, &str),
) {
    let one = &one;
    let lies = lies.into_iter().map(|(lie, told)| async move { one(lie, told).await });
    futures_util::stream::iter(lies).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn nonsense_instead_of_a_greeting_is_told() {
    let lies = [
        ("send(b'\\xff' * 8); hang()", "a frame is too large"),
        ("send(b'Python 3.8.0 (default)\\n' * 1000); hang()", "a frame is too large"),
        ("send(b'\\x10\\0\\0\\0half')", "it ended, or is no Python"),
        ("send(b'\\x10\\0\\0\\0half'); hang()", "it has not started within 2s"),
        ("os.close(fd); hang()", "it ended, or is no Python"),
        ("frame('a version'); hang()", "it is no Python"),
        ("frame((0, 'version', ('three', 8, 0, 'cpython'))); hang()", "it is no Python"),
        ("body(b'(' + b'\\x7f' * 9); hang()", "it is no Python"),
        ("frame((0, 'version', (3, 8, 0, 'pypy'))); hang()", "pypy"),
        (
            "begin(); frame((1, 'failed', ('no', 'I will not'))); hang()",
            "it does not take the agent",
        ),
        ("begin(); body(b'not marshal'); hang()", "it does not take the agent"),
        ("begin(); sys.exit('I have seen enough')", "I have seen enough"),
    ];
    try_each(lies, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let asked = Instant::now();
        let error = make(&daemon, lie).await.expect_err("it is none");
        println!("{lie}: {:?}, {error}", asked.elapsed());
        assert!(error.to_string().contains(told), "{lie}: {error}");
        assert!(matches!(error.kind(), ErrorKind::Spawn | ErrorKind::Protocol), "{lie}: {error:?}");
        end(&daemon, lie).await;
    })
    .await;
}

/// Answers to the request `n`, after which all is well with nobody; and what is told.
const LIES: [(&str, &str); 18] = [
    ("body(b'nonsense')", "a frame is no answer"),
    ("body(b'')", "a frame is no answer"),
    ("send(b'\\xff\\xff\\xff\\xff')", "a frame is too large"),
    ("frame([n, 'value', None])", "a frame is no answer"),
    ("frame((n + 7, 'value', 'for nobody')); os._exit(4)", "exited with code 4"),
    ("send(b'\\x00\\x01\\0\\0half'); os._exit(5)", "exited with code 5"),
    ("os.close(fd); os._exit(6)", "exited with code 6"),
    ("frame((n, 'nonsense', None))", "the interpreter's answer is none"),
    ("frame((n, 7, None))", "expected text, found an integer"),
    ("frame((n, 'failed', None))", "expected a list, found null"),
    ("frame((n, 'failed', ('no such code', 'a reason')))", "a reason"),
    ("frame((n, 'raised', None))", "expected a dict, found null"),
    ("frame((n, 'raised', {'type': 5}))", "expected text, found an integer"),
    (
        "frame((n, 'value', (Ellipsis, 'handle', 'one', 'Fake', '')))",
        "expected an integer, found text",
    ),
    ("frame((n, 'value', (Ellipsis, 'nothing', 1)))", "no value is called \"nothing\""),
    (
        "body(b'(\\x03\\0\\0\\0i' + struct.pack('<I', n) + b'u\\x05\\0\\0\\0value[\\xff\\xff\\xff\\x7f')",
        "it ends too early",
    ),
    (
        "body(b'(\\x03\\0\\0\\0i' + struct.pack('<I', n) + b'u\\x05\\0\\0\\0value' + b'[\\x01\\0\\0\\0' * 10 ** 6 + b'N')",
        "",
    ),
    (
        "frame((n, 'value', compile('1', 'code', 'eval')))",
        "no object that may be here starts with the byte",
    ),
];

#[tokio::test]
async fn nonsense_instead_of_an_object_is_told() {
    let lies = LIES
        .into_iter()
        .chain([("frame((n, 'value', 'no handle'))", "the interpreter's answer is none")]);
    try_each(lies, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let asked = Instant::now();
        let error = make(&daemon, &format!("n = greet()\n{lie}\nhang()"))
            .await
            .expect_err("nothing is made");
        println!("{lie}: {:?}, {error}", asked.elapsed());
        assert!(error.to_string().contains(told), "{lie}: {error}");
        assert!(asked.elapsed() < LIMIT, "{lie}: {:?}", asked.elapsed());
        end(&daemon, lie).await;
    })
    .await;
}

#[tokio::test]
async fn nonsense_instead_of_a_calls_answer_is_told() {
    try_each(LIES, async |lie, told| {
        let daemon = oad::daemon().await.expect("a daemon can be made");
        let fake = make(&daemon, &format!("n = make()\n{lie}\nhang()"))
            .await
            .expect("so far it tells the truth");
        assert_eq!(fake.type_name(), "Fake");
        let asked = Instant::now();
        let error = fake.call::<Value>("f", ()).timeout(LIMIT).await.expect_err("it is no answer");
        println!("{lie}: {:?}, {error}", asked.elapsed());
        assert_ne!(error.kind(), ErrorKind::Timeout, "{lie}: {error}");
        assert!(error.to_string().contains(told), "{lie}: {error}");
        drop(fake);
        end(&daemon, lie).await;
    })
    .await;
}

#[tokio::test]
async fn answers_that_nobody_waits_for_disturb_nobody() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let lie = "n = make()\nfor other in (0, n - 1, n + 1, 10 ** 30, -n): frame((other, 'value', 'for nobody'))\n\
               frame((n, 'value', 'for you'))\nframe((n, 'value', 'once more'))\nframe((asked(), 'value', 'and again'))\nhang()";
    let fake = make(&daemon, lie).await.expect("it is made");
    assert_eq!(fake.call::<String>("f", ()).await.expect("it answers"), "for you");
    assert_eq!(fake.call::<String>("f", ()).await.expect("it answers"), "and again");
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
        .expect_err("half is none");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    let waiting = tokio::spawn(fake.call::<Value>("f", ()));
    let interpreters = children(daemon.pid());
    let asked = Instant::now();
    daemon.shutdown().await.expect("it ends");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    waiting.await.expect("it does not panic").expect_err("it is cut off");
    for pid in interpreters {
        wait_until_gone(pid, LIMIT);
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
    let late = make(&daemon, lie).await.expect_err("none of them is for it");
    assert_eq!(late.kind(), ErrorKind::Timeout, "{late}");
    assert_eq!(text.str().await.expect("others go on"), "x");
    let after = resident_kib(daemon.pid());
    println!("flood: the daemon had {before} KiB, and has {after}");
    assert!(after < before + 16 * 1024, "from {before} KiB to {after} KiB");
    drop(text);
    end(&daemon, lie).await;
}
