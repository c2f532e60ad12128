//! Many calls at once: 64 in flight, and all sent before the first response is read.

use crate::bench::Bench;
use crate::echo::{Asynchronous, PythonEcho, Way};
use crate::peers::capnp::CapnpClient;
use crate::peers::socket::Socket;
use crate::place::IN_FLIGHT;
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Unit, WorkResult};
use crate::works::Work;
use crate::works::contenders::{
    Calls, add_grpcio_clients, add_python_oad, add_python_peers, add_rust_peers,
};
use crate::works::rows::Rows;

/// How many calls a row makes in a round.
const CALLS: u64 = 100 * IN_FLIGHT;
const PIPELINED: u64 = 1000;
const PYTHON_CALLS: u64 = 50 * IN_FLIGHT;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let (mut rows, calls) = (Rows::new(bench, work), Calls::InFlight(CALLS));
    rows.add_part(Limit, "socket", "16 bytes over a socket, blocking, 64 at a time", |socket| {
        let mut socket = Socket::connect(&socket);
        Box::new(move || socket.pipelined(CALLS, IN_FLIGHT))
    });
    add_rust_peers(&mut rows, calls);
    rows.add_part(Peer, "capnp", "capnp-rpc, one thread at each end", |socket| {
        let client = CapnpClient::connect(&socket);
        Box::new(move || client.in_flight(CALLS))
    });
    let pipelined = Calls::Pipelined(PIPELINED);
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || Some(calls.round(bench, bench.echo(way))));
        rows.add(Oad, &format!("{id}_async"), &format!("{name}, async method"), || {
            Some(calls.round(bench, Asynchronous(bench.echo(way))))
        });
        rows.add(Oad, &format!("{id}_pipelined"), &format!("{name}, pipelined"), || {
            Some(pipelined.round(bench, bench.echo(way)))
        });
    }
    vec![rows.measure(Unit::PerSecond, bench.rounds(20, 30))]
}

pub(super) fn python(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let command = format!("flight {PYTHON_CALLS}");
    add_python_peers(&mut rows, &command, &["pipe", "managers", "execnet", "rpyc", "grpcio"]);
    rows.add(Peer, "managers_one_by_one", "multiprocessing.managers, one by one", || {
        let client = bench.client("managers")?;
        let command = format!("sequence {PYTHON_CALLS}");
        Some(Box::new(move || client.borrow_mut().measure(&command)))
    });
    add_grpcio_clients(&mut rows, &command);
    add_python_oad(&mut rows, Calls::InFlight(PYTHON_CALLS));
    for (way, id, name) in [
        (Way::Direct, "oad_pipelined", "oad, pipelined"),
        (Way::Grpc, "oad_grpc_pipelined", "oad, over gRPC, pipelined"),
    ] {
        rows.add(Oad, id, name, || {
            Some(Calls::Pipelined(PIPELINED).round(bench, PythonEcho(bench.target(way)?)))
        });
    }
    vec![rows.measure(Unit::PerSecond, bench.rounds(7, 15))]
}
