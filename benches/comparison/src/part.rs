//! This program, started again to be another process of the comparison.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peers;

const PART: &str = "OAD_BENCH_PART";
const SOCKET: &str = "OAD_BENCH_SOCKET";
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The server process of a peer. It is killed when this is dropped, and exits by itself
/// if this process is killed.
pub(crate) struct Part {
    process: Child,
    pub(crate) socket: PathBuf,
}

/// Serves if this process was started as a part; returns whether it was.
pub(crate) fn serve() -> bool {
    let (Ok(part), Some(socket)) = (std::env::var(PART), std::env::var_os(SOCKET)) else {
        return false;
    };
    std::thread::spawn(|| {
        // It ends when the other end of stdin is closed, by whatever means.
        let _ = std::io::stdin().read(&mut [0]); // an error means the same
        std::process::exit(0);
    });
    peers::serve(&part, Path::new(&socket));
    true
}

impl Part {
    /// Starts a part, and waits until it listens.
    pub(crate) fn start(part: &str, directory: &Path) -> Self {
        let socket = directory.join(part);
        let process = Command::new(std::env::current_exe().expect("this program has a path"))
            .env(PART, part)
            .env(SOCKET, &socket)
            .stdin(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let part = Part { process, socket };
        let start = Instant::now();
        while UnixStream::connect(&part.socket).is_err() {
            assert!(start.elapsed() < START_TIMEOUT, "{} does not listen", part.socket.display());
            std::thread::sleep(Duration::from_millis(1));
        }
        part
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Either fails only if the process has been reaped, which nothing else does.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket); // the directory is removed at the end
    }
}
