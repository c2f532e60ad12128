//! A bare tonic service, as tonic-prost-build would generate it, over a Unix socket.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::peers::ByteEcho;
use crate::place::Echo;

const SAME: &str = "/bench.Echo/Same";
const ITEMS: &str = "/bench.Echo/Items";

/// The request and the response of each method.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
    #[prost(double, repeated, tag = "3")]
    floats: Vec<f64>,
}

pub(crate) async fn serve(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("the socket's path is free");
    let server = Server::builder().add_service(EchoServer);
    server.serve_with_incoming(UnixListenerStream::new(listener)).await.expect("it serves");
}

/// The service.
#[derive(Clone)]
struct EchoServer;

impl NamedService for EchoServer {
    const NAME: &'static str = "bench.Echo";
}

impl tower::Service<http::Request<Body>> for EchoServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = tonic::server::Grpc::new(ProstCodec::default());
        let mut server = server.max_decoding_message_size(usize::MAX);
        Box::pin(async move {
            Ok(match request.uri().path() {
                SAME => server.unary(Same, request).await,
                _ => server.server_streaming(Items, request).await,
            })
        })
    }
}

struct Same;

impl UnaryService<Message> for Same {
    type Response = Message;
    type Future = Ready<Result<Response<Message>, Status>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}

struct Items;

impl ServerStreamingService<Message> for Items {
    type Response = Message;
    type ResponseStream = futures::stream::Iter<Box<dyn Iterator<Item = Answer> + Send>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        let items = (0..request.into_inner().number).map(|number| Ok(Message::of(number)));
        let items: Box<dyn Iterator<Item = Answer> + Send> = Box::new(items);
        ready(Ok(Response::new(futures::stream::iter(items))))
    }
}

type Answer = Result<Message, Status>;

/// The client.
#[derive(Clone)]
pub(crate) struct TonicClient {
    grpc: Grpc<Channel>,
}

// === impl TonicClient ===

impl TonicClient {
    pub(crate) async fn connect(socket: PathBuf) -> Self {
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await.expect("tonic listens");
        TonicClient { grpc: Grpc::new(channel).max_decoding_message_size(usize::MAX) }
    }

    async fn call(&self, message: Message) -> Message {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.expect("tonic accepts a call");
        let path = PathAndQuery::from_static(SAME);
        let answer = grpc.unary(Request::new(message), path, ProstCodec::default()).await;
        let answer: Response<Message> = answer.expect("tonic responds");
        answer.into_inner()
    }

    pub(crate) async fn same_floats(&self, floats: Vec<f64>) -> Vec<f64> {
        self.call(Message { floats, ..Message::default() }).await.floats
    }

    /// Reads a stream of so many items to its end.
    pub(crate) async fn count_items(&self, count: u64) -> u64 {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.expect("tonic accepts a call");
        let (request, path) = (Request::new(Message::of(count)), PathAndQuery::from_static(ITEMS));
        let answer = grpc.server_streaming(request, path, ProstCodec::default()).await;
        let answer: Response<tonic::Streaming<Message>> = answer.expect("tonic responds");
        let (mut items, mut next) = (answer.into_inner(), 0);
        while let Some(item) = items.message().await.expect("tonic sends an item") {
            assert_eq!(item.number, next);
            next += 1;
        }
        next
    }
}

impl Echo for TonicClient {
    async fn same(&self, number: u64) -> u64 {
        self.call(Message::of(number)).await.number
    }
}

impl ByteEcho for TonicClient {
    async fn same_bytes(&self, data: Bytes) -> Bytes {
        self.call(Message { data, ..Message::default() }).await.data
    }
}

// === impl Message ===

impl Message {
    fn of(number: u64) -> Self {
        Message { number, ..Message::default() }
    }
}
