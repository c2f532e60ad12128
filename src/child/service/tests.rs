//! The services as a client in another language uses them, frame by frame.

use futures_util::StreamExt as _;
use oad::Remote as _;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::*;
use crate::common::value::Value;
use crate::common::wire::pb::objects_client::ObjectsClient;
use crate::common::wire::pb::session_request::Operation;
use crate::common::wire::pb::session_response::Result as SessionResult;
use crate::common::wire::value_to_pb;

/// Longer than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Shop;

#[oad::object]
impl Shop {
    fn new() -> Self {
        Shop
    }

    fn numbers(&self, count: i64) -> impl Iterator<Item = i64> {
        0..count
    }

    fn length(&self, text: &str) -> usize {
        text.len()
    }

    fn long(&self, len: i64) -> String {
        "x".repeat(usize::try_from(len).expect("it is a length"))
    }

    async fn sum(&self, numbers: oad::Stream<i64>) -> oad::Result<i64> {
        Ok(numbers.collect::<Vec<_>>().await?.iter().sum())
    }
}

async fn shop() -> (ShopProxy, ObjectsClient<oad::Channel>) {
    let shop = ShopProxy::new().in_process().await.expect("a daemon can be made");
    let objects = ObjectsClient::new(shop.daemon().channel());
    (shop, objects)
}

fn int(value: i64) -> pb::Value {
    value_to_pb(Value::Int(value))
}

/// A session, frame by frame.
struct Frames {
    requests: mpsc::Sender<pb::SessionRequest>,
    responses: Streaming<pb::SessionResponse>,
    _shop: ShopProxy,
}

impl Frames {
    async fn open() -> Self {
        let (_shop, mut objects) = shop().await;
        let (requests, receiver) = mpsc::channel(16);
        let responses =
            objects.session(ReceiverStream::new(receiver)).await.expect("it opens").into_inner();
        Frames { requests, responses, _shop }
    }

    async fn send(&self, id: u64, operation: Operation, detached: u64) {
        let request = pb::SessionRequest { id, operation: Some(operation), detached };
        self.requests.send(request).await.expect("the session is open");
    }

    async fn call(&self, id: u64, method: &str, arguments: Vec<pb::Value>, credit: u32) {
        let call =
            pb::CallRequest { method: method.to_owned(), arguments, credit, ..Default::default() };
        self.send(id, Operation::Call(call), 0).await;
    }

    /// Announces a call with detached arguments.
    async fn announce(&self, id: u64, method: &str, len: usize) {
        let call = pb::CallRequest { method: method.to_owned(), ..Default::default() };
        self.send(id, Operation::Call(call), len as u64).await;
    }

    async fn next(&mut self) -> (u64, SessionResult) {
        let response = timeout(TIMEOUT, self.responses.message()).await.expect("it comes");
        let response = response.expect("the session is open").expect("the session is open");
        (response.id, response.result.expect("it has a result"))
    }

    async fn failure(&mut self, of: u64) -> pb::FailureCode {
        match self.next().await {
            (id, SessionResult::Failure(failure)) if id == of => failure.code(),
            other => panic!("expected a failure: {other:?}"),
        }
    }
}

#[tokio::test]
async fn iterate_ends_after_the_last_item() {
    let (_shop, mut objects) = shop().await;
    let request = pb::IterateRequest {
        method: "numbers".to_owned(),
        arguments: vec![int(40)],
        ..Default::default()
    };
    let items = objects.iterate(request).await.expect("it opens").into_inner();
    let items = timeout(TIMEOUT, items.collect::<Vec<_>>()).await.expect("it ends");
    assert_eq!(items.len(), 40);
    assert!(items.iter().all(std::result::Result::is_ok));
}

#[tokio::test]
async fn stopping_a_stream_cancels_its_call() {
    let mut frames = Frames::open().await;
    frames.call(1, "numbers", vec![int(100)], 1).await;
    assert!(matches!(frames.next().await, (1, SessionResult::Opened(_))));
    assert!(
        matches!(frames.next().await, (1, SessionResult::Items(items)) if items.values == [int(0)])
    );
    frames.send(1, Operation::Credit(pb::Credit { stream: 0, items: 0 }), 0).await;
    assert_eq!(frames.failure(1).await, pb::FailureCode::Cancelled);
}

#[tokio::test]
async fn half_closed_session_ends_its_streams() {
    let mut frames = Frames::open().await;
    frames.call(1, "numbers", vec![int(100)], 1).await;
    assert!(matches!(frames.next().await, (1, SessionResult::Opened(_))));
    assert!(matches!(frames.next().await, (1, SessionResult::Items(_))));
    frames.call(2, "sum", vec![value_to_pb(Value::Stream(0))], 0).await;
    assert!(matches!(frames.next().await, (2, SessionResult::Credit(_))));
    (frames.requests, _) = mpsc::channel(1);
    let mut ended = Vec::new();
    while let Some(response) =
        timeout(TIMEOUT, frames.responses.message()).await.expect("it ends").expect("in order")
    {
        ended.push(response.id);
    }
    ended.sort_unstable();
    assert_eq!(ended, [1, 2]);
}

