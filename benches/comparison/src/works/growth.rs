//! Many daemons, and many objects in one.

use std::time::Instant;

use futures::future::join_all;
use oad::Remote as _;

use crate::bench::Bench;
use crate::echo::{EchoingProxy, Way};
use crate::place::run_spawned;
use crate::processes::pss;
use crate::row::Kind::Oad;
use crate::row::{RowResult, Unit, WorkResult};
use crate::works::Work;

/// How many calls are made in a round, each to the next object.
const CALLS: usize = 2000;
const ROUNDS: usize = 10;

pub(super) fn daemons(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for count in [1, 10, 100] {
        let mut echoes = Vec::new();
        for _ in 0..count {
            let echo = bench.runtime.block_on(Way::Direct.echo());
            echoes.push(echo.expect("a daemon can be started"));
        }
        times.push(row(count, "daemons", Unit::Seconds, time_calls(bench, &echoes)));
        let pids: Vec<u32> = echoes.iter().map(|echo| echo.pid()).collect();
        let each = pss(&pids) / count as f64;
        memory.push(row(count, "daemons", Unit::Bytes, vec![each]));
        let ending = async { join_all(echoes.iter().map(|echo| echo.shutdown())).await };
        for ended in bench.runtime.block_on(ending) {
            ended.expect("a daemon can be ended");
        }
    }
    results(work, times, "daemons_memory", "memory of each of so many daemons (PSS)", memory)
}

pub(super) fn objects(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for count in [1, 100, 10_000] {
        let first = bench.runtime.block_on(Way::Direct.echo()).expect("a daemon can be started");
        let echoes = bench.runtime.block_on(async {
            let mut echoes = vec![first.clone()];
            while echoes.len() < count {
                let echo = EchoingProxy::new().within(first.daemon()).await;
                echoes.push(echo.expect("an object can be created"));
            }
            echoes
        });
        times.push(row(count, "objects", Unit::Seconds, time_calls(bench, &echoes)));
        memory.push(row(count, "objects", Unit::Bytes, vec![pss(&[first.pid()])]));
        drop(echoes);
        bench.runtime.block_on(first.shutdown()).expect("the daemon can be ended");
    }
    results(work, times, "objects_memory", "memory of a daemon with so many objects (PSS)", memory)
}

/// Times calls from a spawned task, each to the next object.
fn time_calls(bench: &Bench, echoes: &[EchoingProxy]) -> Vec<f64> {
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        let echoes = echoes.to_vec();
        samples.extend(run_spawned(&bench.runtime, async move {
            let mut times = Vec::new();
            for (number, echo) in echoes.iter().cycle().take(CALLS).enumerate() {
                let start = Instant::now();
                let same = echo.same(number as u64).await;
                times.push(start.elapsed().as_secs_f64());
                assert_eq!(same.expect("the daemon responds"), number as u64);
            }
            times
        }));
    }
    samples
}

fn row(count: usize, what: &str, unit: Unit, samples: Vec<f64>) -> RowResult {
    let what = if count == 1 { &what[..what.len() - 1] } else { what };
    RowResult::new(
        count.to_string(),
        format!("oad, {count} {what}").replace("10000", "10,000"),
        Oad,
        unit,
        samples,
    )
}

fn results(
    work: &Work,
    times: Vec<RowResult>,
    memory_work: &'static str,
    memory_title: &str,
    memory: Vec<RowResult>,
) -> Vec<WorkResult> {
    let title = work.title.to_owned();
    let times = WorkResult { work: work.key, title, unit: Unit::Seconds, rows: times };
    let title = memory_title.to_owned();
    vec![times, WorkResult { work: memory_work, title, unit: Unit::Bytes, rows: memory }]
}
