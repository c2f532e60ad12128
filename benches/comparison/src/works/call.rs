//! One call after the other.

use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::bench::Bench;
use crate::echo::{Asynchronous, Exclusive, PythonEcho, Way, python_target};
use crate::peers::capnp::CapnpClient;
use crate::peers::socket::Socket;
use crate::peers::tonic::TonicClient;
use crate::place::{Place, current_thread, one_by_one};
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Unit, WorkResult};
use crate::works::Work;
use crate::works::contenders::{
    Calls, add_grpcio_clients, add_python_oad, add_python_peers, add_rust_peers,
};
use crate::works::rows::Rows;

/// How many calls a row makes in a round.
const CALLS: u64 = 300;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let (mut rows, calls) = (Rows::new(bench, work), Calls::OneByOne(CALLS));
    rows.add_part(Limit, "pingpong", "16 bytes over a socket, blocking", |socket| {
        let mut socket = Socket::connect(&socket);
        Box::new(move || socket.ping_pong(CALLS))
    });
    add_rust_peers(&mut rows, calls);
    rows.add_part(Peer, "tonic_one_thread", "tonic, unary, one thread at each end", |socket| {
        let runtime = current_thread();
        let client = runtime.block_on(TonicClient::connect(socket));
        one_by_one(&runtime, Place::RootFuture, client, CALLS)
    });
    rows.add_part(Peer, "capnp", "capnp-rpc, one thread at each end", |socket| {
        let client = CapnpClient::connect(&socket);
        Box::new(move || client.one_by_one(CALLS))
    });
    rows.add(Oad, "oad", "oad", || Some(calls.round(bench, bench.echo(Way::Direct))));
    rows.add(Oad, "oad_exclusive", "oad, `&mut self` method", || {
        Some(calls.round(bench, Exclusive(bench.echo(Way::Direct))))
    });
    rows.add(Oad, "oad_async", "oad, async method", || {
        Some(calls.round(bench, Asynchronous(bench.echo(Way::Direct))))
    });
    add_rust_places(&mut rows, Way::Direct, "oad", "oad");
    rows.add(Oad, "oad_grpc", "oad, over gRPC", || Some(calls.round(bench, bench.echo(Way::Grpc))));
    add_rust_places(&mut rows, Way::Grpc, "oad_grpc", "oad, over gRPC");
    vec![rows.measure(Unit::Seconds, bench.rounds(40, 40))]
}

/// Adds calls from elsewhere than a spawned task.
fn add_rust_places<'a>(rows: &mut Rows<'a>, way: Way, id: &str, name: &str) {
    let bench = rows.bench;
    for (place, suffix, from) in PLACES {
        rows.add(Oad, &format!("{id}_{suffix}"), &format!("{name}, {from}"), || {
            Some(one_by_one(&bench.runtime, place, bench.echo(way), CALLS))
        });
    }
    let name = format!("{name}, from `current_thread`");
    rows.add(Oad, &format!("{id}_current_thread"), &name, || {
        let runtime = current_thread();
        let echo = runtime.block_on(way.echo()).expect("a daemon can be started");
        Some(one_by_one(&runtime, Place::RootFuture, echo, CALLS))
    });
}

const PLACES: [(Place, &str, &str); 2] = [
    (Place::RootFuture, "root", "from the root future"),
    (Place::BlockedThread, "blocking", "from a thread that blocks"),
];

pub(super) fn python(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let (mut rows, calls) = (Rows::new(bench, work), Calls::OneByOne(CALLS));
    let command = format!("call {CALLS}");
    let peers = ["pipe", "managers", "pyoad", "execnet", "pyro5", "rpyc", "grpcio"];
    add_python_peers(&mut rows, &command, &peers);
    add_grpcio_clients(&mut rows, &command);
    add_python_oad(&mut rows, calls);
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        for (place, suffix, from) in PLACES {
            rows.add(Oad, &format!("{id}_{suffix}"), &format!("{name}, {from}"), || {
                let echo = PythonEcho(bench.target(way)?);
                Some(one_by_one(&bench.runtime, place, echo, CALLS))
            });
        }
        let name = format!("{name}, from `current_thread`");
        rows.add(Oad, &format!("{id}_current_thread"), &name, || {
            let (python, runtime): (_, Arc<Runtime>) = (bench.python()?, current_thread());
            let target = runtime.block_on(python_target(python, way));
            let echo = PythonEcho(target.expect("an interpreter can be started"));
            Some(one_by_one(&runtime, Place::RootFuture, echo, CALLS))
        });
    }
    vec![rows.measure(Unit::Seconds, bench.rounds(20, 40))]
}
