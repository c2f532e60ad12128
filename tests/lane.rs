//! The lane: the parent's own connection to its Rust objects.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use oad::value::{Array, Bytes};
use oad::{Endpoint, Remote as _, Value};

oad::test_daemon!();

/// How the parent opens a lane, without a token.
const PREFACE: &[u8] = b"oad.v1.Session lane 1\r\n\n\0";

/// Calls meet here: each waits until enough others have arrived.
#[derive(Default)]
struct Meeting {
    arrived: AtomicUsize,
}

#[oad::object]
impl Meeting {
    fn new() -> Self {
        Meeting::default()
    }

    /// Blocks its thread until `count` calls have arrived.
    fn meet(&self, count: usize) -> usize {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        while self.arrived.load(Ordering::SeqCst) < count {
            std::thread::sleep(Duration::from_millis(1));
        }
        count
    }

    fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
    }

    fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    fn echo(&self, text: String) -> String {
        text
    }

    fn echo_value(&self, value: Value) -> Value {
        value
    }

    fn blocks(&self, count: u64, len: u64) -> impl Iterator<Item = Bytes> + Send + 'static {
        (0..count).map(move |n| block(n, len))
    }

    async fn echo_later(&self, n: u64) -> u64 {
        tokio::task::yield_now().await;
        n
    }
}

/// Bytes of which no two blocks have the same.
fn block(seed: u64, len: u64) -> Bytes {
    (0..len).map(|at| (at * 7 + at / 251 + seed) as u8).collect::<Vec<u8>>().into()
}

fn socket_of(meeting: &MeetingProxy) -> PathBuf {
    match meeting.daemon().endpoint() {
        Endpoint::Unix(socket) => socket.clone(),
        other => panic!("a daemon listens on a Unix socket by default, not {other:?}"),
    }
}

/// How many threads of the process have this name.
fn threads_named(name: &str, pid: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

#[tokio::test]
async fn calls_go_over_a_lane_unless_grpc_is_asked_for() {
    let lane = MeetingProxy::new().await.expect("a daemon can be made");
    let grpc = MeetingProxy::new().over_grpc().await.expect("a daemon can be made");
    for proxy in [&lane, &grpc] {
        assert_eq!(proxy.echo("a".to_owned()).await.expect("it answers"), "a");
    }
    let by_default = usize::from(std::env::var_os("OAD_OVER_GRPC").is_none());
    assert_eq!(threads_named("oad-lane", lane.pid()), by_default);
    assert_eq!(threads_named("oad-lane", grpc.pid()), 0);
}

#[tokio::test]
async fn method_that_computes_holds_up_no_other_call() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let computing = tokio::spawn(meeting.meet(2));
    meeting.arrive().await.expect("it is read while the other computes");
    assert_eq!(computing.await.expect("it does not panic").expect("it answers"), 2);
}

#[tokio::test]
async fn methods_that_wait_for_each_other_all_run() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let calls = join_all((0..20).map(|_| meeting.meet(20)));
    for met in calls.await {
        assert_eq!(met.expect("it answers"), 20);
    }
    // The threads that were started for them end when they have nothing to do.
    support::wait_until(Duration::from_secs(15), || {
        match threads_named("oad-lane", meeting.pid()) {
            0..=1 => Ok(()),
            more => Err(format!("{more} threads read the lane")),
        }
    });
    assert_eq!(meeting.echo("still".to_owned()).await.expect("it answers"), "still");
}

#[tokio::test]
async fn large_values_of_every_kind_come_back_whole() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    for len in [8_000, 131_000, 300_000, 3_000_000] {
        let floats: Vec<f64> = (0..len / 8).map(|n| n as f64 / 3.0).collect();
        let kinds = vec![
            Value::Bytes(block(0, len)),
            Value::Text("é".repeat(len as usize / 2)),
            Value::Array(Array::from_slice(&floats)),
            Value::from(floats),
            Value::from(block(1, len).to_vec()),
            Value::Map(vec![(Value::Bytes(block(2, len)), Value::Bytes(block(3, len)))]),
        ];
        for value in kinds.iter().cloned().chain([Value::Tuple(kinds.clone())]) {
            let echoed = meeting.echo_value(value.clone()).await.expect("it answers");
            assert!(echoed == value, "{} of {len} bytes", value.kind_name());
        }
    }
}

