//! Bytes, there and back.

use std::time::Instant;

use bytes::Bytes;
use oad::{PythonProxy, value};

use crate::bench::Bench;
use crate::echo::Way;
use crate::peers::ByteEcho;
use crate::peers::socket::Socket;
use crate::peers::tarpc::TarpcClient;
use crate::peers::tonic::TonicClient;
use crate::peers::ttrpc::TtrpcClient;
use crate::place::run_spawned;
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Round, Unit, WorkResult};
use crate::works::Work;
use crate::works::contenders::add_python_peers;
use crate::works::rows::Rows;

const MIB: usize = 1 << 20;
/// ttrpc refuses longer messages.
const TTRPC_LIMIT: usize = 4 * MIB;

pub(super) fn rust_1mib(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    rust(bench, work, MIB, 10)
}

pub(super) fn rust_64mib(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    rust(bench, work, 64 * MIB, 1)
}

fn rust(bench: &Bench, work: &Work, size: usize, calls: usize) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let runtime = &bench.runtime;
    rows.add_part(Limit, "socket", "a socket, blocking", |socket| {
        let (mut socket, data, mut answer) =
            (Socket::connect(&socket), pattern(size), vec![0; size]);
        Box::new(move || {
            let times = (0..calls).map(|_| {
                answer.fill(0);
                let start = Instant::now();
                socket.same_bytes(&data, &mut answer);
                let duration = start.elapsed();
                assert!(data == answer, "the socket returned something else");
                duration.as_secs_f64()
            });
            times.collect()
        })
    });
    rows.add_part(Peer, "tonic", "tonic, unary", |socket| {
        round(bench, runtime.block_on(TonicClient::connect(socket)), size, calls)
    });
    rows.add_part(Peer, "tarpc", "tarpc, bincode", |socket| {
        round(bench, runtime.block_on(TarpcClient::connect(socket)), size, calls)
    });
    if size < TTRPC_LIMIT {
        rows.add_part(Peer, "ttrpc", "ttrpc, async", |socket| {
            round(bench, runtime.block_on(TtrpcClient::connect(socket)), size, calls)
        });
    }
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || Some(round(bench, bench.echo(way), size, calls)));
    }
    vec![rows.measure(Unit::Seconds, bench.rounds(15, 20))]
}

/// Times calls from a spawned task.
fn round<'a>(bench: &Bench, echo: impl ByteEcho, size: usize, calls: usize) -> Round<'a> {
    let (runtime, data) = (bench.runtime.clone(), pattern(size));
    Box::new(move || {
        let (echo, data) = (echo.clone(), data.clone());
        run_spawned(&runtime, async move {
            let mut times = Vec::new();
            for _ in 0..calls {
                let sent = Bytes::from(data.clone());
                let start = Instant::now();
                let same = echo.same_bytes(sent).await;
                times.push(start.elapsed().as_secs_f64());
                assert!(data == same, "a call returned something else");
            }
            times
        })
    })
}

pub(super) fn python_1mib(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    python(bench, work, MIB, 10)
}

pub(super) fn python_64mib(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    python(bench, work, 64 * MIB, 1)
}

fn python(bench: &Bench, work: &Work, size: usize, calls: usize) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let command = format!("data {size} {calls}");
    // Pyro5 needs seconds for 64 MiB, which are text there.
    let peers: &[&str] = match size {
        MIB => &["pipe", "managers", "pyoad", "execnet", "pyro5", "rpyc", "grpcio"],
        _ => &["pipe", "managers", "pyoad", "execnet", "rpyc", "grpcio"],
    };
    add_python_peers(&mut rows, &command, peers);
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || {
            let (target, runtime) = (bench.target(way)?, bench.runtime.clone());
            Some(Box::new(move || {
                run_spawned(&runtime, time_python(target.clone(), pattern(size), calls))
            }))
        });
    }
    let rounds = if size == MIB { bench.rounds(10, 15) } else { bench.rounds(3, 5) };
    vec![rows.measure(Unit::Seconds, rounds)]
}

async fn time_python(target: PythonProxy, data: Vec<u8>, calls: usize) -> Vec<f64> {
    let (sent, mut times) = (value::Bytes::from(data), Vec::new());
    for _ in 0..calls {
        let start = Instant::now();
        let same: value::Bytes = target.call("same", (&sent,)).await.expect("Python returns it");
        times.push(start.elapsed().as_secs_f64());
        assert!(same == sent, "a call returned something else");
    }
    times
}

/// Bytes of which no two neighbours are alike.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|place| place as u8).collect()
}
