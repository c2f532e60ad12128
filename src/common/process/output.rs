//! The stdout and stderr of a daemon or an interpreter: each line becomes an event, and
//! the end of stderr is kept for the report of its exit.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Level;
use uuid::Uuid;

use crate::common::process::events::EventSink;
use crate::common::process::inherited_lifeline::this_daemon;
use crate::common::process::last_output::end_of;
use crate::common::process::output_prefix;
use crate::common::threads::aside_or_here;

/// How much of the end of stderr is kept, in bytes. Less is shown: the report of a crash
/// may be long, and matters from its beginning.
const TAIL: usize = 32 * 1024;

/// A longer line becomes several events of this size, in bytes.
const LINE: usize = 8 * 1024;

/// The maximum size of one write when output is relayed, in bytes.
const AT_ONCE: usize = 64 * 1024;

/// The timeout for reading the rest of the pipes of a process that has exited. The bytes
/// are already there, so it only matters on a busy machine.
const DRAIN: Duration = Duration::from_millis(50);

/// The timeout for relaying those bytes, which needs threads that a busy machine may be
/// slow to run.
const DRAIN_RELAY: Duration = Duration::from_millis(500);

/// Reads both pipes of a process until they close, it has exited, or this is dropped.
#[derive(Debug, Default)]
pub(super) struct Output {
    readers: JoinSet<()>,
    /// Cancelled when the process has exited.
    gone: CancellationToken,
    /// Counts the readers that may add to the tail.
    reading: TaskTracker,
    tail: Tail,
}

/// The end of what a process wrote to stderr.
type Tail = Arc<Mutex<VecDeque<u8>>>;

/// The process to which output is attributed.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputOrigin {
    /// The process that writes, unless a line names another.
    pub(super) pid: u32,
    /// The pid of the daemon that it is or belongs to.
    pub(super) daemon: u32,
    /// The id with which the daemon signs the lines it passes on.
    pub(super) signed: Option<Uuid>,
}

#[derive(Clone, Copy, Debug)]
enum StdStream {
    Stdout,
    Stderr,
}

/// One of the pipes.
struct OutputPipe {
    pipe: Receiver,
    gone: CancellationToken,
    /// Dropped when the tail is complete.
    reading: Option<TaskTrackerToken>,
}

// === impl Output ===

impl Output {
    /// Starts to turn the output into events.
    pub(super) fn capture(
        writer: OutputOrigin,
        events: &EventSink,
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
    ) -> Self {
        let mut output = Output::default();
        if let Some(source) = output.source(stdout) {
            let reading = tell(source, writer, events.clone(), StdStream::Stdout, None);
            output.readers.spawn(reading);
        }
        if let Some(source) = output.source(stderr) {
            let reading = tell(
                source,
                writer,
                events.clone(),
                StdStream::Stderr,
                Some(Arc::clone(&output.tail)),
            );
            output.readers.spawn(reading);
        }
        output
    }

    /// Starts to relay the output to this process's own stdout and stderr, line by line,
    /// with the pid of the writer. The parent of this daemon turns it into events.
    pub(super) fn relay(pid: u32, stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Self {
        let Some(daemon) = this_daemon() else {
            return Output::capture(
                OutputOrigin { pid, daemon: std::process::id(), signed: None },
                &EventSink::current(),
                stdout,
                stderr,
            );
        };
        let mut output = Output::default();
        let prefix = output_prefix::prefix(daemon, pid);
        if let Some(source) = output.source(stdout) {
            let reading = pass_on(source, std::io::stdout(), prefix.clone(), None);
            output.readers.spawn(async { _ = reading.await });
        }
        if let Some(source) = output.source(stderr) {
            let tail = Some(Arc::clone(&output.tail));
            let reading = pass_on(source, std::io::stderr(), prefix, tail);
            output.readers.spawn(async { _ = reading.await });
        }
        output
    }

    fn source(&self, pipe: Option<OwnedFd>) -> Option<OutputPipe> {
        let pipe = Receiver::from_owned_fd(pipe?).ok()?;
        Some(OutputPipe { pipe, gone: self.gone.clone(), reading: Some(self.reading.token()) })
    }

    /// Reads the rest of the pipes of a process that has exited, and returns the end of
    /// its stderr, escaped. Other processes may keep the pipes open; their output does
    /// not count.
    pub(super) async fn finish(&self) -> String {
        self.gone.cancel();
        self.reading.close();
        // This times out only on an overloaded machine; then the bytes read so far have
        // to do.
        let _ = timeout(DRAIN, self.reading.wait()).await;
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        end_of(&printable(tail.make_contiguous()), tail.len() >= TAIL)
    }

    /// Waits until everything that was read has been relayed.
    pub(super) async fn passed_on(mut self) {
        // Fails only if the parent does not read it; nobody else would.
        let _ =
            timeout(DRAIN_RELAY, async { while self.readers.join_next().await.is_some() {} }).await;
    }
}

// === impl OutputPipe ===

impl OutputPipe {
    /// Reads more bytes to the end of `buffer`; returns whether more may follow.
    async fn read(&mut self, buffer: &mut Vec<u8>) -> bool {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => {
                self.read_rest(buffer);
                false
            }
            // An error means the same as the end: there is nothing more to read.
            read = self.pipe.read_buf(buffer) => matches!(read, Ok(1..)),
        }
    }

