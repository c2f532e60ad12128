//! The limit: blocking reads and writes of a bare Unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Instant;

use crate::place::rate;

const FRAME: usize = 16;

/// Reads frames of sixteen bytes: a number, and the length of the data that follows.
/// Returns the data; the frame if it has no data.
pub(crate) fn serve(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("the socket's path is free");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection can be accepted");
        std::thread::spawn(move || {
            let mut data = Vec::new();
            let mut frame = [0; FRAME];
            while stream.read_exact(&mut frame).is_ok() {
                let length = frame[8..].try_into().expect("it is half of the frame");
                data.resize(u64::from_le_bytes(length) as usize, 0);
                if data.is_empty() {
                    stream.write_all(&frame).expect("the client reads");
                    continue;
                }
                stream.read_exact(&mut data).expect("the client sends what it announces");
                stream.write_all(&data).expect("the client reads");
            }
        });
    }
}

/// The client.
pub(crate) struct Socket {
    stream: UnixStream,
}

impl Socket {
    pub(crate) fn connect(socket: &Path) -> Self {
        Socket { stream: UnixStream::connect(socket).expect("the socket's server listens") }
    }

    /// Sends and receives sixteen bytes at a time.
    pub(crate) fn ping_pong(&mut self, calls: u64) -> Vec<f64> {
        let times = (0..calls).map(|number| {
            let (frame, mut answer) = (frame(number, 0), [0; FRAME]);
            let start = Instant::now();
            self.stream.write_all(&frame).expect("the server reads");
            self.stream.read_exact(&mut answer).expect("the server responds");
            let duration = start.elapsed();
            assert_eq!(answer, frame);
            duration.as_secs_f64()
        });
        times.collect()
    }

    /// Sends as many frames as are in flight at once, and then reads their answers.
    pub(crate) fn pipelined(&mut self, calls: u64, in_flight: u64) -> Vec<f64> {
        let mut answers = vec![0; in_flight as usize * FRAME];
        let start = Instant::now();
        for first in (0..calls).step_by(in_flight as usize) {
            let numbers = first..first + in_flight;
            let frames: Vec<u8> = numbers.flat_map(|number| frame(number, 0)).collect();
            self.stream.write_all(&frames).expect("the server reads");
            self.stream.read_exact(&mut answers).expect("the server responds");
            assert_eq!(answers, frames);
        }
        vec![rate(calls, start.elapsed())]
    }

    /// Sends some data and receives it.
    pub(crate) fn same_bytes(&mut self, data: &[u8], answer: &mut [u8]) {
        self.stream.write_all(&frame(0, data.len())).expect("the server reads");
        self.stream.write_all(data).expect("the server reads");
        self.stream.read_exact(answer).expect("the server responds");
    }
}

fn frame(number: u64, length: usize) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..8].copy_from_slice(&number.to_le_bytes());
    frame[8..].copy_from_slice(&length.to_le_bytes());
    frame
}
