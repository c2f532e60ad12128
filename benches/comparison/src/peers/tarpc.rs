//! tarpc over a Unix socket, with bincode.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;
use serde_bytes::ByteBuf;
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};

use crate::peers::ByteEcho;
use crate::place::Echo;

#[tarpc::service]
trait Calls {
    async fn same(number: u64) -> u64;
    async fn same_bytes(data: ByteBuf) -> ByteBuf;
    async fn same_floats(numbers: Vec<f64>) -> Vec<f64>;
}

#[derive(Clone)]
struct CallsServer;

impl Calls for CallsServer {
    async fn same(self, _: context::Context, number: u64) -> u64 {
        number
    }

    async fn same_bytes(self, _: context::Context, data: ByteBuf) -> ByteBuf {
        data
    }

    async fn same_floats(self, _: context::Context, numbers: Vec<f64>) -> Vec<f64> {
        numbers
    }
}

pub(crate) async fn serve(socket: &Path) {
    let incoming = unix::listen(socket, Bincode::default).await;
    let mut incoming = incoming.expect("the socket's path is free");
    incoming.config_mut().max_frame_length(usize::MAX);
    while let Some(transport) = incoming.next().await {
        let channel = BaseChannel::with_defaults(transport.expect("a connection is accepted"));
        tokio::spawn(channel.execute(CallsServer.serve()).for_each(async |response| {
            tokio::spawn(response);
        }));
    }
}

/// The client.
#[derive(Clone)]
pub(crate) struct TarpcClient(CallsClient);

impl TarpcClient {
    pub(crate) async fn connect(socket: PathBuf) -> Self {
        let mut connecting = unix::connect(socket, Bincode::default);
        connecting.config_mut().max_frame_length(usize::MAX);
        let transport = connecting.await.expect("tarpc listens");
        TarpcClient(CallsClient::new(client::Config::default(), transport).spawn())
    }

    pub(crate) async fn same_floats(&self, numbers: Vec<f64>) -> Vec<f64> {
        self.0.same_floats(context::current(), numbers).await.expect("tarpc responds")
    }
}

impl Echo for TarpcClient {
    async fn same(&self, number: u64) -> u64 {
        self.0.same(context::current(), number).await.expect("tarpc responds")
    }
}

impl ByteEcho for TarpcClient {
    async fn same_bytes(&self, data: Bytes) -> Bytes {
        let data = ByteBuf::from(Vec::from(data));
        let same = self.0.same_bytes(context::current(), data).await.expect("tarpc responds");
        Bytes::from(same.into_vec())
    }
}
