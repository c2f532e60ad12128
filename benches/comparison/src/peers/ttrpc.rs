//! ttrpc, async, over a Unix socket; its generated code would do the same.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ttrpc::asynchronous::{Client, MethodHandler, Server, Service, TtrpcContext};
use ttrpc::proto::{Request, Response};

use crate::peers::ByteEcho;
use crate::place::Echo;

const SERVICE: &str = "bench.Echo";
const SAME: &str = "Same";

struct Same;

#[async_trait::async_trait]
impl MethodHandler for Same {
    async fn handler(&self, _: TtrpcContext, request: Request) -> ttrpc::Result<Response> {
        let mut response = Response::new();
        let message = decode(&request.payload);
        response.payload = prost::Message::encode_to_vec(&message);
        Ok(response)
    }
}

/// The request and the response.
#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

fn decode(payload: &[u8]) -> Payload {
    prost::Message::decode(payload).expect("the payload is a message")
}

pub(crate) async fn serve(socket: &Path) {
    let same: Box<dyn MethodHandler + Send + Sync> = Box::new(Same);
    let methods = HashMap::from([(SAME.to_owned(), same)]);
    let service = Service { methods, streams: HashMap::new() };
    let mut server = Server::new()
        .bind(&address(socket))
        .expect("the socket's path is free")
        .register_service(HashMap::from([(SERVICE.to_owned(), service)]));
    server.start().await.expect("ttrpc serves");
    std::future::pending().await
}

/// The client.
#[derive(Clone)]
pub(crate) struct TtrpcClient(Arc<Client>);

impl TtrpcClient {
    pub(crate) async fn connect(socket: PathBuf) -> Self {
        let client = Client::connect(&address(&socket)).await;
        TtrpcClient(Arc::new(client.expect("ttrpc listens")))
    }

    async fn call(&self, payload: Payload) -> Payload {
        let mut request = Request::new();
        request.service = SERVICE.to_owned();
        request.method = SAME.to_owned();
        request.payload = prost::Message::encode_to_vec(&payload);
        decode(&self.0.request(request).await.expect("ttrpc responds").payload)
    }
}

impl Echo for TtrpcClient {
    async fn same(&self, number: u64) -> u64 {
        self.call(Payload { number, ..Payload::default() }).await.number
    }
}

impl ByteEcho for TtrpcClient {
    async fn same_bytes(&self, data: Bytes) -> Bytes {
        self.call(Payload { data, ..Payload::default() }).await.data
    }
}

fn address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}