#[tokio::test]
async fn operation_with_a_taken_id_does_not_receive_the_chunks_of_the_other() {
    let mut frames = Frames::open().await;
    let arguments = vec![value_to_pb(Value::Text("four".into()))];
    let message = pb::Arguments { arguments, ..Default::default() }.encode_to_vec();
    // Items for an unknown call are dropped, and so are the chunks of a refused one.
    frames.send(1, Operation::Items(pb::Items::default()), 1000).await;
    frames.announce(1, "unknown", message.len()).await;
    assert_eq!(frames.failure(1).await, pb::FailureCode::NoSuchMethod);
    frames.announce(2, "length", message.len()).await;
    frames.announce(2, "length", 1000).await;
    assert_eq!(frames.failure(0).await, pb::FailureCode::Protocol);
    frames.send(2, Operation::Items(pb::Items::default()), 1000).await;
    frames.send(2, Operation::Chunk(pb::Chunk { data: message.into() }), 0).await;
    let (id, response) = frames.next().await;
    let outcome = Some(pb::call_response::Outcome::Value(int(4)));
    assert_eq!((id, response), (2, SessionResult::Call(pb::CallResponse { outcome })));
}

#[tokio::test]
async fn operation_with_a_running_id_is_not_answered_under_it() {
    let mut frames = Frames::open().await;
    frames.call(7, "sum", vec![value_to_pb(Value::Stream(0))], 0).await;
    assert!(matches!(frames.next().await, (7, SessionResult::Credit(_))));
    let handle = None;
    let repeated = [
        Some(Operation::Call(pb::CallRequest {
            method: "length".to_owned(),
            ..Default::default()
        })),
        Some(Operation::Create(Box::default())),
        Some(Operation::Describe(pb::DescribeRequest { handle: handle.clone() })),
        Some(Operation::Release(pb::ReleaseRequest { handle, count: 1 })),
        None,
    ];
    for operation in repeated {
        let request = pb::SessionRequest { id: 7, operation, detached: 0 };
        frames.requests.send(request).await.expect("the session is open");
        assert_eq!(frames.failure(0).await, pb::FailureCode::Protocol);
    }
    let items = pb::Items { values: vec![int(3)], ended: true, ..Default::default() };
    frames.send(7, Operation::Items(items), 0).await;
    let outcome = Some(pb::call_response::Outcome::Value(int(3)));
    let first = SessionResult::Call(pb::CallResponse { outcome });
    assert_eq!(frames.next().await, (7, first), "the first one was not disturbed");
    frames.call(7, "length", vec![value_to_pb(Value::Text("four".into()))], 0).await;
    assert!(matches!(frames.next().await, (7, SessionResult::Call(_))), "its id is free again");
}

#[tokio::test]
async fn operation_with_the_id_of_a_response_that_is_being_sent_is_refused() {
    let mut frames = Frames::open().await;
    // More than the flow control lets through while nobody reads.
    frames.call(1, "long", vec![int(40_000_000)], 0).await;
    let (id, response) = {
        let response = timeout(TIMEOUT, frames.responses.message()).await.expect("it comes");
        let response = response.expect("it is open").expect("it is open");
        (response.id, response)
    };
    assert!(id == 1 && response.detached >= 40_000_000, "{response:?}");
    frames.call(1, "length", vec![value_to_pb(Value::Text("four".into()))], 0).await;
    let mut rest = response.detached;
    let mut refused = 0;
    while rest > 0 {
        match frames.next().await {
            (1, SessionResult::Chunk(chunk)) => rest -= chunk.data.len() as u64,
            (0, SessionResult::Failure(failure)) => {
                assert_eq!(failure.code(), pb::FailureCode::Protocol);
                refused += 1;
            }
            other => panic!("neither a chunk nor the refusal: {other:?}"),
        }
    }
    assert_eq!(refused, 1);
}

/// Encodes bytes as they are, also those that are no message.
#[derive(Default)]
struct Raw;

impl tonic::codec::Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = pb::SessionResponse;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl tonic::codec::Encoder for Raw {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(
        &mut self,
        item: Vec<u8>,
        buffer: &mut tonic::codec::EncodeBuf<'_>,
    ) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Raw {
    type Item = pb::SessionResponse;
    type Error = tonic::Status;

    fn decode(
        &mut self,
        buffer: &mut tonic::codec::DecodeBuf<'_>,
    ) -> Result<Option<pb::SessionResponse>, tonic::Status> {
        Ok(pb::SessionResponse::decode(buffer).ok())
    }
}

#[tokio::test]
async fn malformed_frame_ends_the_session_with_invalid_argument() {
    let (shop, _) = shop().await;
    let describe = Some(Operation::Describe(pb::DescribeRequest::default()));
    let good = pb::SessionRequest { id: 1, operation: describe, detached: 0 }.encode_to_vec();
    let malformed: [&[u8]; 4] =
        [b"\xff\xff\xff\xff", b"\x08", b"\x1a\x7f", b"\x1a\x03\x12\x01\xff"];
    for malformed in malformed {
        let (requests, receiver) = mpsc::channel(16);
        let mut client = tonic::client::Grpc::new(shop.daemon().channel());
        client.ready().await.expect("the daemon runs");
        let path = http::uri::PathAndQuery::from_static("/oad.v1.Objects/Session");
        let request = tonic::Request::new(ReceiverStream::new(receiver));
        let responses = client.streaming(request, path, Raw).await.expect("it opens");
        let mut responses = responses.into_inner();
        requests.send(good.clone()).await.expect("it is open");
        let first = timeout(TIMEOUT, responses.message()).await.expect("it comes");
        assert_eq!(first.expect("it is good").expect("it is one").id, 1);
        requests.send(malformed.to_vec()).await.expect("it is open");
        // The client still sends, and is not waited for.
        let status = timeout(TIMEOUT, responses.message()).await.expect("it ends");
        let status = status.expect_err("it was broken off");
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status}");
        assert!(status.message().contains("malformed"), "{status}");
    }
}
