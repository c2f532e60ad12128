//! The reader of a session, fed frame by frame.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::*;
use crate::common::error::Result;
use crate::common::stream::ItemSource;
use crate::common::wire::FrameStream;
use crate::common::wire::pb::session_request::Operation;
use crate::parent::client::submitted::Submitted;
use crate::parent::client::upload::Upload;

const LIMITS: Limits = Limits { message: 1000, depth: 32 };

fn reader() -> (ResponseReader, FrameStream<pb::SessionRequest>) {
    let (outbox, requests) = Outbox::new();
    let pending = PendingCalls::new();
    let reader = ResponseReader::new(pending, outbox, LIMITS, Runtime::current(), || ());
    (reader, requests)
}

fn arriving() -> ArrivingMessages {
    ArrivingMessages::new(LIMITS.message, BufferPool::new(Runtime::current()))
}

fn register(reader: &ResponseReader) -> Submitted {
    Submitted::register(&reader.pending, Arc::new(reader.outbox.clone()))
        .expect("the session is open")
}

fn response(id: u64, result: Option<Message>, detached: u64) -> pb::SessionResponse {
    pb::SessionResponse { id, result, detached }
}

/// An iterator that uses the session when it is dropped, as an iterator of proxies does,
/// and reports that it has done so.
struct Releasing(Arc<PendingCalls>, mpsc::Sender<()>);

impl Iterator for Releasing {
    type Item = Result<crate::common::value::Value>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl Drop for Releasing {
    fn drop(&mut self) {
        self.0.unawaited_id().expect("the session is open");
        // This fails only if the test has failed meanwhile.
        let _ = self.1.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unwanted_stream_is_dropped_outside_the_lock() {
    let (reader, mut requests) = reader();
    let call = register(&reader);
    let (sender, dropped) = mpsc::channel();
    let releasing = Releasing(Arc::clone(&reader.pending), sender);
    let source = ItemSource::Iterator(Box::new(releasing));
    let channel = UploadChannel {
        id: call.id(),
        outbox: reader.outbox.clone(),
        message_limit: 1000,
        large: Arc::default(),
    };
    let upload = Upload::start(&Runtime::current(), channel, 0, source);
    upload.grant(1);
    reader.pending.with(call.id(), |call| call.uploads.insert(0, upload));
    // The upload has ended. Its source is kept until the call has ended.
    let end = requests.next().await.expect("the end is sent").operation;
    assert!(matches!(end, Some(Operation::Items(items)) if items.ended));
    let ended = async {
        while reader.pending.with(call.id(), |call| call.uploads[&0].is_done()) != Some(true) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it ends");
    let id = call.id();
    // If the session is stuck, dropping the call would hang the test instead of failing
    // it.
    std::mem::forget(call);
    let mut arriving = arriving();
    // On another thread, which may hang.
    thread::spawn(move || {
        let credit = pb::Credit { stream: 0, items: 0 };
        let _ = reader.handle(response(id, Some(Message::Credit(credit)), 0), &mut arriving);
    });
    let received =
        tokio::task::spawn_blocking(move || dropped.recv_timeout(Duration::from_secs(10)));
    received.await.expect("it does not panic").expect("it is dropped, and nothing hangs");
}

#[tokio::test]
async fn call_whose_item_is_rejected_is_cancelled() {
    let (reader, mut requests) = reader();
    let mut arriving = arriving();
    let call = register(&reader);
    let id = call.id();
    let opened = response(id, Some(Message::Opened(pb::Opened::default())), 0);
    reader.handle(opened, &mut arriving).expect("it is pending");
    let Response::Opened(mut stream) = call.await.expect("it opens") else {
        panic!("it is a stream")
    };
    reader.handle(response(id, None, 1001), &mut arriving).expect("it is pending");
    let cancel = requests.next().await.expect("a frame is sent");
    assert_eq!((cancel.id, cancel.operation), (id, Some(Operation::Cancel(pb::Cancel {}))));
    let error = stream.next().await.expect("the failure").expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn announcement_that_nobody_has_asked_for_breaks_the_protocol() {
    let (reader, _requests) = reader();
    let mut arriving = arriving();
    let call = register(&reader);
    let id = call.id();
    reader.handle(response(id, None, 1000), &mut arriving).expect("it is pending");
    let value = pb::CallResponse::default();
    reader.handle(response(id, Some(Message::Call(value)), 0), &mut arriving).expect("it is too");
    // It was answered; the next one has never been sent.
    for id in [id, id + 1, u64::MAX] {
        let error = reader.handle(response(id, None, 1), &mut arriving).expect_err("it is not");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(arriving.is_empty());
    }
}

#[tokio::test]
async fn call_fails_at_its_drop_while_its_answer_is_decoded_and_only_one_answer_is() {
    let (reader, mut requests) = reader();
    let mut arriving = arriving();
    let call = register(&reader);
    let id = call.id();
    assert_eq!(reader.pending.with(id, |call| call.is_answered), Some(false));
    reader.pending.with(id, |call| call.is_answered = true);
    let error = reader.handle(response(id, None, 1), &mut arriving).expect_err("one is enough");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    drop(call);
    let cancel = requests.next().await.expect("a frame is sent");
    assert_eq!((cancel.id, cancel.operation), (id, Some(Operation::Cancel(pb::Cancel {}))));
    assert_eq!(reader.pending.with(id, |call| call.is_answered), Some(true));
    assert!(reader.pending.complete(id, Ok(Response::Done)).is_some(), "nobody waits for it");
}
