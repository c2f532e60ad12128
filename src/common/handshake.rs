//! The frames on the lifeline: hello goes in, ready or a failure comes out; later the
//! request to end goes in, and what becomes of it comes out.
//!
//! A frame is one line of JSON. The lifeline is the daemon's fd 0, so nothing the daemon
//! prints can get between.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};
use uuid::Uuid;

use crate::common::error::{Excerpt, KillReason};
use crate::common::transport::{Endpoint, Token};

/// The version of the protocol between a parent and its daemon; a daemon refuses any
/// other in the handshake.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

/// A longer frame is refused: the process that sends it is not an oad daemon.
const MAX_FRAME: u64 = 64 * 1024;

/// The most bytes of a malformed frame that an error keeps.
const MAX_QUOTED: usize = 4096;

/// The first frame of the parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The version of the protocol; the first field, and the one that never changes its
    /// meaning.
    pub(crate) protocol: u32,
    pub(crate) daemon: Uuid,
    pub(crate) transport: Transport,
    pub(crate) grace: Duration,
    pub(crate) message_limit: usize,
    pub(crate) depth_limit: usize,
    /// How many threads run async code.
    pub(crate) workers: usize,
    /// Whether the parent will open a lane.
    pub(crate) lane: bool,
    /// Whether the parent may ask for a door of its own to each interpreter.
    pub(crate) doors: bool,
    /// The builds of Python whose compiled agents come with this frame, a descriptor for
    /// each.
    pub(crate) agents: Vec<String>,
}

/// Where the daemon is to listen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Transport {
    /// At a Unix socket in this directory, which is its own.
    Unix { directory: PathBuf },
    /// At a port of 127.0.0.1, for clients that have the token.
    Localhost { token: Token },
    /// Nowhere: its one connection exists already.
    InProcess,
}

impl Transport {
    /// The directory to remove at the end.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Transport::Unix { directory } => Some(directory),
            Transport::Localhost { .. } | Transport::InProcess => None,
        }
    }

    /// The token that every request must carry.
    pub(crate) fn token(&self) -> Option<&Token> {
        match self {
            Transport::Localhost { token } => Some(token),
            Transport::Unix { .. } | Transport::InProcess => None,
        }
    }
}

/// A frame of the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum DaemonMessage {
    /// The daemon listens.
    Ready {
        protocol: u32,
        /// Its own pid, which is not that of the started process if that is a wrapper.
        pid: u32,
        /// The PID namespace in which it has that pid, if it is known.
        #[serde(default)]
        pid_namespace: Option<u64>,
        endpoint: Endpoint,
    },
    /// It speaks another version of the protocol.
    OtherVersion { protocol: u32 },
    /// The process cannot be a daemon.
    Failed { message: String },
    /// The daemon is ending and will exit within the grace; `calls` of them run or wait.
    Terminating { grace: Duration, calls: u64 },
    /// The daemon exits; `abandoned` calls were still running, and its objects were all
    /// `dropped`, or took too long; `cut_short` of its interpreters could not end in
    /// order.
    Leaving { abandoned: u64, dropped: bool, cut_short: u64 },
    /// The door to an interpreter that the parent has asked for. Its sockets come with
    /// this frame, unless the parent has them already: one for requests, one for what is
    /// urgent.
    Door {
        interpreter: u64,
        kill_when_stuck: Option<Duration>,
        has_threads: bool,
        sockets_passed: usize,
    },
    /// The interpreter does not run any more.
    NoDoor { interpreter: u64 },
    /// A build of Python has compiled the agent, which comes with this frame.
    AgentCompiled { build: String },
    /// An interpreter was started. The parent may have to reap it, if the daemon dies.
    InterpreterStarted { pid: u32 },
    /// An interpreter has ended, and how. If it `is_wanted`, that was unexpected:
    /// somebody had objects there.
    InterpreterEnded {
        interpreter: u64,
        is_wanted: bool,
        program: String,
        pid: u32,
        /// As wait(2) reports it, if it is known.
        status: Option<i32>,
        /// Why oad killed it, if it did.
        reason: Option<String>,
        stderr: String,
        uptime: Duration,
    },
}

/// A later frame of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum ParentMessage {
    /// Ends the daemon. A lifeline that closes without this means that the parent is
    /// dead.
    End { grace: Duration },
    /// Asks for the door to an interpreter, and holds the interpreter.
    OpenDoor { interpreter: u64 },
    /// The parent uses that interpreter no more.
    CloseDoor { interpreter: u64 },
    /// Kills an interpreter.
    KillInterpreter { interpreter: u64, reason: KillReason },
    /// No call that went through the parent's doors runs any more, and none will.
    Drained,
}

