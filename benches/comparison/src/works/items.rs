//! Items of a stream.

use std::time::Instant;

use oad::Stream;

use crate::bench::Bench;
use crate::echo::Way;
use crate::peers::remoc::RemocClient;
use crate::peers::tonic::TonicClient;
use crate::place::{rate, run_spawned};
use crate::row::Kind::{Oad, Peer};
use crate::row::{Unit, WorkResult};
use crate::works::Work;
use crate::works::contenders::add_python_peers;
use crate::works::rows::Rows;

const ITEMS: u64 = 100_000;
/// What the Python peers read: their rate is the same, and so many seconds are enough.
const FEWER: u64 = 10_000;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let runtime = &bench.runtime;
    rows.add_part(Peer, "tonic", "tonic, server streaming", |socket| {
        let client = runtime.block_on(TonicClient::connect(socket));
        Box::new(move || {
            let client = client.clone();
            vec![run_spawned(runtime, time(async move { client.count_items(ITEMS).await }))]
        })
    });
    rows.add_part(Peer, "remoc", "remoc, rch::mpsc", |socket| {
        let client = runtime.block_on(RemocClient::connect(socket));
        Box::new(move || {
            let client = client.clone();
            vec![run_spawned(runtime, time(async move { client.count_items(ITEMS).await }))]
        })
    });
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || {
            let echo = bench.echo(way);
            Some(Box::new(move || {
                let items = echo.items(ITEMS);
                vec![run_spawned(runtime, time(async move { count(items.await).await }))]
            }))
        });
    }
    vec![rows.measure(Unit::PerSecond, bench.rounds(7, 9))]
}

pub(super) fn python(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let command = format!("items {FEWER}");
    add_python_peers(&mut rows, &command, &["managers", "pyro5", "rpyc", "grpcio"]);
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || {
            let target = bench.target(way)?;
            Some(Box::new(move || {
                let items = target.call_iter::<u64>("items", (ITEMS,));
                vec![run_spawned(&bench.runtime, time(async move { count(items.await).await }))]
            }))
        });
    }
    vec![rows.measure(Unit::PerSecond, bench.rounds(5, 3))]
}

/// The rate of something that returns how many items it has read.
async fn time(reading: impl Future<Output = u64>) -> f64 {
    let start = Instant::now();
    let count = reading.await;
    let duration = start.elapsed();
    assert_eq!(count, ITEMS, "the stream has another length");
    rate(count, duration)
}

async fn count(items: oad::Result<Stream<u64>>) -> u64 {
    let (mut items, mut next) = (items.expect("the stream starts"), 0);
    while let Some(item) = items.next().await {
        assert_eq!(item.expect("the stream goes on"), next);
        next += 1;
    }
    next
}