    /// Reads what the pipe holds now: everything that an exited process wrote.
    fn read_rest(&self, buffer: &mut Vec<u8>) {
        let left = ioctl_fionread(&self.pipe)
            .ok()
            .and_then(|left| usize::try_from(left).ok())
            .unwrap_or(0);
        let (start, mut end) = (buffer.len(), buffer.len());
        buffer.resize(start + left, 0);
        while end < buffer.len() {
            match rustix::io::read(&self.pipe, &mut buffer[end..]) {
                Ok(0) => break,
                Ok(read) => end += read,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        buffer.truncate(end);
    }
}

// === lines and their events ===

async fn tell(
    mut source: OutputPipe,
    writer: OutputOrigin,
    events: EventSink,
    stream: StdStream,
    tail: Option<Tail>,
) {
    let teller = OutputTeller { writer, events, stream, tail };
    let mut buffer = Vec::with_capacity(LINE);
    loop {
        let is_open = source.read(&mut buffer).await;
        let mut consumed = 0;
        while let Some(end) = buffer[consumed..].iter().position(|byte| *byte == b'\n') {
            teller.emit_line(&buffer[consumed..consumed + end + 1]);
            consumed += end + 1;
        }
        if consumed == 0 && buffer.len() >= LINE {
            // A relayed line is never this long, but one may begin in here.
            consumed = output_prefix::may_begin(&buffer).unwrap_or(buffer.len());
            teller.emit_line(&buffer[..consumed]);
        }
        buffer.drain(..consumed);
        if is_open {
            // A process that prints faster than the subscriber takes it waits, and loses
            // nothing.
            teller.events.has_room().await;
        } else {
            if !buffer.is_empty() {
                teller.emit_line(&buffer);
            }
            return;
        }
    }
}

/// Writes each line to `to` with `prefix` in front, and returns `to` at the end.
async fn pass_on<W: Write + Send + 'static>(
    mut source: OutputPipe,
    mut to: W,
    prefix: Vec<u8>,
    tail: Option<Tail>,
) -> Option<W> {
    let mut buffer = Vec::with_capacity(LINE);
    loop {
        let before = buffer.len();
        let is_open = source.read(&mut buffer).await;
        if let Some(tail) = &tail {
            keep_end(tail, &buffer[before..]);
        }
        if !is_open {
            source.reading = None;
        }
        let (mut passed, mut signed) = (0, Vec::new());
        while let Some(len) = line_or_piece(&buffer[passed..], is_open) {
            let line = &buffer[passed..passed + len];
            signed.extend_from_slice(&prefix);
            signed.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            signed.push(b'\n');
            passed += len;
            if signed.len() >= AT_ONCE {
                to = write(to, std::mem::take(&mut signed)).await?;
            }
        }
        if !signed.is_empty() {
            to = write(to, signed).await?;
        }
        buffer.drain(..passed);
        if !is_open {
            return Some(to);
        }
    }
}

/// The maximum length of a relayed line. With its prefix it is no longer than the lines
/// that the parent accepts.
fn line_or_piece(bytes: &[u8], is_open: bool) -> Option<usize> {
    let longest = &bytes[..bytes.len().min(LINE - output_prefix::ROOM - 1)];
    let line = longest.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
    line.or_else(|| {
        (!longest.is_empty() && (!is_open || longest.len() < bytes.len())).then_some(longest.len())
    })
}

/// Writes where it may block; tokio's stdout would panic if no thread can be started.
async fn write<W: Write + Send + 'static>(mut to: W, bytes: Vec<u8>) -> Option<W> {
    let writing = move || {
        // Fails only if the parent does not read it; nobody else would.
        let _ = to.write_all(&bytes).and_then(|()| to.flush());
        to
    };
    aside_or_here(writing).await
}

/// Turns the lines of one pipe into events.
struct OutputTeller {
    writer: OutputOrigin,
    events: EventSink,
    stream: StdStream,
    tail: Option<Tail>,
}

impl OutputTeller {
    fn emit_line(&self, line: &[u8]) {
        match self.writer.signed.and_then(|daemon| output_prefix::split(daemon, line)) {
            None => self.tell(self.writer.pid, line),
            Some((own, pid, rest)) => {
                if !own.is_empty() {
                    self.tell(self.writer.pid, &[own, b"\n"].concat());
                }
                self.tell(pid, rest);
            }
        }
    }

    fn tell(&self, pid: u32, line: &[u8]) {
        let (daemon, text) = (self.writer.daemon, printable(line));
        match self.stream {
            StdStream::Stdout => self.events.emit(Level::INFO, move || {
                let text = text.trim_end_matches('\n');
                tracing::info!(target: "oad::output", pid, daemon, stream = "stdout", "{text}");
            }),
            StdStream::Stderr => self.events.emit(Level::WARN, move || {
                let text = text.trim_end_matches('\n');
                tracing::warn!(target: "oad::output", pid, daemon, stream = "stderr", "{text}");
            }),
        }
        if let Some(tail) = &self.tail {
            keep_end(tail, line);
        }
    }
}

fn keep_end(tail: &Mutex<VecDeque<u8>>, bytes: &[u8]) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    tail.extend(bytes);
    let surplus = tail.len().saturating_sub(TAIL);
    tail.drain(..surplus);
}

/// Text with terminal control characters escaped, except newlines and tabs.
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
mod tests;
