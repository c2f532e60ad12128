//! The reader of a session, given one frame after the other.

use std::sync::mpsc;
use std::thread;

use futures_util::StreamExt as _;

use super::*;
use crate::common::stream::ItemSource;
use crate::common::wire::FrameStream;
use crate::common::wire::pb::session_request::Operation;
use crate::parent::client::Submitted;
use crate::parent::client::upload::Upload;

const LIMITS: Limits = Limits { message: 1000, depth: 32 };

fn reader() -> (ResponseReader, FrameStream<pb::SessionRequest>) {
    let (outbox, requests) = Outbox::new();
    let pending = PendingCalls::new();
    let reader = ResponseReader {
        pending: Arc::clone(&pending),
        outbox,
        limits: LIMITS,
        decoding: TaskTracker::new(),
        keeper: Runtime::current(),
        lost: LostNotifier::new(|| (), &pending),
    };
    (reader, requests)
}

fn register(reader: &ResponseReader) -> Submitted {
    reader.pending.register(&reader.outbox).expect("the session is open")
}

fn response(id: u64, result: Option<Message>, detached: u64) -> pb::SessionResponse {
    pb::SessionResponse { id, result, detached }
}

/// An iterator that, like one of proxies, uses the session when it is dropped, and tells
/// when it has done so.
struct Releasing(Arc<PendingCalls>, Outbox<pb::SessionRequest>, mpsc::Sender<()>);

impl Iterator for Releasing {
    type Item = Result<crate::common::value::Value>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl Drop for Releasing {
    fn drop(&mut self) {
        self.0.register_beyond_limit(&self.1).expect("the session is open").forget();
        // The test may have failed meanwhile.
        let _ = self.2.send(());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_nobody_wants_is_dropped_outside_the_lock() {
    let (reader, mut requests) = reader();
    let call = register(&reader);
    let (tell, told) = mpsc::channel();
    let releasing = Releasing(Arc::clone(&reader.pending), reader.outbox.clone(), tell);
    let source = ItemSource::Iterator(Box::new(releasing));
    let way = UploadChannel {
        id: call.id(),
        outbox: reader.outbox.clone(),
        message_limit: 1000,
        large: Arc::default(),
    };
    let upload = Upload::start(&Runtime::current(), way, 0, source);
    upload.grant(1);
    reader.pending.with(call.id(), |waiting| waiting.uploads.insert(0, upload));
    // It has come to its end, and its source waits for the call's.
    let end = requests.next().await.expect("the end is sent").operation;
    assert!(matches!(end, Some(Operation::Items(items)) if items.ended));
    let waited = async {
        while reader.pending.with(call.id(), |waiting| waiting.uploads[&0].is_done()) != Some(true)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.expect("it ends");
    let id = call.id();
    // A call whose session is stuck could not be dropped, and the test would hang instead
    // of failing.
    std::mem::forget(call);
    // On a thread that may hang.
    thread::spawn(move || {
        let mut arriving = HashMap::new();
        reader.take(
            response(id, Some(Message::Credit(pb::Credit { stream: 0, items: 0 })), 0),
            &mut arriving,
        );
    });
    let dropped = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(10)));
    dropped.await.expect("it does not panic").expect("it is dropped, and nothing hangs");
}

#[tokio::test]
async fn call_whose_item_is_refused_is_cancelled() {
    let (reader, mut requests) = reader();
    let mut arriving = HashMap::new();
    let call = register(&reader);
    let id = call.id();
    reader.take(response(id, Some(Message::Opened(pb::Opened {})), 0), &mut arriving);
    let Response::Opened(mut stream) = call.await.expect("it opens") else {
        panic!("it is a stream")
    };
    reader.take(response(id, None, 1001), &mut arriving);
    let cancel = requests.next().await.expect("something is sent");
    assert_eq!((cancel.id, cancel.operation), (id, Some(Operation::Cancel(pb::Cancel {}))));
    let error = stream.next().await.expect("the failure").expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}