/// Reads one frame; `None` if the other end was closed before it.
///
/// # Errors
///
/// `InvalidData` for a line that is too long or not the expected frame; it holds a
/// [`MalformedFrame`].
pub(crate) async fn read_frame<T: DeserializeOwned>(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    stream.take(MAX_FRAME).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') && line.len() < MAX_FRAME as usize {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(|_| {
        let start = &line[..line.len().min(MAX_QUOTED)];
        let line = start.escape_ascii().to_string();
        io::Error::new(io::ErrorKind::InvalidData, MalformedFrame { line })
    })
}

/// A line that is not the expected frame. The message has the beginning of it.
#[derive(Debug)]
pub(crate) struct MalformedFrame {
    /// The line, escaped, and cut if it is very long.
    pub(crate) line: String,
}

impl fmt::Display for MalformedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Excerpt(&self.line).fmt(f)
    }
}

impl Error for MalformedFrame {}

/// Reads the first frame of a parent: a hello, or the version of one that this program
/// does not speak.
///
/// # Errors
///
/// As [`read_frame`], but nothing of the line is quoted: it may contain a token.
pub(crate) async fn read_hello(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<Result<Hello, u32>>> {
    let malformed = |_| {
        let message = "the parent wrote something other than oad's handshake";
        io::Error::new(io::ErrorKind::InvalidData, message)
    };
    let Some(frame) = read_frame::<serde_json::Value>(stream).await.map_err(malformed)? else {
        return Ok(None);
    };
    match frame["protocol"].as_u64().and_then(|protocol| u32::try_from(protocol).ok()) {
        Some(PROTOCOL_VERSION) | None => {
            Ok(Some(Ok(serde_json::from_value(frame).map_err(|error| malformed(error.into()))?)))
        }
        Some(other) => Ok(Some(Err(other))),
    }
}

/// Writes one frame.
pub(crate) async fn write_frame<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &T,
) -> io::Result<()> {
    stream.write_all(&frame_bytes(frame)?).await
}

/// The bytes of one frame.
pub(crate) fn frame_bytes<T: Serialize>(frame: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(frame)?;
    line.push(b'\n');
    Ok(line)
}

/// Writes why a process that was started as a daemon cannot be one, without a runtime.
pub(crate) fn write_failure(stream: &mut impl io::Write, message: &str) -> io::Result<()> {
    let mut line = serde_json::to_vec(&DaemonMessage::Failed { message: message.to_owned() })?;
    line.push(b'\n');
    stream.write_all(&line)
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<ParentMessage>> {
        read_frame(&mut BufReader::new(bytes)).await
    }

    #[tokio::test]
    async fn frame_written_is_read() {
        let frame = ParentMessage::End { grace: Duration::from_millis(1500) };
        let mut line = Vec::new();
        write_frame(&mut line, &frame).await.expect("a vector takes everything");
        assert_eq!(read(&line).await.expect("it is a frame"), Some(frame));
    }

    #[tokio::test]
    async fn hello_of_another_version_is_recognized_whatever_else_it_contains() {
        let line = b"{\"protocol\":99,\"new\":[1]}\n";
        let hello = read_hello(&mut BufReader::new(line.as_slice()))
            .await
            .expect("it is JSON")
            .expect("it is whole");
        assert_eq!(hello, Err(99));
    }

    #[tokio::test]
    async fn hello_that_cannot_be_understood_is_not_quoted() {
        for line in [
            "{\"protocol\":1,\"transport\":\"secret\"}\n",
            "{\"protocol\":\"secret\"}\n",
            "secret\n",
        ] {
            let error = read_hello(&mut BufReader::new(line.as_bytes()))
                .await
                .expect_err("it is malformed");
            assert_eq!(error.to_string(), "the parent wrote something other than oad's handshake");
        }
    }

    #[tokio::test]
    async fn closed_or_cut_lifeline_has_no_frame() {
        assert_eq!(read(b"").await.expect("it is closed"), None);
        assert_eq!(read(b"{\"End\"").await.expect("it is cut"), None);
    }

    #[tokio::test]
    async fn garbage_is_quoted_escaped_and_bounded() {
        let error = read(b"\x1b[31mhi\n").await.expect_err("it is garbage").to_string();
        assert_eq!(error, r"`\x1b[31mhi\n`");
        let endless = vec![b'x'; 10 * MAX_FRAME as usize];
        let error = read(&endless).await.expect_err("it is too long");
        assert_eq!(error.to_string(), format!("`{}…`", "x".repeat(199)));
        let frame = error.downcast::<MalformedFrame>().expect("it holds the line");
        assert_eq!(frame.line, "x".repeat(MAX_QUOTED));
    }
}
