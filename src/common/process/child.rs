//! A started process: its owner watches, kills and reaps it, and ends what it left
//! behind.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::LazyLock;

use rustix::process::{Pid, Signal, WaitIdStatus};
use tokio::sync::watch;
use uuid::Uuid;

use crate::common::error::{Error, ErrorKind, Result, Status};
use crate::common::process::descendants::{AdoptedProcess, adopts_orphans};
use crate::common::process::events::EventSink;
use crate::common::process::marker::Marker;
use crate::common::process::output::{Output, OutputOrigin};
use crate::common::process::pidfd::Pidfd;
use crate::common::process::{Program, descendants};

/// A started process. It has one owner, which ends it with [`Child::reap`]. If it is
/// dropped before that, it is killed, and reaped only by `init` after this process.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: Pidfd,
    /// The daemon, if the started process is a wrapper around it.
    daemon: Option<Pidfd>,
    marker: Marker,
    /// The interpreters of the daemon, by pid.
    interpreters: Vec<AdoptedProcess>,
    output: Output,
    state: ChildState,
    runs_this_program: bool,
}

/// How many children of this process have not been reaped yet.
pub(super) static LIVING: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Waits until every child of this process that was started here has been reaped.
pub(crate) async fn children_gone() {
    // The sender is a static.
    let _ = LIVING.subscribe().wait_for(|living| *living == 0).await;
}

/// While it is not reaped, no other process or process group can have its pid, and
/// signals may be sent to that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChildState {
    Unreaped,
    Reaped,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) status: Status,
    /// The end of its stderr.
    pub(crate) stderr: String,
}

impl Child {
    /// Starts `program` as the daemon `daemon`; the stream is this end of its lifeline.
    /// What `greet` writes to it is in the other end before the process starts: by that
    /// the process knows its lifeline.
    ///
    /// Must be called on the keeper's thread: the signal that a daemon gets when its
    /// parent dies is bound to the thread that started it.
    pub(crate) fn start(
        program: &Program,
        daemon: Uuid,
        greet: impl FnOnce(&UnixStream) -> io::Result<()>,
        events: &EventSink,
    ) -> Result<(Self, UnixStream)> {
        let marker = Marker::of_daemon(daemon);
        let (ours, theirs) =
            UnixStream::pair().map_err(|error| resources("a socket pair", error))?;
        greet(&ours).map_err(|error| resources("a socket pair", error))?;
        let mut process = program.start(marker, theirs)?;
        let stdout = process.stdout.take().map(OwnedFd::from);
        let stderr = process.stderr.take().map(OwnedFd::from);
        let pid = Pid::from_child(&process);
        let pidfd = Pidfd::of_child(&mut process)
            .map_err(|error| resources("a descriptor for its process", error))?;
        let writer = OutputOrigin { pid: process.id(), daemon: process.id(), signed: Some(daemon) };
        let output = Output::capture(writer, events, stdout, stderr);
        LIVING.send_modify(|living| *living += 1);
        Ok((
            Child {
                pid,
                pidfd,
                daemon: None,
                marker,
                interpreters: Vec::new(),
                output,
                state: ChildState::Unreaped,
                runs_this_program: program.is_own,
            },
            ours,
        ))
    }

    /// Whether it was started from this program's file, without anything in between.
    #[cfg(feature = "python")]
    pub(crate) fn runs_this_program(&self) -> bool {
        self.runs_this_program
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end; it is then a zombie until it is reaped.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn exited(&self) {
        self.pidfd.exited().await;
    }

    /// Watches the process `daemon` too, if the started process is a wrapper around it,
    /// and returns whether it is. Must be called on the keeper, like [`Child::start`].
    ///
    /// The number comes from the process, so it is trusted only if that process has the
    /// marker.
    pub(crate) fn watch_daemon(&mut self, daemon: u32) -> bool {
        let pid = i32::try_from(daemon).ok().and_then(Pid::from_raw).filter(|pid| *pid != self.pid);
        // The descriptor comes first: its process cannot become another one while the
        // environment is read. If either fails, only the wrapper's exit shows the end.
        let is_marked = |pid: Pid| self.marker.is_on(pid.as_raw_nonzero().get());
        self.daemon = pid.and_then(|pid| Pidfd::open(pid).ok().filter(|_| is_marked(pid)));
        self.daemon.is_some()
    }

    /// Notes an interpreter of the daemon. If this process adopts orphans, the
    /// interpreter becomes its child when the daemon dies, already dead, and unknown but
    /// for this.
    #[cfg(feature = "python")]
    pub(crate) fn note_interpreter(&mut self, pid: u32) {
        if adopts_orphans() {
            let interpreter = AdoptedProcess::new(pid).filter(|one| self.marker.is_on(one.pid()));
            self.interpreters.retain(|known| !known.is_gone());
            self.interpreters.extend(interpreter);
        }
    }

    /// Waits for the exit of the daemon that is watched beside its wrapper; without one
    /// it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn daemon_exited(&self) {
        match &self.daemon {
            Some(daemon) => daemon.exited().await,
            None => std::future::pending().await,
        }
    }

