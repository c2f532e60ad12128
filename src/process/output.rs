//! What a daemon writes to its stdout and stderr: each line becomes an event, and the end of stderr is kept for its obituary.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber as _;

use crate::process::marker::is_daemon;

/// How much of the end of stderr is kept, in bytes.
const TAIL: usize = 4 * 1024;

/// A longer line is told in pieces of this size, in bytes.
const LINE: usize = 8 * 1024;

/// How long the pipes are still read after the process has gone. A grandchild may hold them open for ever.
const DRAIN: Duration = Duration::from_millis(50);

/// The same where what is read is passed on, which takes threads that a busy machine may be slow to run.
const DRAIN_RELAY: Duration = Duration::from_millis(500);

/// Reads both pipes of a daemon until they close or this is dropped.
#[derive(Debug, Default)]
pub(super) struct Output {
    readers: JoinSet<()>,
    tail: Arc<Mutex<VecDeque<u8>>>,
    drain: Duration,
}

impl Output {
    /// Starts reading. Events go to the subscriber that is current here.
    pub(super) fn capture(pid: u32, stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Self {
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = JoinSet::new();
        if let Some(pipe) = stdout.and_then(|fd| Receiver::from_owned_fd(fd).ok()) {
            let tell = move |line: &str| tracing::info!(target: "oad::output", pid, stream = "stdout", "{line}");
            readers.spawn(read(pipe, tell, None).with_current_subscriber());
        }
        if let Some(pipe) = stderr.and_then(|fd| Receiver::from_owned_fd(fd).ok()) {
            let tell = move |line: &str| tracing::warn!(target: "oad::output", pid, stream = "stderr", "{line}");
            readers.spawn(read(pipe, tell, Some(Arc::clone(&tail))).with_current_subscriber());
        }
        Output { readers, tail, drain: DRAIN }
    }

    /// Does the same for a process of this one's: where this is a daemon, its parent is to tell what comes, so it goes on to this process's own stdout
    /// and stderr, as it is.
    pub(super) fn relay(pid: u32, stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Self {
        if !is_daemon() {
            return Output::capture(pid, stdout, stderr);
        }
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = JoinSet::new();
        if let Some(pipe) = stdout.and_then(|fd| Receiver::from_owned_fd(fd).ok()) {
            readers.spawn(pass_on(pipe, tokio::io::stdout(), None));
        }
        if let Some(pipe) = stderr.and_then(|fd| Receiver::from_owned_fd(fd).ok()) {
            readers.spawn(pass_on(pipe, tokio::io::stderr(), Some(Arc::clone(&tail))));
        }
        Output { readers, tail, drain: DRAIN_RELAY }
    }

    /// Reads what is still in the pipes of a process that has gone, and gives the end of its stderr, escaped.
    pub(super) async fn finish(mut self) -> String {
        // Timing out is no failure: somebody else holds the pipe, and what it writes is not the daemon's.
        let _ = tokio::time::timeout(self.drain, async { while self.readers.join_next().await.is_some() {} }).await;
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        printable(tail.make_contiguous())
    }
}

async fn read(mut pipe: Receiver, tell: impl Fn(&str), tail: Option<Arc<Mutex<VecDeque<u8>>>>) {
    let mut buffer = Vec::with_capacity(LINE);
    // An error means the same as the end: there is nothing more to read.
    while let Ok(1..) = pipe.read_buf(&mut buffer).await {
        let mut told = 0;
        while let Some(end) = buffer[told..].iter().position(|byte| *byte == b'\n') {
            line(&buffer[told..told + end + 1], &tell, tail.as_deref());
            told += end + 1;
        }
        if told == 0 && buffer.len() >= LINE {
            line(&buffer, &tell, tail.as_deref());
            told = buffer.len();
        }
        buffer.drain(..told);
    }
    if !buffer.is_empty() {
        line(&buffer, &tell, tail.as_deref());
    }
}

async fn pass_on(mut pipe: Receiver, mut to: impl AsyncWrite + Unpin, tail: Option<Arc<Mutex<VecDeque<u8>>>>) {
    let mut buffer = Vec::with_capacity(LINE);
    // An error means the same as the end: there is nothing more to read.
    while let Ok(1..) = pipe.read_buf(&mut buffer).await {
        // If the parent does not take it, there is nobody who would.
        let _ = to.write_all(&buffer).await;
        let _ = to.flush().await;
        if let Some(tail) = &tail {
            keep_end(tail, &buffer);
        }
        buffer.clear();
    }
}

fn keep_end(tail: &Mutex<VecDeque<u8>>, bytes: &[u8]) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    tail.extend(bytes);
    let surplus = tail.len().saturating_sub(TAIL);
    tail.drain(..surplus);
}

fn line(bytes: &[u8], tell: &impl Fn(&str), tail: Option<&Mutex<VecDeque<u8>>>) {
    tell(printable(bytes).trim_end_matches('\n'));
    if let Some(tail) = tail {
        keep_end(tail, bytes);
    }
}

/// Text with what a terminal would obey made visible; newlines and tabs stay.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\n' | '\t' => text.push(char),
                char if char.is_control() => text.extend(char.escape_default()),
                char => text.push(char),
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn control_characters_and_noise_are_made_visible() {
        assert_eq!(printable(b"\x1b[31mred\xff\ttab \xc3\xa9\n"), "\\u{1b}[31mred\\xff\ttab é\n");
    }

    #[tokio::test]
    async fn end_of_a_long_stderr_is_kept() {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        let output = Output::capture(1, None, Some(reader.into()));
        let writing = tokio::task::spawn_blocking(move || {
            let mut writer = writer;
            writer.write_all(&vec![b'x'; 100_000]).expect("it is read");
            writer.write_all(b"\nlast words").expect("it is read");
        });
        writing.await.expect("writing does not panic");
        let tail = output.finish().await;
        assert_eq!(tail.len(), TAIL);
        assert!(tail.ends_with("x\nlast words"), "{}", &tail[TAIL - 20..]);
    }

    #[tokio::test]
    async fn pipe_held_open_by_another_does_not_hold_up_the_end() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
        writer.write_all(b"words").expect("it is open");
        let output = Output::capture(1, None, Some(reader.into()));
        let tail = tokio::time::timeout(Duration::from_secs(5), output.finish()).await.expect("it is bounded");
        // The unfinished line of a pipe still open is not told.
        assert_eq!(tail, "");
        drop(writer);
    }
}
