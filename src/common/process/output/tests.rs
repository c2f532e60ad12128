use std::io::Write as _;
use std::sync::OnceLock;

use super::*;

#[test]
fn control_characters_and_noise_are_made_visible() {
    assert_eq!(printable(b"\x1b[31mred\xff\ttab \xc3\xa9\n"), "\\u{1b}[31mred\\xff\ttab é\n");
}

fn daemon(signed: Uuid) -> OutputOrigin {
    OutputOrigin { pid: 1, daemon: 1, signed: Some(signed) }
}

#[tokio::test]
async fn end_of_a_long_stderr_is_kept() {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    let output =
        Output::capture(daemon(Uuid::nil()), &EventSink::current(), None, Some(reader.into()));
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = writer;
        writer.write_all(&vec![b'x'; 100_000]).expect("it is read");
        writer.write_all(b"\nlast words").expect("it is read");
    });
    writing.await.expect("writing does not panic");
    let tail = output.finish().await;
    assert_eq!(tail, "last words");
}

#[tokio::test]
async fn pipe_held_open_by_another_does_not_hold_up_the_end() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    writer.write_all(b"one\nlast words").expect("it is open");
    let output =
        Output::capture(daemon(Uuid::nil()), &EventSink::current(), None, Some(reader.into()));
    let tail = timeout(Duration::from_secs(5), output.finish()).await.expect("it is bounded");
    assert_eq!(tail, "one\nlast words", "it is there already");
    drop(writer);
}

/// What a parent is told, as `pid text`, of what the process 7 has written and its daemon
/// passed on behind `own`.
async fn told(written: &[u8], own: &[u8]) -> (Vec<String>, String) {
    let id = Uuid::from_u128(0xab);
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let written = written.to_vec();
    let writing = tokio::task::spawn_blocking(move || writer.write_all(&written));
    let passed_on = own.to_vec();
    let relay = Output::default();
    let source = relay.source(Some(reader.into())).expect("it is a pipe");
    let passed_on = pass_on(source, passed_on, output_prefix::prefix(id, 7), None).await;
    let passed_on = passed_on.expect("writing does not panic");
    writing.await.expect("writing does not panic").expect("it is read");

    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let writing = tokio::task::spawn_blocking(move || writer.write_all(&passed_on));
    // With one subscriber only, `tracing` would ask that of whichever test comes first,
    // which has none.
    static ANOTHER: OnceLock<tracing::Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| tracing::Dispatch::new(Events::default()));
    let output = Output::default();
    let (events, source) =
        (Events::default(), output.source(Some(reader.into())).expect("it is a pipe"));
    let sink = tracing::subscriber::with_default(events.clone(), EventSink::current);
    let tail = Some(Arc::clone(&output.tail));
    tell(source, daemon(id), sink.clone(), StdStream::Stderr, tail).await;
    sink.flushed().await;
    writing.await.expect("writing does not panic").expect("it is read");
    let told = events.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (told, output.finish().await)
}

#[tokio::test]
async fn line_that_is_passed_on_is_told_with_the_pid_of_who_wrote_it() {
    let (lines, tail) = told(b"one\n\n\xff\x1e\x1f\0two\nno end", b"its own, ").await;
    assert_eq!(lines, ["1 its own, ", "7 one", "7 ", "7 \\xff\\u{1e}\\u{1f}\\u{0}two", "7 no end"]);
    assert_eq!(tail, "its own, \none\n\n\\xff\\u{1e}\\u{1f}\\u{0}two\nno end\n");
}

#[tokio::test]
async fn line_of_any_length_that_is_passed_on_is_told_whole_and_by_its_writer() {
    for own in [0, 1, LINE - 60, LINE - 1, LINE, LINE + 1] {
        for len in [1, LINE - 100, LINE, 3 * LINE, 100_000] {
            let (lines, _) = told(&vec![b'x'; len], &vec![b'o'; own]).await;
            let of = |pid: &str| {
                lines.iter().filter_map(|line| line.strip_prefix(pid)).map(str::len).sum::<usize>()
            };
            assert_eq!((of("1 "), of("7 ")), (own, len), "{own} before {len}");
            assert!(lines.iter().all(|line| line.len() <= LINE + 2));
        }
    }
}

/// Keeps the events' pids and texts.
#[derive(Clone, Debug, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct EventFields {
    pid: u64,
    text: String,
}

impl tracing::field::Visit for EventFields {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if field.name() == "pid" {
            self.pid = value;
        }
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let told = format!("{} {}", fields.pid, fields.text);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    fn enter(&self, _: &tracing::Id) {}

    fn exit(&self, _: &tracing::Id) {}
}