    /// Kills it and its process group, and the daemon that it wraps.
    pub(crate) fn kill(&self) {
        if let Some(daemon) = &self.daemon {
            daemon.kill();
        }
        // Its group has the same number, and may be signalled only while that number
        // cannot be another's.
        if self.state == ChildState::Unreaped && self.pidfd.holds_its_number() {
            // It may be a zombie already, and its group empty.
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
        self.pidfd.kill();
    }

    /// Reaps it once it has exited, and ends the rest of its process group first, while
    /// the zombie still holds the number.
    pub(crate) async fn reap(mut self) -> (Exit, Leftovers) {
        self.exited().await;
        self.kill();
        // Its zombie holds the number of its group, by which orphans of the group are
        // recognized.
        let unreaped = match adopts_orphans() {
            true => AdoptedProcess::new(self.pid()),
            false => None,
        };
        let status = match &unreaped {
            Some(_) => self.pidfd.status().ok().flatten(),
            None => self.pidfd.reap().ok().flatten(),
        };
        self.state = ChildState::Reaped;
        LIVING.send_modify(|living| *living -= 1);
        let status = status.as_ref().and_then(exit_status).map_or(Status::Discarded, Status::Known);
        let output = std::mem::take(&mut self.output);
        let interpreters = std::mem::take(&mut self.interpreters);
        let leftovers = Leftovers { marker: self.marker, unreaped, interpreters };
        (Exit { status, stderr: output.finish().await }, leftovers)
    }
}

/// What a process may have left behind: processes outside of its group, and the zombies
/// that this process has adopted from it.
#[derive(Debug)]
pub(crate) struct Leftovers {
    marker: Marker,
    /// The process itself, if this process adopts orphans.
    unreaped: Option<AdoptedProcess>,
    interpreters: Vec<AdoptedProcess>,
}

impl Leftovers {
    /// Whether there may be zombies to reap.
    pub(crate) fn has_adopted(&self) -> bool {
        self.unreaped.is_some()
    }

    /// Kills the processes that have the marker, if `kill`, and reaps what this process
    /// has adopted. It reads the environment of every process of this user, which takes
    /// some milliseconds. Killing is not needed after an orderly end: the daemon has
    /// ended its descendants itself then.
    pub(crate) fn end(self, kill: bool) {
        if kill {
            descendants::kill_marked(self.marker);
        }
        let Some(leader) = self.unreaped else { return };
        for process in self.interpreters.iter().chain([&leader]) {
            descendants::reap_adopted_group(process);
        }
    }
}

/// The owning task was dropped with its runtime, so nothing else can end or reap the
/// process.
impl Drop for Child {
    fn drop(&mut self) {
        if self.state == ChildState::Unreaped {
            self.kill();
            LIVING.send_modify(|living| *living -= 1);
        }
    }
}

fn resources(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("failed to create {what}: {error}"))
        .advise("check the limits of this process (`ulimit -a`)")
        .because(error)
}

/// The status that `waitpid` would return, composed of the fields that `waitid` returns
/// (wait(2)).
pub(super) fn exit_status(status: &WaitIdStatus) -> Option<ExitStatus> {
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | if status.dumped() { 0x80 } else { 0 },
        (None, None) => return None,
    };
    Some(ExitStatus::from_raw(raw))
}
