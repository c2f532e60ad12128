//! The limits of a daemon, each of which is tripped: what the client reads then, and that
//! the daemon is well afterwards.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use oad::{Daemon, Endpoint, Remote as _, Spawn, Value};
use support::lab::LabProxy;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// Far longer than anything takes that happens at all.
const LONG: Duration = Duration::from_secs(20);

// === Connections ===

/// Shows the daemon's token.
#[derive(Clone)]
struct Authorized(MetadataValue<Ascii>);

impl Interceptor for Authorized {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type Health = HealthClient<InterceptedService<Channel, Authorized>>;

/// Connects to a daemon on localhost, which does not mean that the daemon has noticed.
async fn client(daemon: &Daemon) -> Health {
    let line = daemon.grpcurl();
    let token = line.strip_prefix("OAD_TOKEN=").and_then(|line| line.split(' ').next());
    let header = format!("Bearer {}", token.expect("it is on localhost"));
    let endpoint = format!("http://{}", daemon.endpoint());
    let endpoint = tonic::transport::Endpoint::from_shared(endpoint).expect("it is one");
    let channel = endpoint.connect().await.expect("everybody can connect");
    HealthClient::with_interceptor(channel, Authorized(header.parse().expect("it is a header")))
}

async fn is_answered(health: &mut Health, limit: Duration) -> bool {
    let answer = tokio::time::timeout(limit, health.check(HealthCheckRequest::default())).await;
    answer.is_ok_and(|answer| answer.is_ok())
}

async fn assert_is_well(lab: LabProxy) {
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    let report = lab.shutdown().await.expect("it ends");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_fifth_client_is_served_once_another_has_gone() {
    let lab = LabProxy::new().localhost().await.expect("a daemon starts");
    // The parent has two.
    let mut clients = Vec::new();
    for _ in 0..62 {
        let mut client = client(lab.daemon()).await;
        assert!(is_answered(&mut client, LONG).await, "client {}", clients.len());
        clients.push(client);
    }
    let mut late = client(lab.daemon()).await;
    assert!(!is_answered(&mut late, SECOND / 2).await, "there is no place");
    drop(clients.pop());
    assert!(is_answered(&mut late, LONG).await, "there is a place");
    drop(clients);
    assert_is_well(lab).await;
}

/// The processor time that a process has used.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("it has a name");
    let ticks = |index: usize| fields.split_whitespace().nth(index).and_then(|n| n.parse().ok());
    let ticks: u64 = ticks(11)
        .zip(ticks(12))
        .map(|(user, system): (u64, u64)| user + system)
        .expect("they are numbers");
    // The kernel shows them in hundredths of a second, whatever it counts itself.
    Duration::from_millis(ticks * 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_without_descriptors_waits_quietly_and_serves_again() {
    /// Fewer than there are places for clients.
    const DESCRIPTORS: usize = 64;
    let lab = LabProxy::new().executable("/usr/bin/prlimit").localhost();
    let arguments = [
        format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}"),
        std::env::current_exe().expect("it has a path").display().to_string(),
        "oad_test_daemon".to_owned(),
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ];
    let lab = arguments.into_iter().fold(lab, Spawn::program_arg).await.expect("a daemon starts");
    let mut clients = Vec::new();
    let mut late = loop {
        let mut client = client(lab.daemon()).await;
        if !is_answered(&mut client, SECOND).await {
            break client;
        }
        clients.push(client);
        assert!(clients.len() < DESCRIPTORS, "it has no descriptors left");
    };
    // To accept again at once would take half of a processor.
    let before = processor_time(lab.pid());
    tokio::time::sleep(SECOND).await;
    let used = processor_time(lab.pid()) - before;
    println!("{used:?} of a second");
    assert!(used < SECOND / 5, "{used:?} of a second");
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));

    clients.truncate(2);
    assert!(is_answered(&mut late, LONG).await, "there are descriptors again");
    drop(clients);
    assert_is_well(lab).await;
}

// === HTTP/2 ===

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113, sections 6 and 7.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A client that sends whatever bytes it likes.
struct RawClient(UnixStream);

#[derive(Debug)]
struct RawFrame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl RawFrame {
    /// The reason of a RST_STREAM or GOAWAY.
    fn reason(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("it is whole"))
    }
}

impl RawClient {
    fn connect(daemon: &Daemon) -> Self {
        let Endpoint::Unix(path) = daemon.endpoint() else { panic!("it has a socket") };
        let stream = UnixStream::connect(path).expect("everybody can connect");
        stream.set_read_timeout(Some(LONG)).expect("it is a socket");
        stream.set_write_timeout(Some(LONG)).expect("it is a socket");
        let mut client = RawClient(stream);
        client.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        // The daemon may have closed the connection: then the answer says why.
        let _ = self.0.write_all(bytes);
    }

