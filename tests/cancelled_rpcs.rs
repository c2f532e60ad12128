//! RPCs that a client cancels when the daemon has answered them: nobody learns of the
//! objects in the responses, so they are released.

use oad::{Daemon, Remote as _, Shared};
use support::until;
use tokio_stream::StreamExt as _;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

mod support;

oad::test_daemon!();

struct Coin;

#[oad::object]
impl Coin {
    fn new() -> Self {
        Coin
    }

    fn cents(&self) -> u64 {
        1
    }
}

struct Mint;

#[oad::object]
impl Mint {
    fn new() -> Self {
        Mint
    }

    fn coin(&self) -> Shared<Coin> {
        Shared::new(Coin)
    }

    fn endless(&self) -> impl Iterator<Item = Shared<Coin>> {
        (0..).map(|_: u64| Shared::new(Coin))
    }
}

/// What these requests need of `oad.v1`'s: the method or the attribute.
#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "2")]
    name: String,
    /// By handle, in the request of an attribute.
    #[prost(int32, tag = "3")]
    returns: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Create {
    #[prost(message, optional, tag = "1")]
    definition: Option<Definition>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Definition {
    #[prost(string, tag = "1")]
    type_name: String,
    #[prost(string, tag = "2")]
    constructor: String,
}

fn named(name: &str) -> Named {
    Named { name: name.to_owned(), returns: 0 }
}

fn create_coin() -> Create {
    let type_name = std::any::type_name::<Coin>().to_owned();
    Create { definition: Some(Definition { type_name, constructor: "new".to_owned() }) }
}

/// A connection that lets the daemon send so many bytes of each response.
async fn client(daemon: &Daemon, window: u32) -> Grpc<Channel> {
    let path = daemon.socket().expect("it listens there").display();
    let endpoint = Endpoint::from_shared(format!("unix:{path}")).expect("it is one");
    let connected = endpoint.initial_stream_window_size(window).connect().await;
    Grpc::new(connected.expect("it listens"))
}

/// Makes a unary RPC, whose response says nothing here.
async fn call<T: prost::Message + 'static>(
    mut client: Grpc<Channel>,
    rpc: &'static str,
    request: T,
) -> Result<(), tonic::Status> {
    let path = format!("/oad.v1.Objects/{rpc}").parse().expect("it is a path");
    client.ready().await.expect("it is connected");
    client.unary(tonic::Request::new(request), path, ProstCodec::<T, ()>::default()).await?;
    Ok(())
}

async fn objects(daemon: &Daemon) -> usize {
    daemon.objects().await.expect("it answers").len()
}

/// Cancels `rpc` when the daemon has answered with an object, which cannot be sent.
async fn assert_released(daemon: &Daemon, rpc: impl Future<Output = Result<(), tonic::Status>>) {
    let before = objects(daemon).await;
    let mut rpc = Box::pin(rpc);
    let answered = until(async || objects(daemon).await > before);
    tokio::select! {
        () = answered => {}
        ended = &mut rpc => panic!("nothing can be sent: {ended:?}"),
    }
    drop(rpc);
    until(async || objects(daemon).await == before).await;
}

#[tokio::test]
async fn object_in_a_response_that_was_cancelled_is_released() {
    let mint = MintProxy::new().await.expect("a daemon can be made");
    let daemon = mint.daemon();
    let blocked = client(daemon, 0).await;
    for _ in 0..3 {
        assert_released(daemon, call(blocked.clone(), "Call", named("coin"))).await;
        assert_released(daemon, call(blocked.clone(), "Create", create_coin())).await;
    }
    // One that arrives is the client's.
    let client = client(daemon, 65_535).await;
    call(client.clone(), "Call", named("coin")).await.expect("it answers");
    call(client.clone(), "Create", create_coin()).await.expect("it answers");
    assert_eq!(objects(daemon).await, 3);
}

#[tokio::test]
async fn objects_in_items_that_were_not_sent_are_released() {
    let mint = MintProxy::new().await.expect("a daemon can be made");
    let daemon = mint.daemon();
    let iterate = async |window, method: &str| {
        let mut client = client(daemon, window).await;
        let path = http::uri::PathAndQuery::from_static("/oad.v1.Objects/Iterate");
        let codec = ProstCodec::<Named, ()>::default();
        client.ready().await.expect("it is connected");
        let items = client.server_streaming(tonic::Request::new(named(method)), path, codec);
        items.await.expect("it opens").into_inner()
    };
    // Items wait in the daemon and in the connection.
    let items = iterate(0, "endless").await;
    until(async || objects(daemon).await > 10).await;
    drop(items);
    until(async || objects(daemon).await == 1).await;

    // Those that were sent are the client's, in whatever state the call is.
    let mut items = iterate(65_535, "endless").await;
    for _ in 0..3 {
        items.next().await.expect("there are more").expect("it comes");
    }
    drop(items);
    let mut last = 0;
    until(async || std::mem::replace(&mut last, objects(daemon).await) == last).await;
    assert!(last > 3, "{last}");
}

#[cfg(feature = "python")]
#[tokio::test]
async fn python_object_in_a_response_that_was_cancelled_is_released() {
    let script = support::python::script("class Coin: pass\ncoin = Coin()\n").await;
    let daemon = script.daemon();
    let blocked = client(daemon, 0).await;
    let request = Named { name: "coin".to_owned(), returns: 2 };
    assert_released(daemon, call(blocked.clone(), "GetAttribute", request)).await;
    assert_released(daemon, call(blocked.clone(), "Call", named("Coin"))).await;
}
