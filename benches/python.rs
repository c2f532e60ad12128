//! Compares a call of a Python object, `StringIO.tell`, with the same call through
//! `multiprocessing.managers` and through pyoad, both with start method spawn, in one
//! run.
//!
//! `cargo bench --bench python` prints the median of each, measured interleaved, and the
//! ratio of oad's call to it. pyoad is installed by pip into a temporary folder; if that
//! fails it is omitted. `OAD_PYTHON` names the interpreter of all; the default is
//! `python3`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use oad::Remote as _;

const ROUNDS: usize = 30;
const CALLS: usize = 300;

#[oad::main]
async fn main() -> oad::Result<()> {
    let python = std::env::var("OAD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    if !fetch(&python, folder.path()) {
        println!("omitting pyoad: pip failed to install it");
    }
    let mut others = Others::start(&python, folder.path());
    let text = oad::python("io", "StringIO").arg("text").interpreter(&python).await?;

    let mut rows: Vec<(&str, &str, Vec<Duration>)> = vec![("oad", "oad", Vec::new())];
    for (name, shown) in [("manager", "multiprocessing.managers"), ("pyoad", "pyoad")] {
        if others.names.iter().any(|known| known == name) {
            rows.push((name, shown, Vec::new()));
        }
    }
    for _ in 0..ROUNDS {
        for (name, _, times) in &mut rows {
            if *name != "oad" {
                times.extend(others.measure(name));
                continue;
            }
            for _ in 0..CALLS {
                let start = Instant::now();
                assert_eq!(text.call::<u64>("tell", ()).await?, 0);
                times.push(start.elapsed());
            }
        }
    }

    println!("{:<32} {:>10} {:>10} {:>8}", "one call of StringIO.tell", "p50", "p99", "ratio");
    let mut base = None;
    for (_, shown, mut times) in rows {
        times.sort_unstable();
        let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let ratio = base.get_or_insert(median).as_secs_f64() / median.as_secs_f64();
        println!("{shown:<32} {median:>10.1?} {p99:>10.1?} {ratio:>8.2}");
    }
    text.shutdown().await.map(drop)
}

/// Installs pyoad into a temporary folder.
fn fetch(python: &str, folder: &Path) -> bool {
    let words = "-m pip --quiet --disable-pip-version-check --no-input --retries 0 --timeout 15 \
                 install --no-deps pyoad --target";
    let mut pip = Command::new(python);
    let status =
        pip.args(words.split(' ')).arg(folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The Python side: a program that measures calls on request. It exits when its stdin
/// closes.
struct Others {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    names: Vec<String>,
}

impl Others {
    fn start(python: &str, modules: &Path) -> Self {
        let mut process = Command::new(python)
            .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/python.py")])
            .env("PYTHONPATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter can be started");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut others = Others { process, input, output, names: Vec::new() };
        others.names = others.read_line("ends");
        others
    }

    fn measure(&mut self, name: &str) -> Vec<Duration> {
        writeln!(self.input.as_mut().expect("it is open"), "{name} {CALLS}").expect("it listens");
        let times = self.read_line("times");
        times
            .iter()
            .map(|time| Duration::from_nanos(time.parse().expect("it is a number")))
            .collect()
    }

    /// Returns the words of the next line that begins with `first`; pyoad prints lines of
    /// its own.
    fn read_line(&mut self, first: &str) -> Vec<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).expect("its output can be read") > 0 {
            let mut words = line.split_whitespace();
            if words.next() == Some(first) {
                return words.map(str::to_owned).collect();
            }
            line.clear();
        }
        panic!("the Python side exited without printing a line");
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        drop(self.input.take());
        self.process.wait().expect("it is ours");
    }
}
