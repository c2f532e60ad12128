//! Numbers: a `Vec` of a Rust object, and arrays of numpy.

use std::time::Instant;

use oad::PythonProxy;
use oad::value::Array;

use crate::bench::Bench;
use crate::client_process::ClientProcess;
use crate::clients::{self, numbers};
use crate::echo::Way;
use crate::peers::tarpc::TarpcClient;
use crate::peers::tonic::TonicClient;
use crate::place::run_spawned;
use crate::processes;
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Kind, Round, RowResult, Unit, WorkResult};
use crate::works::Work;
use crate::works::contenders::add_python_peers;
use crate::works::rows::Rows;

const LENGTH: usize = 1_000_000;
/// 122 MiB.
const LARGE: usize = 16_000_000;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    rows.add_part(Peer, "tonic", "tonic, unary", |socket| {
        let client = bench.runtime.block_on(TonicClient::connect(socket));
        floats(bench, async move |floats| client.clone().same_floats(floats).await)
    });
    rows.add_part(Peer, "tarpc", "tarpc, bincode", |socket| {
        let client = bench.runtime.block_on(TarpcClient::connect(socket));
        floats(bench, async move |floats| client.clone().same_floats(floats).await)
    });
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || {
            let echo = bench.echo(way);
            Some(floats(bench, async move |floats| {
                echo.floats(floats).await.expect("the daemon responds")
            }))
        });
    }
    vec![rows.measure(Unit::Seconds, bench.rounds(10, 20))]
}

/// Times one call.
fn floats<'a>(bench: &'a Bench, call: impl AsyncFn(Vec<f64>) -> Vec<f64> + 'a) -> Round<'a> {
    let sent: Vec<f64> = (0..LENGTH).map(|number| number as f64).collect();
    Box::new(move || {
        bench.runtime.block_on(async {
            let numbers = sent.clone();
            let start = Instant::now();
            let same = call(numbers).await;
            let duration = start.elapsed();
            assert!(same == sent, "a call returned something else");
            vec![duration.as_secs_f64()]
        })
    })
}

pub(super) fn numpy(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    let command = format!("array {LENGTH} 3");
    add_python_peers(&mut rows, &command, &["pipe", "managers", "pyoad", "grpcio"]);
    for (way, id, name) in [(Way::Direct, "oad", "oad"), (Way::Grpc, "oad_grpc", "oad, over gRPC")]
    {
        rows.add(Oad, id, name, || {
            let target = bench.target(way)?;
            let array = numbers(LENGTH);
            Some(Box::new(move || {
                run_spawned(&bench.runtime, time_array(target.clone(), array.clone()))
            }))
        });
    }
    vec![rows.measure(Unit::Seconds, bench.rounds(10, 15))]
}

async fn time_array(target: PythonProxy, array: Array) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        let same: Array = target.call("same", (&array,)).await.expect("Python returns it");
        times.push(start.elapsed().as_secs_f64());
        assert!(same == array, "a call returned something else");
    }
    times
}

/// Measures the time, and the peak of the memory of all processes: each contender, oad
/// included, has a client of its own.
pub(super) fn thin(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let Some(python) = bench.python() else { return Vec::new() };
    let mut clients = Vec::new();
    for (kind, peer, name) in [
        (Limit, "pipe", "pickle over a pipe, hand-written"),
        (Peer, "managers", "multiprocessing.managers"),
    ] {
        if let Some(client) = bench.start_client(&[peer]) {
            clients.push((kind, peer, name, client));
        }
    }
    clients.push((Oad, "oad", "oad", clients::start(Way::Direct, python)));
    clients.push((Oad, "oad_grpc", "oad, over gRPC", clients::start(Way::Grpc, python)));

    let rounds = bench.rounds(3, 5);
    let mut samples: Vec<_> = clients.iter().map(|_| (Vec::new(), Vec::new())).collect();
    for round in 0..=rounds {
        for ((.., client), (times, peaks)) in clients.iter_mut().zip(&mut samples) {
            let (time, peak) = time_and_peak(client);
            // The first round warms up.
            if round > 0 {
                times.extend(time);
                peaks.push(peak);
            }
        }
    }
    let (times, peaks): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
    let rows = |unit, samples: Vec<Vec<f64>>| {
        let clients = clients.iter().zip(samples);
        let row = |((kind, id, name, _), samples): (&(Kind, &str, &str, ClientProcess), _)| {
            RowResult::new((*id).to_owned(), (*name).to_owned(), *kind, unit, samples)
        };
        clients.map(row).collect()
    };
    let (time_title, peak_title) =
        (work.title.to_owned(), "the same: peak memory of all processes".to_owned());
    vec![
        WorkResult {
            work: work.key,
            title: time_title,
            unit: Unit::Seconds,
            rows: rows(Unit::Seconds, times),
        },
        WorkResult {
            work: "numpy_thin_peak",
            title: peak_title,
            unit: Unit::Bytes,
            rows: rows(Unit::Bytes, peaks),
        },
    ]
}

fn time_and_peak(client: &mut ClientProcess) -> (Vec<f64>, f64) {
    let pids = processes::tree(client.pid());
    processes::reset_peak(&pids);
    let times = client.measure(&format!("thin {LARGE} 1"));
    (times, processes::peak(&pids))
}
