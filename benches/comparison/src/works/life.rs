//! The start and the end of an object's process.

use std::cell::RefCell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use oad::Remote as _;

use crate::bench::Bench;
use crate::echo::{Way, python_target};
use crate::processes;
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Kind, RowResult, Unit, WorkResult};
use crate::works::Work;
use crate::works::rows::Rows;

/// How long each end took, beside the rows that return how long the starts took.
type Ends = RefCell<Vec<(Kind, &'static str, &'static str, Vec<f64>)>>;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let ends = Ends::default();
    let mut rows = Rows::new(bench, work);
    rows.add(Limit, "true", "`true`, from start to end", || {
        Some(Box::new(|| vec![time_command(&mut Command::new("true"))]))
    });
    rows.add(Oad, "oad", "oad", || Some(Box::new(|| vec![rust_life(bench, &ends)])));
    let starts = rows.measure(Unit::Seconds, bench.rounds(5, 15));
    vec![starts, ended("rust_dispose", "end of a Rust object's process", ends)]
}

pub(super) fn python(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let ends = Ends::default();
    let mut rows = Rows::new(bench, work);
    rows.add(Limit, "python", "`python -c pass`, from start to end", || {
        let python = bench.python()?;
        Some(Box::new(move || vec![time_command(Command::new(python).args(["-c", "pass"]))]))
    });
    for (kind, peer, name) in [
        (Limit, "pipe", "pickle over a pipe, hand-written"),
        (Peer, "managers", "multiprocessing.managers"),
        (Peer, "pyoad", "pyoad"),
        (Peer, "execnet", "execnet"),
        (Peer, "pyro5", "Pyro5, a new server process"),
        (Peer, "rpyc", "rpyc, a new server process"),
    ] {
        rows.add(kind, peer, name, || {
            let client = bench.client(peer)?;
            let ends = &ends;
            Some(Box::new(move || {
                let samples = client.borrow_mut().measure("life");
                note(ends, kind, peer, name, samples[1]);
                vec![samples[0]]
            }))
        });
    }
    rows.add(Oad, "oad", "oad", || {
        let python = bench.python()?;
        let ends = &ends;
        Some(Box::new(move || vec![python_life(bench, python, ends)]))
    });
    let starts = rows.measure(Unit::Seconds, bench.rounds(5, 15));
    vec![starts, ended("python_dispose", "end of a Python object's process", ends)]
}

fn ended(work: &'static str, title: &str, ends: Ends) -> WorkResult {
    let rows = ends.into_inner().into_iter().map(|(kind, id, name, samples)| {
        RowResult::new(id.to_owned(), name.to_owned(), kind, Unit::Seconds, samples)
    });
    WorkResult { work, title: title.to_owned(), unit: Unit::Seconds, rows: rows.collect() }
}

/// Starts and ends a daemon with an interpreter.
fn python_life(bench: &Bench, python: &Path, ends: &Ends) -> f64 {
    let (started, ended) = bench.runtime.block_on(async {
        let start = Instant::now();
        let target = python_target(python, Way::Direct).await;
        let target = target.expect("an interpreter can be started");
        let same: u64 = target.call("same", (1,)).await.expect("Python returns it");
        assert_eq!(same, 1);
        let started = start.elapsed();
        let start = Instant::now();
        target.shutdown().await.expect("the daemon can be ended");
        (started, start.elapsed())
    });
    note(ends, Oad, "oad", "oad, `shutdown()`", ended.as_secs_f64());
    started.as_secs_f64()
}

/// Starts and ends two daemons, one by `shutdown` and one by dropping its last proxy.
fn rust_life(bench: &Bench, ends: &Ends) -> f64 {
    let (started, shutdown, dropped) = bench.runtime.block_on(async {
        let start = Instant::now();
        let echo = Way::Direct.echo().await.expect("a daemon can be started");
        assert_eq!(echo.same(1).await.expect("the daemon responds"), 1);
        let started = start.elapsed();
        let start = Instant::now();
        echo.shutdown().await.expect("the daemon can be ended");
        let shutdown = start.elapsed();

        let echo = Way::Direct.echo().await.expect("a daemon can be started");
        let pid = echo.pid();
        let start = Instant::now();
        drop(echo);
        while processes::exists(pid) {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        (started, shutdown, start.elapsed())
    });
    note(ends, Oad, "oad", "oad, `shutdown()`", shutdown.as_secs_f64());
    note(ends, Oad, "oad_drop", "oad, last proxy dropped", dropped.as_secs_f64());
    started.as_secs_f64()
}

fn note(ends: &Ends, kind: Kind, id: &'static str, name: &'static str, seconds: f64) {
    let mut ends = ends.borrow_mut();
    match ends.iter_mut().find(|(_, known, ..)| *known == id) {
        Some((.., samples)) => samples.push(seconds),
        None => ends.push((kind, id, name, vec![seconds])),
    }
}

fn time_command(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status().expect("the program can be started");
    assert!(status.success());
    start.elapsed().as_secs_f64()
}