    /// Reads until a frame comes that is wanted.
    fn wait_for(&mut self, wanted: impl Fn(&RawFrame) -> bool) -> RawFrame {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).expect("the frame comes before the end");
            let [high, middle, low, kind, _, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
            self.0.read_exact(&mut payload).expect("it comes whole");
            let frame = RawFrame { kind, stream: u32::from_be_bytes(stream), payload };
            if wanted(&frame) {
                return frame;
            }
            assert_ne!(frame.kind, GOAWAY, "reason {}", frame.reason());
        }
    }

    /// Asserts that a request on this connection is answered.
    fn assert_is_served(&mut self, stream: u32) {
        let fields = request("/grpc.health.v1.Health/Check");
        self.send(&frame(HEADERS, END_HEADERS, stream, &fields));
        self.send(&frame(DATA, END_STREAM, stream, &[0; 5]));
        self.wait_for(|frame| frame.kind == DATA && frame.stream == stream);
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("it is not that long").to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field that no table is needed for.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        // RFC 7541, section 5.1.
        let mut bytes = vec![text.len().min(127) as u8];
        if let Some(mut rest) = text.len().checked_sub(127) {
            while rest >= 128 {
                bytes.push((rest % 128 + 128) as u8);
                rest /= 128;
            }
            bytes.push(rest as u8);
        }
        bytes.extend(text.as_bytes());
        bytes
    };
    [&[0], &text(name)[..], &text(value)].concat()
}

fn request(path: &str) -> Vec<u8> {
    let fields = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", path),
        field(":authority", "localhost"),
        field("te", "trailers"),
        field("content-type", "application/grpc"),
    ];
    fields.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_http2_are_in_force() {
    let lab = LabProxy::new().await.expect("a daemon starts");
    tokio::task::block_in_place(|| {
        let call = request("/oad.v1.Objects/Call");

        // As many requests as a client may have at once, and one more.
        let mut client = RawClient::connect(lab.daemon());
        for number in 0..=256 {
            client.send(&frame(HEADERS, END_HEADERS, 2 * number + 1, &call));
        }
        let refused = client.wait_for(|frame| frame.kind == RST_STREAM);
        assert_eq!((refused.stream, refused.reason()), (513, REFUSED_STREAM));
        client.send(&frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes()));
        client.assert_is_served(515);

        // More headers than a request may have.
        let mut client = RawClient::connect(lab.daemon());
        let long = [call.clone(), field("x", &"y".repeat(65 * 1024))].concat();
        client.send(&frame(HEADERS, END_HEADERS, 1, &long));
        let refused = client.wait_for(|frame| frame.stream == 1);
        assert!([HEADERS, RST_STREAM].contains(&refused.kind), "{refused:?}");
        client.assert_is_served(3);

        // A larger frame than the daemon takes.
        let mut client = RawClient::connect(lab.daemon());
        client.send(&frame(HEADERS, END_HEADERS, 1, &call));
        client.send(&frame(DATA, 0, 1, &vec![0; 256 * 1024 + 1]));
        let refused = client.wait_for(|frame| frame.kind == GOAWAY);
        assert_eq!(refused.reason(), FRAME_SIZE_ERROR);

        // More requests that are malformed than a client may send.
        let mut client = RawClient::connect(lab.daemon());
        for number in 0..1100 {
            let flags = END_HEADERS | END_STREAM;
            client.send(&frame(HEADERS, flags, 2 * number + 1, &field(":scheme", "http")));
        }
        let refused = client.wait_for(|frame| frame.kind == GOAWAY);
        assert_eq!(refused.reason(), ENHANCE_YOUR_CALM);
    });
    assert_is_well(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_cancels_many_calls_at_once_keeps_its_connection() {
    const CALLS: u32 = 500;
    let lab = LabProxy::new().await.expect("a daemon starts");
    tokio::task::block_in_place(|| {
        let mut client = RawClient::connect(lab.daemon());
        let call = request("/oad.v1.Objects/Call");
        let cancelled = (0..CALLS).flat_map(|number| {
            let stream = 2 * number + 1;
            let cancel = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
            [frame(HEADERS, END_HEADERS, stream, &call), cancel]
        });
        client.send(&cancelled.collect::<Vec<_>>().concat());
        client.assert_is_served(2 * CALLS + 1);
    });
    assert_is_well(lab).await;
}
