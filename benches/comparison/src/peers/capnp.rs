//! capnp-rpc over a Unix socket. Its clients are not `Send`, so each end has one thread.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use futures::AsyncReadExt as _;
use futures::future::join_all;
use futures::io::{BufReader, BufWriter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::echo_capnp::echo;
use crate::place::{IN_FLIGHT, current_thread, rate};

struct EchoServer;

impl echo::Server for EchoServer {
    async fn same(
        self: Rc<Self>,
        parameters: echo::SameParams,
        mut results: echo::SameResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_number(parameters.get()?.get_number());
        Ok(())
    }
}

pub(crate) async fn serve(socket: &Path) {
    let client: echo::Client = capnp_rpc::new_client(EchoServer);
    let listener = UnixListener::bind(socket).expect("the socket's path is free");
    let accepting = async {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection is accepted");
            let network = network(stream, Side::Server);
            tokio::task::spawn_local(RpcSystem::new(network, Some(client.clone().client)));
        }
    };
    LocalSet::new().run_until(accepting).await
}

/// The client, with the thread's runtime.
#[derive(Clone)]
pub(crate) struct CapnpClient {
    runtime: Arc<Runtime>,
    local: Rc<LocalSet>,
    client: echo::Client,
}

impl CapnpClient {
    pub(crate) fn connect(socket: &Path) -> Self {
        let (runtime, local) = (current_thread(), Rc::new(LocalSet::new()));
        let client = local.block_on(&runtime, async {
            let stream = UnixStream::connect(socket).await.expect("capnp-rpc listens");
            let mut system = RpcSystem::new(network(stream, Side::Client), None);
            let client = system.bootstrap(Side::Server);
            tokio::task::spawn_local(system);
            client
        });
        CapnpClient { runtime, local, client }
    }

    async fn same(&self, number: u64) -> u64 {
        let mut request = self.client.same_request();
        request.get().set_number(number);
        let response = request.send().promise.await.expect("capnp-rpc responds");
        response.get().expect("the response is complete").get_number()
    }

    /// Times calls that are made one after the other.
    pub(crate) fn one_by_one(&self, calls: u64) -> Vec<f64> {
        self.local.block_on(&self.runtime, async {
            let mut times = Vec::new();
            for number in 0..calls {
                let start = Instant::now();
                let same = self.same(number).await;
                times.push(start.elapsed().as_secs_f64());
                assert_eq!(same, number);
            }
            times
        })
    }

    /// Measures the rate of calls of which a fixed number is always in flight.
    pub(crate) fn in_flight(&self, calls: u64) -> Vec<f64> {
        self.local.block_on(&self.runtime, async {
            let start = Instant::now();
            join_all((0..IN_FLIGHT).map(|_| async {
                for number in 0..calls / IN_FLIGHT {
                    assert_eq!(self.same(number).await, number);
                }
            }))
            .await;
            vec![rate(calls, start.elapsed())]
        })
    }
}

fn network(stream: UnixStream, side: Side) -> Box<twoparty::VatNetwork<BufReader<impl Read>>> {
    let (reader, writer) = Compatible(stream).split();
    let (reader, writer) = (BufReader::new(reader), BufWriter::new(writer));
    Box::new(twoparty::VatNetwork::new(reader, writer, side, Default::default()))
}

trait Read: futures::AsyncRead + Unpin + 'static {}
impl<T: futures::AsyncRead + Unpin + 'static> Read for T {}

/// A socket of tokio with the traits of `futures`.
struct Compatible(UnixStream);

impl futures::AsyncRead for Compatible {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl futures::AsyncWrite for Compatible {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
