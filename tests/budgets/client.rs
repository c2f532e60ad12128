//! Clients of a daemon on localhost that are not its parent, so that their memory is
//! counted.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use oad::{Daemon, Endpoint};
use prost::Message;
use tokio::net::TcpStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::pb::DescribeRequest;
use crate::pb::objects_client::ObjectsClient;

pub(crate) fn address(daemon: &Daemon) -> SocketAddr {
    match daemon.endpoint() {
        Endpoint::Tcp(address) => *address,
        other => panic!("it listens at {other}"),
    }
}

/// Shows the daemon's token.
#[derive(Clone)]
pub(crate) struct Authorized(MetadataValue<Ascii>);

impl Authorized {
    pub(crate) fn at(daemon: &Daemon) -> Self {
        let line = daemon.grpcurl();
        let token = line.strip_prefix("OAD_TOKEN=").and_then(|line| line.split(' ').next());
        let header = format!("Bearer {}", token.expect("it is on localhost"));
        Authorized(header.parse().expect("it is a header"))
    }
}

impl Interceptor for Authorized {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(crate) type Objects = ObjectsClient<InterceptedService<Channel, Authorized>>;

/// A client that reads what it is sent.
pub(crate) async fn objects(daemon: &Daemon) -> Objects {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", address(daemon)));
    let channel = endpoint.expect("it is one").connect().await.expect("everybody can connect");
    let mut objects = ObjectsClient::with_interceptor(channel, Authorized::at(daemon))
        .max_decoding_message_size(usize::MAX);
    // A client that shows no token in two seconds is turned away.
    objects.describe(DescribeRequest::default()).await.expect("it answers");
    objects
}

/// A client that does with HTTP/2 what it likes.
pub(crate) struct RawClient {
    requests: SendRequest<Bytes>,
    authorized: Authorized,
    daemon: SocketAddr,
}

impl RawClient {
    /// Connects as a client that takes so many bytes of each response unasked.
    pub(crate) async fn connect(daemon: &Daemon, window: u32) -> Self {
        let daemon_at = address(daemon);
        let stream = TcpStream::connect(daemon_at).await.expect("everybody can connect");
        let mut client = h2::client::Builder::new();
        client.initial_window_size(window).initial_max_send_streams(256);
        let (requests, connection) = client.handshake(stream).await.expect("it speaks HTTP/2");
        // Ends when the daemon or this client closes the connection.
        tokio::spawn(connection);
        RawClient { requests, authorized: Authorized::at(daemon), daemon: daemon_at }
    }

    /// Begins a request; `None` if the daemon has closed the connection.
    pub(crate) async fn begin(
        &mut self,
        method: &str,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let request =
            http::Request::post(format!("http://{}/oad.v1.Objects/{method}", self.daemon))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("authorization", self.authorized.0.to_str().expect("it is text"))
                .body(())
                .expect("it is a request");
        let mut requests = self.requests.clone().ready().await.ok()?;
        requests.send_request(request, false).ok()
    }

    /// Sends a whole request.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        message: &impl Message,
    ) -> Option<ResponseFuture> {
        let (response, mut body) = self.begin(method).await?;
        body.send_data(framed(message), true).ok()?;
        Some(response)
    }
}

/// A message with its length in front.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("it is not that long"));
    message.encode(&mut bytes).expect("a buffer takes everything");
    bytes.freeze()
}

/// The error of a response that is one; `None` if it is a success.
pub(crate) fn failure(response: &http::Response<impl Sized>) -> Option<Status> {
    Status::from_header_map(response.headers())
}

/// The largest resident memory that a process has had, in bytes.
pub(crate) fn peak_memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it has memory");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("it is a number") * 1024
}

/// Fails if it takes much longer than it should.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(120);
    tokio::time::timeout(limit, future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}
