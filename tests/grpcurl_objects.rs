//! A user at a terminal with objects by reference and streams: the real grpcurl against a
//! live daemon.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oad::{Remote as _, Shared};
use serde_json::{Value, json};
use support::grpcurl::Grpcurl;

mod support;

oad::test_daemon!();

/// A note on the board.
struct Note(String);

#[oad::object]
impl Note {
    fn text(&self) -> String {
        self.0.clone()
    }

    fn append(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("note {0} is torn")]
struct Torn(u64);

/// Counts up, and records how many items it has made and when it is dropped.
struct Numbers {
    made: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Iterator for Numbers {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        Some(self.made.fetch_add(1, Ordering::SeqCst))
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// Holds notes.
#[derive(Default)]
struct Board {
    notes: Vec<Shared<Note>>,
    made: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

#[oad::object]
impl Board {
    fn new() -> Self {
        Board::default()
    }

    fn write(&self, text: String) -> Shared<Note> {
        Shared::new(Note(text))
    }

    fn pin(&mut self, note: Shared<Note>) {
        self.notes.push(note);
    }

    fn notes(&self) -> Vec<Shared<Note>> {
        self.notes.clone()
    }

    async fn join(&self, notes: Vec<Shared<Note>>) -> oad::Result<String> {
        let mut joined = String::new();
        for note in &notes {
            joined.push_str(&note.read().await?.0);
        }
        Ok(joined)
    }

    fn texts(&self, count: u32) -> impl Iterator<Item = String> {
        (0..count).map(|number| format!("text {number}"))
    }

    fn drafts(&self) -> impl Iterator<Item = Shared<Note>> {
        ["a", "b"].into_iter().map(|text| Shared::new(Note(text.to_owned())))
    }

    fn until_torn(&self, torn: u64) -> impl Iterator<Item = Result<u64, Torn>> {
        (0..).map(move |number| if number == torn { Err(Torn(number)) } else { Ok(number) })
    }

    fn endless(&self) -> impl Iterator<Item = u64> {
        Numbers { made: self.made.clone(), ended: self.ended.clone() }
    }

    /// Returns how many items `endless` has made and how many of its iterators have been
    /// dropped.
    fn endless_so_far(&self) -> (u64, u64) {
        (self.made.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

/// Returns a board behind a socket and one behind a port.
async fn boards() -> [BoardProxy; 2] {
    let on_socket = BoardProxy::new().await.expect("a daemon can be made");
    let on_port = BoardProxy::new().localhost().await.expect("a daemon can be made");
    [on_socket, on_port]
}

/// Waits until so many iterators have been dropped, and returns how many items they made.
async fn until_ended(board: &BoardProxy, times: u64) -> u64 {
    let started = Instant::now();
    loop {
        let (made, ended) = board.endless_so_far().await.expect("it answers");
        if ended == times {
            return made;
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "it is still running after {made} items"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn user_holds_objects_by_their_handles() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let root = Value::Null;
        let written =
            grpcurl.method(&root, "write", json!([{"text": "milk"}])).await.expect("it is written");
        let milk = &written["handle"];
        assert_eq!(milk["type"], "grpcurl_objects::Note");
        assert_eq!(milk["daemon"], board.daemon().id().to_string());
        let written = grpcurl
            .method(&root, "write", json!([{"text": " and eggs"}]))
            .await
            .expect("it is written");
        let eggs = &written["handle"];

        grpcurl.method(milk, "append", json!([{"text": "!"}])).await.expect("it is called");
        assert_eq!(grpcurl.method(milk, "text", json!([])).await, Ok(json!({"text": "milk!"})));
        let description = grpcurl
            .call("oad.v1.Objects/Describe", json!({"handle": milk}))
            .await
            .expect("it describes");
        assert_eq!(description["type"], "grpcurl_objects::Note");

        // As arguments: the printed handle, and only an id.
        let both =
            json!([{"list": {"values": [{"handle": milk}, {"handle": {"id": eggs["id"]}}]}}]);
        assert_eq!(
            grpcurl.method(&root, "join", both.clone()).await,
            Ok(json!({"text": "milk! and eggs"}))
        );
        grpcurl.method(&root, "pin", json!([{"handle": milk}])).await.expect("it is called");
        let pinned = board.notes().await.expect("it answers");
        assert_eq!(pinned[0].text().await.expect("it is the same"), "milk!");

        let info = grpcurl.call("oad.v1.Control/Info", json!({})).await.expect("it answers");
        let objects = info["objects"].as_array().expect("a list");
        let listed: Vec<&Value> = objects.iter().map(|object| &object["handle"]).collect();
        assert!(
            objects.len() == 3 && listed.contains(&milk) && listed.contains(&eggs),
            "{objects:?}"
        );

        grpcurl
            .call("oad.v1.Objects/Release", json!({"handle": eggs}))
            .await
            .expect("it is released");
        let of_eggs = json!({"handle": eggs, "method": "text"});
        let with_eggs = json!({"method": "join", "arguments": both});
        for (rpc, body) in [
            ("Call", of_eggs.clone()),
            ("Call", with_eggs),
            ("Iterate", of_eggs),
            ("Describe", json!({"handle": eggs})),
            ("Release", json!({"handle": eggs})),
        ] {
            let error = grpcurl
                .call(&format!("oad.v1.Objects/{rpc}"), body)
                .await
                .expect_err("it is stale");
            let expected = "the daemon has no object with this handle";
            assert!(error.contains("NotFound") && error.contains(expected), "{rpc}: {error}");
        }
        assert_eq!(board.daemon().objects().await.expect("it answers").len(), 2);
        assert_eq!(grpcurl.method(milk, "text", json!([])).await, Ok(json!({"text": "milk!"})));
    }
}

#[tokio::test]
async fn iterate_prints_the_items_of_a_stream() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let (items, ended) =
            grpcurl.iterate(&[], json!({"method": "texts", "arguments": [{"int": 3}]})).await;
        let expected = ["text 0", "text 1", "text 2"].map(|text| json!({"value": {"text": text}}));
        assert_eq!((items, ended), (expected.to_vec(), Ok(())));
        let (items, ended) =
            grpcurl.iterate(&[], json!({"method": "texts", "arguments": [{"int": 0}]})).await;
        assert_eq!((items, ended), (Vec::new(), Ok(())));
    }
}

#[tokio::test]
async fn objects_from_a_stream_stay_usable() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let (items, ended) = grpcurl.iterate(&[], json!({"method": "drafts"})).await;
        assert_eq!((items.len(), ended), (2, Ok(())));
        for (item, text) in items.iter().zip(["a", "b"]) {
            let answer = grpcurl.method(&item["value"]["handle"], "text", json!([])).await;
            assert_eq!(answer, Ok(json!({"text": text})));
        }
    }
}

#[tokio::test]
async fn timeout_ends_an_endless_stream_in_the_daemon() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let (items, ended) =
            grpcurl.iterate(&["-max-time", "1"], json!({"method": "endless"})).await;
        assert!(ended.as_ref().is_err_and(|error| error.contains("DeadlineExceeded")), "{ended:?}");
        assert_eq!(items.first(), Some(&json!({"value": {"int": "0"}})));
        let made = until_ended(&board, 1).await;
        assert!(made >= items.len() as u64, "{made} were made, and {} arrived", items.len());

        let body = json!({"method": "endless", "timeout": "0.2s"});
        let (_, ended) = grpcurl.iterate(&[], body).await;
        assert!(ended.as_ref().is_err_and(|error| error.contains("within 200ms")), "{ended:?}");
        until_ended(&board, 2).await;
    }
}

#[tokio::test]
async fn endless_stream_ends_in_the_daemon_when_its_reader_closes() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let mut command =
            grpcurl.command(&["-d", r#"{"method": "endless"}"#], &["oad.v1.Objects/Iterate"]);
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader =
                command.stdout(Stdio::piped()).spawn().expect("a shell can be started");
            let mut line = String::new();
            let mut output = BufReader::new(reader.stdout.take().expect("it is piped"));
            output.read_line(&mut line).expect("it prints");
            // As `| head` does.
            drop(output);
            reader.wait().expect("it is ours");
            line
        });
        assert_eq!(reading.await.expect("it does not panic"), "{\n");
        until_ended(&board, 1).await;
    }
}

