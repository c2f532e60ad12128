//! Daemons on a port of 127.0.0.1: who is answered, who is not, and what anybody else on
//! the machine can see.

#![allow(clippy::unwrap_used, reason = "it is a test")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use oad::{Daemon, Endpoint, ErrorKind, Remote as _, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say, wait_until};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

mod support;

oad::test_daemon!(|services| services.add_service(Own, &[]));

const SECOND: Duration = Duration::from_secs(1);

/// A service of the user's own: it tells in its status whether it was shown any
/// credentials.
#[derive(Clone)]
struct Own;

impl tonic::server::NamedService for Own {
    const NAME: &'static str = "test.v1.Own";
}

impl tower::Service<http::Request<Body>> for Own {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shown = request.headers().contains_key("authorization");
        ready(Ok(Status::data_loss(format!("reached, credentials shown: {shown}")).into_http()))
    }
}

/// Paths of every service that a daemon has, and of none.
const PATHS: &[&str] = &[
    "/oad.v1.Objects/Call",
    "/oad.v1.Objects/Create",
    "/oad.v1.Objects/Describe",
    "/oad.v1.Objects/Release",
    "/oad.v1.Objects/Session",
    "/oad.v1.Control/Info",
    "/oad.v1.Control/Logs",
    "/oad.v1.Control/Shutdown",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/test.v1.Own/Anything",
    "/no.such.Service/Method",
    "/",
];

async fn lab() -> LabProxy {
    LabProxy::new().localhost().await.expect("a daemon can be made")
}

fn address(daemon: &Daemon) -> SocketAddr {
    match daemon.endpoint() {
        Endpoint::Tcp(address) => *address,
        other => panic!("it listens at {other}"),
    }
}

/// The token, from where its owner is shown it.
fn token(daemon: &Daemon) -> String {
    let line = daemon.grpcurl();
    line.strip_prefix("OAD_TOKEN=")
        .and_then(|line| line.split(' ').next())
        .expect("it stands in front")
        .to_owned()
}

/// A connection of a stranger's.
async fn connection(daemon: &Daemon) -> Channel {
    let endpoint =
        tonic::transport::Endpoint::from_shared(format!("http://{}", daemon.endpoint())).unwrap();
    endpoint.connect().await.expect("everybody can connect")
}

/// Sends an empty message, and gives what became of it.
async fn ask(
    channel: &Channel,
    path: &'static str,
    authorization: Option<&str>,
) -> Result<(), Status> {
    let mut request = Request::new(());
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    }
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("it is connected");
    let path = http::uri::PathAndQuery::from_static(path);
    client.unary(request, path, ProstCodec::<(), ()>::default()).await.map(drop)
}

#[tokio::test]
async fn calls_and_the_end_are_as_on_a_unix_socket() {
    let lab = lab().await;
    assert_eq!(lab.echo(Value::Int(5)).await.expect("it answers"), Value::Int(5));
    assert_eq!(lab.bytes(3_000_000).await.expect("it answers").len(), 3_000_000);
    assert_eq!(lab.health().await.expect("it answers"), oad::Health::Serving);
    let other = LabProxy::new().within(lab.daemon()).await.expect("it fits in");
    assert_eq!(other.pid(), lab.pid());
    assert_eq!(lab.daemon().socket(), None);
    assert!(address(lab.daemon()).ip().is_loopback() && address(lab.daemon()).port() != 0);
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.is_clean(), "{ended}");
    assert_eq!(lab.echo(Value::Null).await.expect_err("it has ended").kind(), ErrorKind::Closed);
    TcpStream::connect(address(lab.daemon())).expect_err("nobody listens any more");
}

#[tokio::test]
async fn nobody_without_the_token_is_answered_by_any_service() {
    let lab = lab().await;
    let token = token(lab.daemon());
    let stranger = connection(lab.daemon()).await;
    let other = self::lab().await;
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some(token.clone()),
        Some(format!("Basic {token}")),
        Some(format!("Bearer {}", &token[..63])),
        Some(format!("Bearer {token}0")),
        Some(format!("Bearer {}", "0".repeat(64))),
        Some(format!("Bearer {}", self::token(other.daemon()))),
    ];
    for path in PATHS {
        for authorization in &wrong {
            let status =
                ask(&stranger, path, authorization.as_deref()).await.expect_err("it is refused");
            assert_eq!(
                status.code(),
                Code::Unauthenticated,
                "{path} with {authorization:?}: {status}"
            );
            let expected = "missing or wrong token: send `authorization: Bearer <token>`; \
                            `Daemon::grpcurl` in the parent returns a command line with the token";
            assert_eq!(status.message(), expected);
            assert!(!format!("{status:?}").contains(&token));
        }
    }
    lab.log().await.expect("and no shutdown was among what was heard");
}

