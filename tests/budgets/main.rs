//! Clients that make a daemon hold memory for them: they do not read its responses, do
//! not finish their messages, or make calls that wait. The daemon holds a bounded number
//! of bytes for them, says so, and serves the others.

use std::time::Duration;

use bytes::Bytes;
use client::{Objects, RawClient, failure, framed, objects, peak_memory, soon};
use futures_util::future::{join_all, select_all};
use futures_util::{StreamExt as _, stream};
use oad::{Daemon, Remote as _};
use pb::session_request::Operation;
use pb::session_response::Result as SessionResult;
use prost::Message as _;
use tokio::sync::oneshot;
use tonic::{Code, Status};

#[path = "../support/mod.rs"]
mod support;

mod client;

#[allow(missing_docs, unreachable_pub, missing_debug_implementations, dead_code, clippy::all)]
mod pb {
    include!("../../proto/generated/oad.v1.rs");
}

oad::test_daemon!();

const MIB: usize = 1 << 20;

/// The limit on messages; the daemon holds four times as much for a connection, and eight
/// times for all.
const MESSAGE_LIMIT: usize = 16 * MIB;
const CLIENT_LIMIT: usize = 4 * MESSAGE_LIMIT;

/// What a hostile client asks for or sends: a few of them exceed its limit.
const LARGE: usize = 15 * MIB;

/// The most memory that the daemon may ever have had. It may hold 128 MiB; the rest is
/// for what is about to be given back, and for what the allocator keeps for each thread.
const PEAK: usize = 1024 * MIB;

/// How many clients there are. Without a bound, they would make the daemon hold more
/// than 2 GiB.
const CLIENTS: usize = 18;

struct Depot;

#[oad::object]
impl Depot {
    fn new() -> Self {
        Depot
    }

    fn bytes(&self, len: usize) -> oad::value::Bytes {
        vec![7; len].into()
    }

    /// Makes them one after the other: what calls hold while they run is not counted.
    fn make(&mut self, len: usize) -> oad::value::Bytes {
        vec![7; len].into()
    }

    fn len(&self, bytes: &oad::value::Bytes) -> usize {
        bytes.len()
    }

    async fn keep(&self, value: oad::Value, time: Duration) {
        tokio::time::sleep(time).await;
        drop(value);
    }

    fn items(&self, count: usize, len: usize) -> impl Iterator<Item = oad::value::Bytes> {
        (0..count).map(move |_| vec![7; len].into())
    }

    async fn total(&self, mut items: oad::Stream<oad::value::Bytes>) -> oad::Result<usize> {
        let mut total = 0;
        while let Some(item) = items.next().await {
            total += item?.len();
        }
        Ok(total)
    }
}

async fn depot() -> DepotProxy {
    let depot = DepotProxy::new().localhost().message_limit(MESSAGE_LIMIT);
    depot.await.expect("a daemon starts")
}

fn int(number: usize) -> pb::Value {
    let number = i64::try_from(number).expect("it is not that large");
    pb::Value { kind: Some(pb::value::Kind::Int(number)) }
}

fn bytes(len: usize) -> pb::Value {
    pb::Value { kind: Some(pb::value::Kind::Bytes(vec![7; len].into())) }
}

/// A duration of some minutes, as the object takes it.
fn minutes() -> pb::Value {
    let delta = pb::TimeDelta { seconds: 600, ..Default::default() };
    pb::Value { kind: Some(pb::value::Kind::TimeDelta(delta)) }
}

fn call(method: &str, arguments: Vec<pb::Value>) -> pb::CallRequest {
    pb::CallRequest { method: method.to_owned(), arguments, ..Default::default() }
}

/// Asserts that an error names the limit, and what to do.
fn assert_names_the_limit(message: &str) {
    let expected = format!("bytes for this connection, and the limit is {CLIENT_LIMIT}; read the");
    assert!(message.contains(&expected), "{message}");
}

fn assert_is_the_limit(status: &Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_names_the_limit(status.message());
}

/// A client that reads its responses is served.
async fn assert_serves(objects: &mut Objects) {
    let request = call("bytes", vec![int(LARGE)]);
    let response = soon("a call", objects.call(request)).await.expect("it answers").into_inner();
    assert!(response.encoded_len() > LARGE);
}

