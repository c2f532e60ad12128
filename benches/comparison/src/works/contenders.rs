//! The contenders of the works in which only the call itself counts.

use oad::Remote as _;

use crate::bench::Bench;
use crate::clients;
use crate::echo::{PythonEcho, Way};
use crate::peers::remoc::RemocClient;
use crate::peers::tarpc::TarpcClient;
use crate::peers::tonic::TonicClient;
use crate::peers::ttrpc::TtrpcClient;
use crate::place::{Echo, Place, in_flight, one_by_one, pipelined};
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::Round;
use crate::works::rows::Rows;

/// How calls follow each other in a round, and how many there are.
#[derive(Clone, Copy)]
pub(super) enum Calls {
    OneByOne(u64),
    InFlight(u64),
    Pipelined(u64),
}

/// Adds the Rust peers, all called from spawned tasks.
pub(super) fn add_rust_peers<'a>(rows: &mut Rows<'a>, calls: Calls) {
    let bench = rows.bench;
    let runtime = &bench.runtime;
    rows.add_part(Peer, "tonic", "tonic, unary", |socket| {
        calls.round(bench, runtime.block_on(TonicClient::connect(socket)))
    });
    rows.add_part(Peer, "tarpc", "tarpc, bincode", |socket| {
        calls.round(bench, runtime.block_on(TarpcClient::connect(socket)))
    });
    rows.add_part(Peer, "ttrpc", "ttrpc, async", |socket| {
        calls.round(bench, runtime.block_on(TtrpcClient::connect(socket)))
    });
    rows.add_part(Peer, "remoc", "remoc", |socket| {
        calls.round(bench, runtime.block_on(RemocClient::connect(socket)))
    });
}

/// Adds the Python peers, which have the command measured.
pub(super) fn add_python_peers(rows: &mut Rows<'_>, command: &str, peers: &[&str]) {
    for &(kind, peer, name) in PYTHON_PEERS {
        if peers.contains(&peer) {
            rows.add_client(kind, peer, name, command);
        }
    }
}

const PYTHON_PEERS: &[(crate::row::Kind, &str, &str)] = &[
    (Limit, "pipe", "pickle over a pipe, hand-written"),
    (Peer, "managers", "multiprocessing.managers"),
    (Peer, "pyoad", "pyoad"),
    (Peer, "execnet", "execnet"),
    (Peer, "pyro5", "Pyro5"),
    (Peer, "rpyc", "rpyc"),
    (Peer, "grpcio", "grpcio, client and server"),
];

/// Adds grpcio as a client of oad, once with a Rust and once with a Python object.
pub(super) fn add_grpcio_clients<'a>(rows: &mut Rows<'a>, command: &str) {
    let bench = rows.bench;
    let name = "a client with grpcio, a Rust object of oad";
    rows.add(Oad, "grpcio_to_rust", name, || {
        let echo = bench.echo(Way::Direct);
        let mut client = clients::grpcio(bench, echo.daemon())?;
        let command = command.to_owned();
        Some(Box::new(move || client.measure(&command)))
    });
    let name = "a client with grpcio, a Python object of oad";
    rows.add(Oad, "grpcio_to_python", name, || {
        let target = bench.target(Way::Direct)?;
        let mut client = clients::grpcio(bench, target.daemon())?;
        let command = command.to_owned();
        Some(Box::new(move || client.measure(&command)))
    });
}

/// Adds Python objects of oad.
pub(super) fn add_python_oad<'a>(rows: &mut Rows<'a>, calls: Calls) {
    let bench = rows.bench;
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || Some(calls.round(bench, PythonEcho(bench.target(way)?))));
    }
}

impl Calls {
    /// Makes the calls from a spawned task.
    pub(super) fn round<'a>(self, bench: &Bench, echo: impl Echo) -> Round<'a> {
        let runtime = &bench.runtime;
        match self {
            Calls::OneByOne(calls) => one_by_one(runtime, Place::SpawnedTask, echo, calls),
            Calls::InFlight(calls) => in_flight(runtime, echo, calls),
            Calls::Pipelined(calls) => pipelined(runtime, echo, calls),
        }
    }
}