#[tokio::test]
async fn token_opens_every_service_and_no_service_sees_it() {
    let lab = lab().await;
    let authorization = format!("Bearer {}", token(lab.daemon()));
    let client = connection(lab.daemon()).await;
    // These would not end.
    let endless =
        ["/oad.v1.Control/Logs", "/grpc.health.v1.Health/Watch", "/oad.v1.Control/Shutdown"];
    for path in PATHS.iter().filter(|path| !endless.contains(path)) {
        let answer = ask(&client, path, Some(&authorization)).await;
        let code = answer.as_ref().map_or_else(Status::code, |()| Code::Ok);
        assert_ne!(code, Code::Unauthenticated, "{path}: {answer:?}");
    }
    ask(&client, "/grpc.health.v1.Health/Check", Some(&authorization)).await.expect("it serves");
    let own =
        ask(&client, "/test.v1.Own/Anything", Some(&authorization)).await.expect_err("it says so");
    assert_eq!((own.code(), own.message()), (Code::DataLoss, "reached, credentials shown: false"));
    let unknown = ask(&client, "/no.such.Service/Method", Some(&authorization))
        .await
        .expect_err("there is none");
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test]
async fn channel_for_generated_clients_has_the_token() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let lab = lab().await;
    let mut health = HealthClient::new(lab.daemon().channel());
    health.check(HealthCheckRequest::default()).await.expect("it answers");
    let mut own = tonic::client::Grpc::new(lab.daemon().channel());
    own.ready().await.expect("it is connected");
    let path = http::uri::PathAndQuery::from_static("/test.v1.Own/Anything");
    let reached = own
        .unary(Request::new(()), path, ProstCodec::<(), ()>::default())
        .await
        .expect_err("it says so");
    assert_eq!(reached.message(), "reached, credentials shown: false");
}

#[tokio::test]
async fn unix_socket_wants_no_token_and_leaves_credentials_to_the_services() {
    let lab = LabProxy::new().await.expect("a daemon can be made");
    assert!(matches!(
        lab.daemon().endpoint(),
        Endpoint::Unix(path) if Some(path.as_path()) == lab.daemon().socket()
    ));
    let mut own = tonic::client::Grpc::new(lab.daemon().channel());
    own.ready().await.expect("it is connected");
    let mut request = Request::new(());
    request.metadata_mut().insert("authorization", "mine".parse().unwrap());
    let path = http::uri::PathAndQuery::from_static("/test.v1.Own/Anything");
    let reached =
        own.unary(request, path, ProstCodec::<(), ()>::default()).await.expect_err("it says so");
    assert_eq!(reached.message(), "reached, credentials shown: true");
}

/// Where something listens at this port, as `/proc/net` has it.
fn listening_at(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let sockets =
        tables.iter().flat_map(|table| table.lines().skip(1)).map(|line| line.split_whitespace());
    let listening = sockets.filter_map(|mut fields| match (fields.nth(1), fields.nth(1)) {
        (Some(local), Some("0A")) => Some(local.to_owned()),
        _ => None,
    });
    listening.filter(|local| local.ends_with(&format!(":{port:04X}"))).collect()
}

#[tokio::test]
async fn port_is_on_127_0_0_1_only_and_different_for_each() {
    let (first, second) = (lab().await, lab().await);
    let port = address(first.daemon()).port();
    assert_eq!(listening_at(port), [format!("0100007F:{port:04X}")]);
    assert_ne!(address(second.daemon()), address(first.daemon()));
    assert_ne!(token(second.daemon()), token(first.daemon()));
    assert_eq!(token(first.daemon()).len() * 4, 256);
}

#[tokio::test]
async fn hundreds_of_wrong_attempts_do_no_harm() {
    let lab = lab().await;
    // One that is right goes first, so that what a connection leaves for good is there.
    drop(connection(lab.daemon()).await);
    lab.log().await.expect("it answers");
    let before = support::holdings(lab.pid()).2;
    for _ in 0..10 {
        let attempts = (0..30).map(|_| async {
            let stranger = connection(lab.daemon()).await;
            let status = ask(&stranger, "/oad.v1.Objects/Call", Some("Bearer guess"))
                .await
                .expect_err("it is refused");
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        });
        futures_util::future::join_all(attempts).await;
    }
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    support::wait_until(SECOND * 5, || match support::holdings(lab.pid()).2 {
        now if now <= before => Ok(()),
        now => Err(format!("{now} sockets, and {before} before")),
    });
    assert!(lab.shutdown().await.expect("it ends").is_clean());
}

#[tokio::test]
async fn silent_clients_do_not_delay_shutdown() {
    let lab = lab().await;
    let silent: Vec<TcpStream> =
        (0..8).map(|_| TcpStream::connect(address(lab.daemon())).unwrap()).collect();
    let mut brief = TcpStream::connect(address(lab.daemon())).unwrap();
    brief.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it is taken");
    brief.read_exact(&mut [0; 9]).expect("it answers");
    let ended = lab.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < SECOND, "{ended}");
    drop(silent);
}