/// Everybody is served again, and the daemon has not taken too much.
async fn assert_is_well(depot: DepotProxy, good: &mut Objects) {
    assert_serves(good).await;
    assert_eq!(depot.bytes(5).await.expect("it answers").len(), 5);
    let peak = peak_memory(depot.pid());
    println!("the daemon has had {} MiB", peak / MIB);
    assert!(peak < PEAK, "the daemon has had {} MiB", peak / MIB);
    let report = depot.shutdown().await.expect("it ends");
    assert!(report.is_clean(), "{report}");
}

async fn raw_clients(daemon: &Daemon, window: u32) -> Vec<RawClient> {
    join_all((0..CLIENTS).map(|_| RawClient::connect(daemon, window))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_nobody_reads_are_bounded() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let clients = raw_clients(depot.daemon(), 0).await;
    let asking = clients.into_iter().map(|mut client| async move {
        let (mut failed, mut left) = (Vec::new(), Vec::new());
        for _ in 0..8 {
            let Some(response) = client.ask("Call", &call("make", vec![int(LARGE)])).await else {
                return (failed, left);
            };
            // It is closed if this is the client that holds most.
            let Ok(response) = soon("a response", response).await else { return (failed, left) };
            match failure(&response) {
                Some(status) => failed.push(status),
                None => left.push(response),
            }
        }
        (failed, left)
    });
    let mut asking = asking.collect::<Vec<_>>();
    let alone = asking.remove(0).await;
    assert!(!alone.0.is_empty(), "it reaches its limit");
    let mut asked = join_all(asking).await;
    asked.push(alone);
    assert_serves(&mut good).await;
    asked.iter().flat_map(|(failed, _)| failed).for_each(assert_is_the_limit);
    assert_is_well(depot, &mut good).await;
    drop(asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_of_sessions_that_nobody_reads_are_bounded() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let mut clients = raw_clients(depot.daemon(), 0).await;
    let mut sessions = Vec::new();
    for client in &mut clients {
        for _ in 0..6 {
            let Some((response, mut body)) = client.begin("Session").await else { continue };
            for id in 1..10 {
                let operation = Some(Operation::Call(call("make", vec![int(LARGE)])));
                let request = pb::SessionRequest { id, operation, detached: 0 };
                // It may be closed already.
                let _ = body.send_data(framed(&request), false);
            }
            sessions.push((response, body));
        }
    }
    // Responses wait, and the daemon reads no more requests.
    support::until(async || {
        assert_serves(&mut good).await;
        peak_memory(depot.pid()) > 4 * MESSAGE_LIMIT
    })
    .await;
    for _ in 0..10 {
        assert_serves(&mut good).await;
    }
    drop((clients, sessions));
    assert_is_well(depot, &mut good).await;
}

/// Announces messages and sends nearly all of each, until one fails. The session ends
/// when `done` is dropped.
async fn upload_without_end(
    objects: &mut Objects,
    messages: u64,
    done: oneshot::Receiver<()>,
) -> Option<pb::Failure> {
    let chunk = Bytes::from(vec![7; 128 * 1024]);
    let requests = (1..=messages).flat_map(move |id| {
        let announced = Some(Operation::Call(call("len", Vec::new())));
        let announced = pb::SessionRequest { id, operation: announced, detached: LARGE as u64 };
        let chunk = pb::Chunk { data: chunk.clone() };
        let operation = Some(Operation::Chunk(chunk));
        let chunk = pb::SessionRequest { id, operation, detached: 0 };
        let chunks = std::iter::repeat_n(chunk, LARGE / (128 * 1024) - 1);
        std::iter::once(announced).chain(chunks)
    });
    let requests = stream::iter(requests).chain(stream::pending()).take_until(done);
    let mut responses = objects.session(requests).await.ok()?.into_inner();
    while let Ok(Some(response)) = soon("a response", responses.message()).await {
        if let Some(SessionResult::Failure(failure)) = response.result {
            return Some(failure);
        }
    }
    // It held most, and was closed.
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_never_end_are_bounded() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let clients = join_all((0..CLIENTS).map(|_| objects(depot.daemon()))).await;
    let uploading = clients.into_iter().map(|mut client| async move {
        let (until_done, done) = oneshot::channel();
        let failure = upload_without_end(&mut client, 8, done).await;
        (failure, until_done)
    });
    let mut uploading = uploading.collect::<Vec<_>>();
    let alone = uploading.remove(0).await;
    assert!(alone.0.is_some(), "it reaches its limit");
    let mut uploaded = join_all(uploading).await;
    uploaded.push(alone);
    for failure in uploaded.iter().filter_map(|(failure, _)| failure.as_ref()) {
        assert_eq!(failure.code(), pb::FailureCode::Limit, "{failure:?}");
        assert_names_the_limit(&failure.message);
    }
    // Otherwise their calls would have to be abandoned.
    drop(uploaded);
    assert_is_well(depot, &mut good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_never_end_are_bounded() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let clients = raw_clients(depot.daemon(), 65_535).await;
    let whole = framed(&call("len", vec![bytes(LARGE)]));
    let part = whole.slice(..whole.len() - 1);
    let asking = clients.into_iter().map(|mut client| {
        let part = part.clone();
        async move {
            let mut begun = Vec::new();
            for _ in 0..8 {
                let Some((response, mut body)) = client.begin("Call").await else { break };
                if body.send_data(part.clone(), false).is_err() {
                    break;
                }
                begun.push((response, body));
            }
            // One of them fails, or the connection is closed.
            let (responses, _bodies): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
            let (first, ..) = soon("a response", select_all(responses)).await;
            first.ok().and_then(|response| failure(&response))
        }
    });
    let mut asking = asking.collect::<Vec<_>>();
    let alone = asking.remove(0).await;
    assert_is_the_limit(&alone.expect("it reaches its limit"));
    join_all(asking).await.iter().flatten().for_each(assert_is_the_limit);
    assert_is_well(depot, &mut good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_of_calls_that_wait_are_bounded_and_given_back() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let client = objects(depot.daemon()).await;
    let small = pb::Value { kind: Some(pb::value::Kind::Null(pb::Null {})) };
    let tuple = pb::Tuple { values: vec![small; 200_000] };
    let values = pb::Value { kind: Some(pb::value::Kind::Tuple(tuple)) };
    // The second takes much more memory than it has bytes.
    for argument in [bytes(LARGE), values] {
        let mut calls: Vec<_> = (0..12)
            .map(|_| {
                let mut client = client.clone();
                let request = call("keep", vec![argument.clone(), minutes()]);
                Box::pin(async move { client.call(request).await })
            })
            .collect();
        let (refused, _, rest) = soon("a refusal", select_all(&mut calls)).await;
        assert_is_the_limit(&refused.expect_err("it is too much"));
        drop(rest);
        drop(calls);
        // The calls were cancelled: there is room again.
        support::until(async || {
            let request = call("len", vec![bytes(LARGE)]);
            client.clone().call(request).await.is_ok()
        })
        .await;
    }
    assert_is_well(depot, &mut good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn items_wait_for_a_slow_reader() {
    let depot = depot().await;
    let mut good = objects(depot.daemon()).await;
    let request = pb::IterateRequest {
        method: "items".to_owned(),
        arguments: vec![int(20), int(LARGE)],
        ..Default::default()
    };
    let mut items = good.iterate(request).await.expect("it opens").into_inner();
    let mut count = 0;
    while let Some(item) = soon("an item", items.message()).await.expect("it is not too much") {
        assert!(item.encoded_len() > LARGE);
        // Something else goes on meanwhile.
        assert_eq!(depot.bytes(5).await.expect("it answers").len(), 5);
        count += 1;
    }
    assert_eq!(count, 20);
    assert_is_well(depot, &mut good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parent_over_grpc_sends_and_receives_streams_of_large_items() {
    let started = DepotProxy::new().localhost().over_grpc().message_limit(MESSAGE_LIMIT).await;
    let depot = started.expect("a daemon starts");
    let items = stream::iter((0..20).map(|_| vec![7_u8; LARGE].into()));
    let total = soon("a stream", depot.total(oad::Stream::new(items)).into_future()).await;
    assert_eq!(total.expect("it is not too much"), 20 * LARGE);
    let mut items = depot.items(20, LARGE).await.expect("it opens");
    let mut count = 0;
    while let Some(item) = soon("an item", items.next()).await {
        assert_eq!(item.expect("it is not too much").len(), LARGE);
        count += 1;
    }
    assert_eq!(count, 20);
}
