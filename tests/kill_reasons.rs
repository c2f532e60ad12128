//! What is told when oad itself kills a daemon or an interpreter: why, and soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use oad::ErrorKind;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

/// Twice the promise, for a loaded machine.
const SOON: Duration = Duration::from_millis(1000);

/// Closes what is not its own.
#[derive(Debug)]
struct Closer;

#[oad::object]
impl Closer {
    fn new() -> Self {
        Closer
    }

    /// Breaks the connections to the daemon's socket, and stays. The lifeline is a pair
    /// of sockets, which have no path.
    fn break_connections_and_stay(&self) {
        let table = fs::read_to_string("/proc/net/unix").expect("the kernel lists sockets");
        let with_path = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let inodes: Vec<_> = with_path
            .filter_map(|columns| columns.get(7).map(|_path| format!("socket:[{}]", columns[6])))
            .collect();
        for descriptor in 0..1024 {
            let target = fs::read_link(format!("/proc/self/fd/{descriptor}"));
            if target.is_ok_and(|target| inodes.iter().any(|inode| target == Path::new(inode))) {
                shutdown(descriptor, BOTH_DIRECTIONS);
            }
        }
        std::thread::sleep(SECOND * 600);
    }

    /// Closes every descriptor, and stays.
    fn close_all_and_stay(&self) {
        close_from(0);
        std::thread::sleep(SECOND * 600);
    }
}

#[allow(unsafe_code, reason = "the signature is that of the C library")]
unsafe extern "C" {
    safe fn close(descriptor: i32) -> i32;
    safe fn shutdown(socket: i32, how: i32) -> i32;
}

const BOTH_DIRECTIONS: i32 = 2;

fn close_from(first: i32) {
    for descriptor in first..1024 {
        close(descriptor);
    }
}

#[tokio::test]
async fn daemon_that_closes_all_descriptors_is_told_soon_and_why() {
    for over_grpc in [false, true] {
        let closer = CloserProxy::new();
        let closer = if over_grpc { closer.over_grpc() } else { closer };
        let closer = closer.await.expect("it starts");
        let start = Instant::now();
        let error = closer.close_all_and_stay().await.expect_err("its connection is closed");
        let took = start.elapsed();
        assert!(took < SOON, "{took:?}: {error}");
        assert_eq!(error.kind(), ErrorKind::Died, "{error}");
        let death = error.death().expect("it died");
        // A debug build notices itself that descriptors are gone, and aborts.
        if death.signal() == Some(9) {
            let expected = "died: killed by signal 9 (SIGKILL) by oad, because it closed its \
                            connection to its parent, but did not exit";
            assert!(error.to_string().contains(expected), "{error}");
            assert!(death.kill_reason().is_some_and(|reason| reason.contains("descriptors")));
        }
    }
}

#[tokio::test]
async fn connection_that_breaks_while_the_daemon_lives_is_told_soon() {
    for over_grpc in [false, true] {
        let closer = CloserProxy::new().grace(SECOND / 10);
        let closer = if over_grpc { closer.over_grpc() } else { closer };
        let closer = closer.await.expect("it starts");
        let start = Instant::now();
        let error = closer.break_connections_and_stay().await.expect_err("it is broken");
        let took = start.elapsed();
        assert!(took < SOON, "{took:?}: {error}");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("but its process lives"), "{error}");
    }
}

#[cfg(feature = "python")]
mod python {
    use oad::PythonBuilder;

    use super::*;

    fn script(code: &str) -> PythonBuilder {
        oad::python_script("code", format!("import os, time\ndef run():\n    {code}\n"))
    }

    async fn death_of(script: PythonBuilder, limit: Duration) -> String {
        let script = script.await.expect("it starts");
        let start = Instant::now();
        let error = script.call::<()>("run", ()).await.expect_err("it is killed");
        let took = start.elapsed();
        assert!(took < limit, "{took:?}: {error}");
        assert_eq!(error.kind(), ErrorKind::Died, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn interpreter_that_loses_its_sockets_is_told_soon_and_why() {
        for code in [
            "os.closerange(0, 1024); time.sleep(600)",
            "os.closerange(3, 1024); time.sleep(600)",
            "os.execv('/bin/sleep', ['sleep', '600'])",
        ] {
            for over_grpc in [false, true] {
                let script = script(code);
                let script = if over_grpc { script.over_grpc() } else { script };
                let error = death_of(script, SOON).await;
                let expected = "died: killed by signal 9 (SIGKILL) by oad, because it closed its \
                                socket, but did not exit";
                assert!(error.contains(expected), "{code}: {error}");
            }
        }
    }

    #[tokio::test]
    async fn interpreter_that_is_killed_because_it_is_stuck_is_told_so() {
        for over_grpc in [false, true] {
            // C code that does not react to an interruption.
            let script = script("import ctypes; ctypes.PyDLL(None).sleep(600)");
            let script = script.kill_when_stuck(SECOND / 2);
            let script = if over_grpc { script.over_grpc() } else { script };
            let script = script.await.expect("it starts");
            script.call::<()>("run", ()).timeout(SECOND / 5).await.expect_err("it is stuck");
            let error = loop {
                match script.call::<()>("run", ()).await {
                    Err(error) if error.is_dead() => break error,
                    other => println!("{other:?}"),
                }
            };
            let expected = "by oad, because it did not react to an interruption";
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
