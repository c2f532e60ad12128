//! Compares a call of an object in a daemon with a bare tonic unary call and a ping-pong
//! over a bare socket, each to another process, in one run.
//!
//! `cargo bench --bench call` prints the median of each, measured interleaved, and the
//! ratio of oad's `&self` call to it; then the calls per second with 64 in flight.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper_util::rt::TokioIo;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const ROUNDS: usize = 30;
const CALLS: u64 = 300;
const IN_FLIGHT: usize = 64;

/// The object under test.
struct Echo(u64);

#[oad::object]
impl Echo {
    fn new() -> Self {
        Echo(0)
    }

    fn shared(&self, n: u64) -> u64 {
        n
    }

    fn exclusive(&mut self, n: u64) -> u64 {
        self.0 += 1;
        n
    }

    async fn asynchronous(&self, n: u64) -> u64 {
        n
    }
}

fn main() {
    oad::init();
    if let (Ok(part), Ok(socket)) =
        (std::env::var("OAD_BENCH_PART"), std::env::var("OAD_BENCH_SOCKET"))
    {
        return match part.as_str() {
            "ping-pong" => serve_pingpong(Path::new(&socket)),
            "tonic-1" => current_thread().block_on(serve_tonic(Path::new(&socket))),
            _ => multi_thread().block_on(serve_tonic(Path::new(&socket))),
        };
    }
    current_thread().block_on(compare());
}

async fn compare() {
    let echo = EchoProxy::new().await.expect("a daemon can be made");
    let (one, two, other) =
        (Part::start("tonic-1"), Part::start("tonic-2"), Part::start("ping-pong"));
    let mut one_thread = connect_tonic(&one.socket).await;
    let mut two_threads = connect_tonic(&two.socket).await;
    let mut stream = UnixStream::connect(&other.socket).expect("it listens");

    let mut shared = Row::new("oad, &self method");
    let mut exclusive = Row::new("oad, &mut self method");
    let mut asynchronous = Row::new("oad, async method");
    let mut tonic_one = Row::new("tonic unary, one thread at each end");
    let mut tonic_two = Row::new("tonic unary, two threads at its server");
    let mut pingpong = Row::new("socket ping-pong, blocking");
    for _ in 0..ROUNDS {
        for n in 0..CALLS {
            let start = Instant::now();
            assert_eq!(echo.shared(n).await.expect("it answers"), n);
            shared.add(start);
        }
        for n in 0..CALLS {
            let start = Instant::now();
            assert_eq!(echo.exclusive(n).await.expect("it answers"), n);
            exclusive.add(start);
        }
        for n in 0..CALLS {
            let start = Instant::now();
            assert_eq!(echo.asynchronous(n).await.expect("it answers"), n);
            asynchronous.add(start);
        }
        for (client, row) in [(&mut one_thread, &mut tonic_one), (&mut two_threads, &mut tonic_two)]
        {
            for _ in 0..CALLS {
                let start = Instant::now();
                client.check(HealthCheckRequest::default()).await.expect("it answers");
                row.add(start);
            }
        }
        for _ in 0..CALLS {
            let mut bytes = [1; 16];
            let start = Instant::now();
            stream.write_all(&bytes).expect("it is open");
            stream.read_exact(&mut bytes).expect("it answers");
            pingpong.add(start);
        }
    }
    let base = shared.median();
    println!("{:<42} {:>10} {:>10} {:>8}", "one call after the other", "p50", "p99", "ratio");
    for row in [shared, exclusive, asynchronous, tonic_one, tonic_two, pingpong] {
        let (median, p99) = (row.median(), row.percentile(99));
        let ratio = base.as_secs_f64() / median.as_secs_f64();
        println!("{:<42} {median:>10.1?} {p99:>10.1?} {ratio:>8.2}", row.name);
    }

    println!("\n{:<42} {:>14}", format!("{IN_FLIGHT} calls in flight"), "calls/s");
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        join_all((0..IN_FLIGHT as u64 * 10).map(|n| echo.shared(n))).await;
        rates[0].push(IN_FLIGHT as f64 * 10.0 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        join_all((0..IN_FLIGHT as u64 * 10).map(|n| echo.asynchronous(n))).await;
        rates[1].push(IN_FLIGHT as f64 * 10.0 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        for _ in 0..10 {
            join_all((0..IN_FLIGHT).map(|_| {
                let mut client = one_thread.clone();
                async move {
                    client.check(HealthCheckRequest::default()).await.map(drop).expect("it answers")
                }
            }))
            .await;
        }
        rates[2].push(IN_FLIGHT as f64 * 10.0 / start.elapsed().as_secs_f64());
    }
    for (name, mut rates) in
        ["oad, &self method", "oad, async method", "tonic unary"].into_iter().zip(rates)
    {
        rates.sort_unstable_by(f64::total_cmp);
        println!("{name:<42} {:>14.0}", rates[rates.len() / 2]);
    }
}

/// The times of one kind of call.
struct Row {
    name: &'static str,
    times: Vec<Duration>,
}

impl Row {
    fn new(name: &'static str) -> Self {
        Row { name, times: Vec::new() }
    }

    fn add(&mut self, start: Instant) {
        self.times.push(start.elapsed());
    }

    fn median(&self) -> Duration {
        self.percentile(50)
    }

    fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() * percent / 100]
    }
}

/// This program, started again to serve something other than oad.
struct Part {
    process: Child,
    socket: PathBuf,
    _directory: tempfile::TempDir,
}

impl Part {
    fn start(part: &str) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory can be written to");
        let socket = directory.path().join("s");
        let process = Command::new(std::env::current_exe().expect("it has a path"))
            .env("OAD_BENCH_PART", part)
            .env("OAD_BENCH_SOCKET", &socket)
            .spawn()
            .expect("it can be started");
        while UnixStream::connect(&socket).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Part { process, socket, _directory: directory }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it is ours");
    }
}

fn serve_pingpong(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("the path is free");
    for stream in listener.incoming() {
        let (mut stream, mut bytes) = (stream.expect("it is accepted"), [0; 16]);
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).expect("it is open");
        }
    }
}

async fn serve_tonic(socket: &Path) {
    let (_reporter, service) = tonic_health::server::health_reporter();
    let listener = tokio::net::UnixListener::bind(socket).expect("the path is free");
    let router = tonic::transport::Server::builder().add_service(service);
    router.serve_with_incoming(UnixListenerStream::new(listener)).await.expect("it serves");
}

async fn connect_tonic(socket: &Path) -> HealthClient<Channel> {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    let endpoint = tonic::transport::Endpoint::from_static("http://localhost");
    HealthClient::new(endpoint.connect_with_connector(connector).await.expect("it listens"))
}

fn current_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn multi_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}
