//! Clients that have not proven that they may be at a daemon, and what they cannot do to
//! others: on localhost and on a Unix socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use oad::{Daemon, Endpoint, Remote as _, Value};
use support::lab::LabProxy;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// A connection of which nobody knows anything.
trait Stranger: Read + Write + Send {}

impl<T: Read + Write + Send> Stranger for T {}

fn stranger(daemon: &Daemon) -> io::Result<Box<dyn Stranger>> {
    match daemon.endpoint() {
        Endpoint::Tcp(address) => {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(SECOND * 10))?;
            stream.set_write_timeout(Some(SECOND * 10))?;
            Ok(Box::new(stream))
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(SECOND * 10))?;
            stream.set_write_timeout(Some(SECOND * 10))?;
            Ok(Box::new(stream))
        }
        other => panic!("it listens at {other}"),
    }
}

async fn both() -> [LabProxy; 2] {
    let on_localhost = LabProxy::new().localhost().await.expect("a daemon starts");
    [on_localhost, LabProxy::new().await.expect("a daemon starts")]
}

/// Makes a call over a connection of its own, as a client that may be there.
async fn call_as_a_good_client(daemon: &Daemon) {
    let endpoint = match daemon.endpoint() {
        Endpoint::Unix(path) => format!("unix:{}", path.display()),
        other => format!("http://{other}"),
    };
    let line = daemon.grpcurl();
    let token = line.strip_prefix("OAD_TOKEN=").and_then(|line| line.split(' ').next());
    let header = token.map(|token| format!("Bearer {token}").parse().expect("it is a header"));
    let authorize = move |mut request: tonic::Request<()>| {
        header.clone().map(|header| request.metadata_mut().insert("authorization", header));
        Ok(request)
    };
    let answered = async {
        let endpoint = tonic::transport::Endpoint::from_shared(endpoint).expect("it is one");
        let channel = endpoint.connect().await.expect("everybody can connect");
        let mut health = HealthClient::with_interceptor(channel, authorize);
        health.check(HealthCheckRequest::default()).await.expect("it answers");
    };
    tokio::time::timeout(SECOND * 5, answered).await.expect("it is not locked out");
}

