//! Compares oad with its peers in one command.
//!
//! `cargo run --release -p oad-bench` measures every work with every contender and prints
//! a table; `docs/performance.md` explains the numbers. The servers of the peers are this
//! program, started again, and scripts in `python/`.

mod args;
mod bench;
mod client_process;
mod clients;
mod echo;
#[allow(clippy::all, clippy::unwrap_used, missing_debug_implementations, unreachable_pub)]
// generated
mod echo_capnp;
mod part;
mod peers;
mod place;
mod processes;
mod ratios;
mod report;
mod row;
mod venv;
mod works;

use clap::Parser as _;

use crate::args::Args;
use crate::bench::Bench;
use crate::works::WORKS;

fn main() {
    oad::init();
    if part::serve() || clients::serve() {
        return;
    }
    let args = Args::parse();
    let bench = Bench::new(&args);
    let mut results = Vec::new();
    for work in WORKS {
        if args.wants(work.key) {
            eprintln!("measuring: {}", work.title);
            results.extend(work.measure(&bench));
        }
    }
    let missing = bench.finish();
    if args.ratios {
        report::text::print_ratios(&results);
    } else {
        report::text::print_tables(&results);
    }
    for row in &missing {
        eprintln!("*** MISSING: {row} ***");
    }
    report::write_files(&args, &results, &missing);
}