#[tokio::test]
async fn client_that_speaks_something_else_is_turned_away() {
    let lab = lab().await;
    let mut client = TcpStream::connect(address(lab.daemon())).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    client.set_read_timeout(Some(SECOND * 5)).unwrap();
    let read = client.read(&mut [0; 64]);
    let is_closed = matches!(&read, Ok(0))
        || read.as_ref().is_err_and(|error| error.raw_os_error() == Some(104));
    assert!(is_closed, "nothing is answered: {read:?}");
    lab.log().await.expect("others are served");
}

/// Plays the parent that is killed.
#[test]
fn parent_on_localhost() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let lab = lab().await;
        say(lab.daemon().endpoint());
        tokio::time::sleep(SECOND * 600).await;
        drop(lab);
    });
}

#[test]
fn nothing_listens_after_the_parent_is_killed() {
    let mut parent = Parent::start("parent_on_localhost", "go");
    let address: SocketAddr = parent.hear_number();
    assert_eq!(listening_at(address.port()).len(), 1);
    parent.kill();
    parent.wait_until_nothing_is_left(SECOND);
    // A process that exits has no environment any more when it closes its sockets.
    wait_until(SECOND, || match listening_at(address.port()) {
        sockets if sockets.is_empty() => Ok(()),
        sockets => Err(format!("{sockets:?}")),
    });
    TcpStream::connect(address).expect_err("nobody listens any more");
}

/// What was told, as text.
#[derive(Clone, Default)]
struct LogCapture(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for LogCapture {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct LogsRequest {
    #[prost(int32, tag = "1")]
    level: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(string, tag = "2")]
    target: String,
    #[prost(string, tag = "3")]
    message: String,
    #[prost(map = "string, string", tag = "4")]
    fields: HashMap<String, String>,
}

/// All that the daemon's program tells, of every level, until it ends.
async fn follow(channel: oad::Channel, listening: Arc<tokio::sync::Notify>) -> Vec<Record> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("it is connected");
    let path = http::uri::PathAndQuery::from_static("/oad.v1.Control/Logs");
    let request = Request::new(LogsRequest { level: 5 });
    let codec = ProstCodec::<LogsRequest, Record>::default();
    let mut records =
        client.server_streaming(request, path, codec).await.expect("it answers").into_inner();
    listening.notify_one();
    let mut told = Vec::new();
    while let Ok(Some(record)) = records.message().await {
        told.push(record);
    }
    told
}

#[tokio::test]
async fn token_stands_in_no_argument_environment_log_or_debug() {
    let here = LogCapture::default();
    let writer = here.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone());
    // For the whole test binary, because the tasks of the HTTP/2 library know of no
    // other.
    subscriber.init();

    let spawn = LabProxy::new().localhost();
    let mut shown = format!("{spawn:?}");
    let lab = spawn.await.expect("a daemon can be made");
    let token = token(lab.daemon());
    let listening = Arc::new(tokio::sync::Notify::new());
    let following = tokio::spawn(follow(lab.daemon().channel(), Arc::clone(&listening)));
    listening.notified().await;
    lab.echo(Value::Int(1)).await.expect("it answers");
    let stranger = connection(lab.daemon()).await;
    let status = ask(&stranger, "/oad.v1.Objects/Call", Some("Bearer guess"))
        .await
        .expect_err("it is refused");
    ask(&stranger, "/oad.v1.Control/Info", Some(&format!("Bearer {token}"))).await.ok();
    let failed = LabProxy::failing("so".into()).within(lab.daemon()).await.expect_err("it fails");
    let channel = lab.daemon().channel();
    shown += &format!(
        "{:?} {lab:?} {channel:?} {status:?} {failed:?} {:?}",
        lab.daemon(),
        lab.daemon().endpoint()
    );
    for pid in [lab.pid(), std::process::id()] {
        for file in ["cmdline", "environ"] {
            shown +=
                &String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap());
        }
    }
    let ended = lab.shutdown().await.expect("it ends");
    let error = lab.log().await.expect_err("it has ended");
    shown += &format!("{ended:?} {error:?}");
    drop((channel, stranger));

    let there = following.await.expect("it does not panic");
    let here = String::from_utf8_lossy(&here.0.lock().unwrap()).into_owned();
    let heard = |target: &str| there.iter().any(|record| record.target.starts_with(target));
    assert!(
        heard("h2") && here.contains("h2::"),
        "the libraries tell much: {}, {}",
        there.len(),
        here.len()
    );
    for text in [shown, here, format!("{there:?}")] {
        assert_eq!(text.matches(&token).count(), 0, "{}", text.replace(&token, "HERE IT IS"));
    }
}
