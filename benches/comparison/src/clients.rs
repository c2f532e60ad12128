//! oad as the client of a process of its own, whose memory can be measured: the
//! counterpart of `python/measure.py`.

use std::io::BufRead as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use oad::Remote as _;
use oad::value::Array;

use crate::bench::Bench;
use crate::client_process::ClientProcess;
use crate::echo::{Way, python_target};
use crate::place::multi_thread;

const WAY: &str = "OAD_BENCH_CLIENT";
const PYTHON: &str = "OAD_BENCH_PYTHON";

/// Starts a client of oad that goes this way.
pub(crate) fn start(way: Way, python: &Path) -> ClientProcess {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.env(WAY, (way as usize).to_string()).env(PYTHON, python);
    ClientProcess::start(&mut command).expect("this program can be started again")
}

/// Starts a client with grpcio of a daemon's first object.
pub(crate) fn grpcio(bench: &Bench, daemon: &oad::Daemon) -> Option<ClientProcess> {
    let socket = daemon.socket().expect("the daemon listens on a socket");
    bench.start_client(&["oad_grpc", socket.to_str().expect("the path is text")])
}

/// Measures if this process was started as a client; returns whether it was.
pub(crate) fn serve() -> bool {
    let (Ok(way), Some(python)) = (std::env::var(WAY), std::env::var_os(PYTHON)) else {
        return false;
    };
    let way = if way == (Way::Grpc as usize).to_string() { Way::Grpc } else { Way::Direct };
    let runtime = multi_thread();
    let target = runtime.block_on(python_target(Path::new(&python), way));
    let target = target.expect("an interpreter can be started");
    println!("ready {}", target.pid());
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("requests are text");
        let numbers: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [length, calls] = numbers[..] else { panic!("it cannot measure `{line}`") };
        let samples = runtime.block_on(thin(&target, length, calls));
        println!("samples {}", samples.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    }
    runtime.block_on(target.shutdown()).expect("the daemon can be ended");
    true
}

/// Times calls with an array of so many floats that return a sixteenth of it.
async fn thin(target: &oad::PythonProxy, length: usize, calls: usize) -> Vec<f64> {
    let array = numbers(length);
    let mut times = Vec::new();
    for _ in 0..calls {
        let start = Instant::now();
        let thinned: Array = target.call("thin", (&array,)).await.expect("Python returns it");
        times.push(start.elapsed().as_secs_f64());
        assert_eq!(thinned.shape(), [length as u64 / 16]);
        let thinned = thinned.numbers::<f64>().expect("it has floats");
        assert_eq!(thinned.last(), Some(&((length - 16) as f64)));
    }
    times
}

/// An array of numpy with the numbers from 0.
pub(crate) fn numbers(length: usize) -> Array {
    let numbers: Vec<f64> = (0..length).map(|number| number as f64).collect();
    let array = Array::from(numbers).into_numpy(&[length as u64]);
    array.expect("the shape fits")
}