/// Reads until the daemon has closed the connection.
fn is_closed(stranger: &mut dyn Stranger) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stranger.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_lock_nobody_out() {
    for lab in both().await {
        // On a Unix socket, the daemon knows this process as its parent once it has begun
        // to speak HTTP/2.
        let firsts = [&b""[..], b"PRI * ", PREFACE, &[PREFACE, SETTINGS].concat()];
        let count = if lab.daemon().socket().is_some() { 2 } else { firsts.len() };
        for first in &firsts[..count] {
            let mut strangers = Vec::new();
            for _ in 0..150 {
                let mut stranger = stranger(lab.daemon()).expect("everybody can connect");
                // It may have lost its place already.
                let _ = stranger.write_all(first);
                strangers.push(stranger);
            }
            call_as_a_good_client(lab.daemon()).await;
            assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
            assert!(is_closed(&mut *strangers[0]), "the oldest had to go");
        }
        // The parent's own connections are not taken for a stranger's.
        let mut health = HealthClient::new(lab.daemon().channel());
        health.check(HealthCheckRequest::default()).await.expect("it answers");
        assert!(lab.shutdown().await.expect("it ends").is_clean());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_without_the_token_is_closed_after_two_seconds() {
    let lab = LabProxy::new().localhost().await.expect("a daemon starts");
    let started = Instant::now();
    let closing =
        [&b""[..], PREFACE, &[PREFACE, SETTINGS].concat(), b"oad.v1.Session lane 1\r\n\n"].map(
            |first| {
                let mut stranger = stranger(lab.daemon()).expect("everybody can connect");
                stranger.write_all(first).expect("it is taken");
                std::thread::spawn(move || is_closed(&mut *stranger))
            },
        );
    for closing in closing {
        assert!(closing.join().expect("it does not panic"));
    }
    let passed = started.elapsed();
    assert!((SECOND..SECOND * 5).contains(&passed), "{passed:?}");
    // The parent has shown the token, though it has called nothing.
    let mut health = HealthClient::new(lab.daemon().channel());
    health.check(HealthCheckRequest::default()).await.expect("it answers");
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field of a block of headers that no table is needed for.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let len = u8::try_from(text.len()).expect("it is short");
        assert!(len < 127, "it is short");
        [&[len], text.as_bytes()].concat()
    };
    [&[0], &text(name)[..], &text(value)].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_has_sent_its_token_may_send_more_before_it_is_looked_at() {
    /// More than a client without the token may send.
    const FRAMES: usize = 600;
    let lab = LabProxy::new().localhost().await.expect("a daemon starts");
    let line = lab.daemon().grpcurl();
    let token = line.strip_prefix("OAD_TOKEN=").and_then(|line| line.split(' ').next());
    let fields = [
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/grpc.health.v1.Health/Check"),
        field(":authority", "localhost"),
        field("te", "trailers"),
        field("content-type", "application/grpc"),
        field("authorization", &format!("Bearer {}", token.expect("it is on localhost"))),
    ];
    // A message whose bytes come one by one, and are no message.
    let head = [&[0], &u32::try_from(FRAMES).expect("it is short").to_be_bytes()[..]].concat();
    let parts = (1..=FRAMES).map(|part| frame(0, u8::from(part == FRAMES), 1, &[0xff]));
    let request = [PREFACE, SETTINGS, &frame(1, 4, 1, &fields.concat()), &frame(0, 0, 1, &head)];
    let request = [request.concat(), parts.collect::<Vec<_>>().concat()].concat();
    let mut client = stranger(lab.daemon()).expect("everybody can connect");
    client.write_all(&request).expect("it is taken");
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).expect("it is answered before it is closed");
        let [high, middle, low, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        client.read_exact(&mut payload).expect("it comes whole");
        // Headers: the answer.
        if kind == 1 {
            break;
        }
    }
}

/// Sends a frame until the daemon closes; returns how many bytes it has taken.
fn flood(daemon: &Daemon, frame: impl Fn(u32) -> Vec<u8>) -> usize {
    let mut stranger = stranger(daemon).expect("everybody can connect");
    let mut sent = 0;
    let mut send = |bytes: &[u8]| {
        stranger.write_all(bytes)?;
        sent += bytes.len();
        // What the daemon answers must not fill the socket.
        Ok::<_, io::Error>(())
    };
    if send(&[PREFACE, SETTINGS].concat()).is_err() {
        return sent;
    }
    for number in 0..2_000_000_u32 {
        if let Err(error) = send(&frame(number)) {
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "it is not closed");
            return sent;
        }
    }
    panic!("it has taken {sent} bytes, and is not closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_that_are_not_calls_are_closed_and_others_served() {
    type Flood = (&'static str, fn(u32) -> Vec<u8>);
    let floods: [Flood; 6] = [
        ("SETTINGS", |_| SETTINGS.to_vec()),
        ("PING", |_| frame(6, 0, 0, &[7; 8])),
        ("WINDOW_UPDATE", |_| frame(8, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", |number| frame(2, 0, 2 * number + 1, &[0, 0, 0, 0, 16])),
        ("an unknown kind", |_| frame(99, 0, 0, &[7; 8])),
        // A literal field of 15 KiB that the daemon decodes.
        ("headers", |number| {
            let field = [&[0, 1, b'x', 0x7f, 0x81, 0x77][..], &[b'y'; 15_360]].concat();
            frame(1, 5, 2 * number + 1, &field)
        }),
    ];
    for lab in both().await {
        let is_local = lab.daemon().socket().is_none();
        std::thread::scope(|scope| {
            let flooding: Vec<_> = floods
                .iter()
                .filter(|(name, _)| is_local || *name != "headers")
                .map(|(name, frame)| {
                    let daemon = lab.daemon();
                    (*name, scope.spawn(move || flood(daemon, frame)))
                })
                .collect();
            for (name, flooding) in flooding {
                let sent = flooding.join().expect("it ends");
                println!("{name}: closed after {sent} bytes");
                // As much as the sockets' buffers hold.
                assert!(sent < 8 << 20, "{name}: {sent}");
            }
        });
        call_as_a_good_client(lab.daemon()).await;
        assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    }
}