#[tokio::test]
async fn failing_item_ends_the_stream_with_its_exception() {
    for board in boards().await {
        let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
        let (items, ended) =
            grpcurl.iterate(&[], json!({"method": "until_torn", "arguments": [{"int": 2}]})).await;
        assert_eq!(ended, Ok(()));
        assert_eq!(items[..2], [0, 1].map(|number| json!({"value": {"int": number.to_string()}})));
        assert_eq!(items.len(), 3);
        assert_eq!(items[2]["exception"]["type"], "grpcurl_objects::Torn");
        assert_eq!(items[2]["exception"]["message"], "note 2 is torn");
    }
}

#[tokio::test]
async fn error_names_the_rpc_for_a_method() {
    let board = BoardProxy::new().await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(board.daemon()) else { return };
    let error =
        grpcurl.method(&Value::Null, "endless", json!([])).await.expect_err("it is a stream");
    let expected =
        "`endless` returns a stream, but `Call` has a single response; use `Objects.Iterate`";
    assert!(error.contains("InvalidArgument") && error.contains(expected), "{error}");
    let (items, ended) = grpcurl.iterate(&[], json!({"method": "notes"})).await;
    let expected = "`notes` does not return a stream; use `Objects.Call`";
    assert!(
        items.is_empty()
            && ended
                .as_ref()
                .is_err_and(|error| error.contains("InvalidArgument") && error.contains(expected)),
        "{ended:?}"
    );
    let (_, ended) = grpcurl.iterate(&[], json!({"method": "none"})).await;
    assert!(ended.as_ref().is_err_and(|error| error.contains("has no method `none`")), "{ended:?}");
    assert_eq!(board.endless_so_far().await.expect("it answers"), (0, 0));
}
