//! The memory that an object's processes use once they have answered some calls.

use oad::Remote as _;

use crate::bench::Bench;
use crate::echo::{Way, python_target};
use crate::part::Part;
use crate::peers::tonic::TonicClient;
use crate::place::Echo as _;
use crate::processes::{pss, tree};
use crate::row::Kind::{Limit, Oad, Peer};
use crate::row::{Unit, WorkResult};
use crate::works::Work;
use crate::works::rows::Rows;

const CALLS: u64 = 100;

pub(super) fn rust(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    rows.add(Peer, "tonic", "a server with tonic", || {
        let part = Part::start("tonic", bench.directory());
        bench.runtime.block_on(async {
            let client = TonicClient::connect(part.socket.clone()).await;
            for number in 0..CALLS {
                assert_eq!(client.same(number).await, number);
            }
        });
        Some(Box::new(move || vec![pss(&[part.pid()])]))
    });
    rows.add(Oad, "oad", "oad", || {
        let echo = bench.runtime.block_on(Way::Direct.echo()).expect("a daemon can be started");
        bench.runtime.block_on(async {
            for number in 0..CALLS {
                assert_eq!(echo.same(number).await.expect("the daemon responds"), number);
            }
        });
        Some(Box::new(move || vec![pss(&tree(echo.pid()))]))
    });
    vec![rows.measure(Unit::Bytes, 3)]
}

pub(super) fn python(bench: &Bench, work: &Work) -> Vec<WorkResult> {
    let mut rows = Rows::new(bench, work);
    for (kind, peer, name) in [
        (Limit, "pipe", "pickle over a pipe, hand-written"),
        (Peer, "managers", "multiprocessing.managers"),
        (Peer, "pyoad", "pyoad"),
        (Peer, "execnet", "execnet"),
        (Peer, "pyro5", "Pyro5"),
        (Peer, "rpyc", "rpyc"),
        (Peer, "grpcio", "grpcio"),
    ] {
        rows.add(kind, peer, name, || {
            let mut client = bench.start_client(&[peer])?;
            client.measure(&format!("call {CALLS}"));
            Some(Box::new(move || vec![pss(&client.servers)]))
        });
    }
    rows.add(Oad, "oad", "oad, daemon and interpreter", || {
        let python = bench.python()?;
        let target = python_target(python, Way::Direct);
        let target = bench.runtime.block_on(target).expect("an interpreter can be started");
        bench.runtime.block_on(async {
            for number in 0..CALLS {
                let same = target.call::<u64>("same", (number,)).await;
                assert_eq!(same.expect("Python returns it"), number);
            }
        });
        Some(Box::new(move || vec![pss(&tree(target.pid()))]))
    });
    vec![rows.measure(Unit::Bytes, 3)]
}