#[tokio::test]
async fn large_values_of_many_calls_are_not_mixed_up() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let calls = (0..12).map(|seed| {
        let sent = Value::Bytes(block(seed, 1_000_000 + seed * 10_007));
        let meeting = meeting.clone();
        async move { meeting.echo_value(sent.clone()).await.expect("it answers") == sent }
    });
    assert_eq!(join_all(calls).await, [true; 12]);
}

#[tokio::test]
async fn large_items_come_in_order() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let mut blocks = meeting.blocks(100, 400_000).await.expect("it answers");
    for n in 0..100 {
        let read = blocks.next().await.expect("there is one more").expect("it arrives");
        assert!(read == block(n, 400_000), "number {n}");
    }
    assert!(blocks.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_of_many_calls_reach_their_callers() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let tasks = (0..16_u64).map(|task| {
        let meeting = meeting.clone();
        tokio::spawn(async move {
            let large = "x".repeat(300_000);
            for n in task * 1000..task * 1000 + 200 {
                let (text, number) =
                    tokio::join!(meeting.echo(n.to_string()), meeting.echo_later(n));
                assert_eq!(text.expect("it answers"), n.to_string());
                assert_eq!(number.expect("it answers"), n);
                if n % 50 == 0 {
                    assert_eq!(meeting.echo(large.clone()).await.expect("it answers"), large);
                }
            }
        })
    });
    try_join_all(tasks).await.expect("no task panics");
}

#[tokio::test]
async fn calls_that_block_keep_a_bounded_number_of_threads() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let calls: Vec<_> = (0..300).map(|_| tokio::spawn(meeting.meet(301))).collect();
    support::until(async || meeting.arrived().await.expect("it answers") == 300).await;
    let threads = threads_named("oad-lane", meeting.pid());
    assert!(threads <= 66, "{threads} threads read the lane");
    meeting.arrive().await.expect("it answers");
    for call in calls {
        assert_eq!(call.await.expect("it does not panic").expect("it answers"), 301);
    }
}

/// A process that is not the parent sends the preface of a lane; returns what it reads.
fn open_lane_from_elsewhere(socket: &Path) -> String {
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
                  s.sendall(bytes.fromhex(sys.argv[2])); s.settimeout(10)\n\
                  try: print(s.recv(1))\n\
                  except ConnectionResetError: print(b'')\n";
    let preface: String = PREFACE.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(socket)
        .arg(preface)
        .output()
        .expect("python3 can be started");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lane_is_for_the_parent_alone() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let socket = socket_of(&meeting);
    let path = socket.clone();
    let read = tokio::task::spawn_blocking(move || open_lane_from_elsewhere(&path)).await;
    assert_eq!(read.expect("it does not panic"), "b''", "the daemon closes the connection");

    // A second lane of the parent's is a session of its own, and ends with its
    // connection.
    let mut second = UnixStream::connect(&socket).expect("the daemon listens");
    second.write_all(PREFACE).expect("the daemon reads it");
    second.shutdown(std::net::Shutdown::Write).expect("it is open");
    assert_eq!(second.read(&mut [0; 1]).expect("it is closed in order"), 0);
    assert_eq!(meeting.echo("still".to_owned()).await.expect("it answers"), "still");
}

#[tokio::test]
async fn broken_frame_ends_its_lane_and_nothing_else() {
    let meeting = MeetingProxy::new().await.expect("a daemon can be made");
    let socket = socket_of(&meeting);
    for broken in [&[0xff; 4][..], &[2, 0, 0, 0, 0xff, 0xff], &[9, 0, 0, 0, 1]] {
        let mut lane = UnixStream::connect(&socket).expect("the daemon listens");
        lane.write_all(PREFACE).expect("the daemon reads it");
        lane.write_all(broken).expect("the daemon reads it");
        lane.shutdown(std::net::Shutdown::Write).expect("it is open");
        // Closed, at once or after it has read everything.
        assert_eq!(lane.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    assert_eq!(meeting.echo("still".to_owned()).await.expect("it answers"), "still");
}
