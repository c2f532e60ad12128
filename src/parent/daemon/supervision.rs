//! How a daemon ends, on the parent's side.
//!
//! A task on the keeper owns the process from its start. The ending begins when the
//! process exits, when the daemon reports that it is ending, or when the parent asks for
//! it. The task then sends the request, waits for the grace, kills, reaps, removes the
//! directory, and kills what was left behind. Each of these steps is a `tracing` event.

#[cfg(feature = "python")]
use std::os::unix::process::ExitStatusExt as _;
#[cfg(feature = "python")]
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Level, info, warn};

#[cfg(feature = "python")]
use crate::common::agent::{CompiledAgent, interpreter_died, keep_agent};
use crate::common::error::Status;
#[cfg(feature = "python")]
use crate::common::error::{DeadProcess, Death};
use crate::common::handshake::{DaemonMessage, ParentMessage, write_frame};
use crate::common::process::EventSink;
use crate::common::threads::aside_or_here;
use crate::common::transport::Directory;
use crate::parent::daemon::backend::Backend;
use crate::parent::daemon::doors::Doors;
use crate::parent::daemon::end::{End, EndInProgress, EndReport};
use crate::parent::daemon::exit_outcome::ExitOutcome;
#[cfg(feature = "python")]
use crate::parent::daemon::interpreter_deaths::InterpreterDeaths;
use crate::parent::daemon::lifeline::Lifeline;

/// The target of the events in the life of a daemon.
pub(super) const TARGET: &str = "oad::daemon";

/// How long after its grace a daemon is killed. Its own watchdog is a little quicker, and
/// cleans up.
const KILL_DELAY: Duration = Duration::from_millis(300);

/// How long a daemon that has closed its lifeline, without an orderly end, may take to
/// exit. One that dies does so at once.
const UNREACHABLE_TIMEOUT: Duration = Duration::from_millis(150);

/// How long the lifeline of an exited process is read for messages that are still in it.
/// It closes with the process.
const LAST_MESSAGE_TIMEOUT: Duration = Duration::from_millis(50);

/// How long a wrapper may take to exit after its daemon, because only the wrapper's exit
/// status shows how the daemon exited. After an orderly end nobody is waiting for that,
/// and the wrapper may have something to clean up.
const WRAPPER_TIMEOUT_AFTER_SHUTDOWN: Duration = Duration::from_millis(200);
const WRAPPER_TIMEOUT_AFTER_DEATH: Duration = Duration::from_millis(50);

/// Where a daemon is in its life.
#[derive(Clone, Debug)]
pub(super) enum LifePhase {
    /// It serves.
    Running,
    /// It has been asked to end, by its parent or by somebody else.
    Ending,
    /// Its process has exited and was reaped.
    Exited(ExitOutcome),
    /// Nothing is left of it either.
    CleanedUp(ExitOutcome),
}

/// What the task is asked to do.
#[derive(Debug)]
pub(super) enum SupervisorCommand {
    /// The handshake is done: this is the lifeline, the daemon's own pid, and the doors
    /// to its interpreters, if it has any.
    HandshakeDone(Lifeline, u32, Option<Doors>),
    /// Tell the daemon something.
    #[cfg(feature = "python")]
    Tell(ParentMessage),
    /// End the daemon.
    End { grace: Duration, since: std::time::Instant },
    /// Kill the process.
    Kill,
}

/// The state of the task.
pub(super) struct Supervision {
    backend: Backend,
    pid: u32,
    name: String,
    directory: Option<Directory>,
    inbox: mpsc::UnboundedReceiver<SupervisorCommand>,
    phase: watch::Sender<LifePhase>,
    #[cfg(feature = "python")]
    deaths: InterpreterDeaths,
    started: Instant,
    grace: Duration,
    events: EventSink,
    lifeline: Option<Lifeline>,
    doors: Option<Doors>,
    ending: Option<EndInProgress>,
    report: EndReport,
    wrapper: Wrapper,
    /// What became of a daemon that has closed its lifeline although it lives.
    unreachable: Unreachable,
}

/// A daemon that has closed its lifeline.
#[derive(Clone, Copy, PartialEq)]
enum Unreachable {
    No,
    /// It may be about to exit.
    Since(Instant),
    /// It was killed for that.
    Killed,
}

/// The state of a wrapper that started the daemon. Without a wrapper, the process that
/// was started is the daemon, and this stays `Running`.
#[derive(Clone, Copy)]
enum Wrapper {
    /// It runs, and so does its daemon.
    Running,
    /// Its daemon exited at this time.
    DaemonExited(Instant),
    /// It did not exit in time after its daemon, and was killed.
    Killed,
}

impl Supervision {
    pub(super) fn new(
        backend: Backend,
        name: String,
        directory: Option<Directory>,
        grace: Duration,
        events: EventSink,
        inbox: mpsc::UnboundedReceiver<SupervisorCommand>,
        phase: watch::Sender<LifePhase>,
    ) -> Self {
        Supervision {
            #[cfg(feature = "python")]
            deaths: InterpreterDeaths::new(),
            pid: backend.pid(),
            backend,
            name,
            directory,
            inbox,
            phase,
            started: Instant::now(),
            grace,
            events,
            lifeline: None,
            doors: None,
            ending: None,
            report: EndReport::default(),
            wrapper: Wrapper::Running,
            unreachable: Unreachable::No,
        }
    }

    /// Which interpreters of the daemon have died.
    #[cfg(feature = "python")]
    pub(super) fn deaths(&self) -> InterpreterDeaths {
        self.deaths.clone()
    }

    /// Watches the process until it has exited, and then cleans up.
    pub(super) async fn run(mut self) {
        loop {
            let deadline = self.deadline();
            let wrapper_deadline = self.wrapper_deadline();
            let unreachable_deadline = self.unreachable_deadline();
            tokio::select! {
                biased;
                () = self.backend.exited() => break,
                () = self.backend.daemon_exited(), if matches!(self.wrapper, Wrapper::Running) => {
                    self.wrapper = Wrapper::DaemonExited(Instant::now());
                }
                // The last handle sends an `End` when it is dropped, so a closed inbox
                // has nothing to add.
                Some(command) = self.inbox.recv() => self.handle_command(command).await,
                message = next_message(&mut self.lifeline) => self.handle_message(message),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.emit(Level::WARN, warn_of_kill);
                    self.kill();
                }
                () = sleep_until(wrapper_deadline.unwrap_or_else(Instant::now)),
                    if wrapper_deadline.is_some() =>
                {
                    self.wrapper = Wrapper::Killed;
                    self.backend.kill();
                }
                () = sleep_until(unreachable_deadline.unwrap_or_else(Instant::now)),
                    if unreachable_deadline.is_some() =>
                {
                    self.unreachable = Unreachable::Killed;
                    self.backend.kill();
                }
            }
        }
        self.reap().await;
    }

    /// When the daemon is to be killed, if it is ending.
    fn deadline(&self) -> Option<Instant> {
        match self.wrapper {
            Wrapper::Running => self.ending.as_ref().and_then(|ending| ending.deadline),
            Wrapper::DaemonExited(_) | Wrapper::Killed => None,
        }
    }

    /// When a daemon that has closed its lifeline is to be killed. Nothing can be asked
    /// of it any more, and its connections are mostly closed too.
    fn unreachable_deadline(&self) -> Option<Instant> {
        match (self.unreachable, self.wrapper) {
            (Unreachable::Since(since), Wrapper::Running) => Some(since + UNREACHABLE_TIMEOUT),
            _ => None,
        }
    }

    /// When a wrapper whose daemon has exited is to be killed.
    fn wrapper_deadline(&self) -> Option<Instant> {
        match self.wrapper {
            Wrapper::DaemonExited(since) if self.report.abandoned.is_some() => {
                Some(since + WRAPPER_TIMEOUT_AFTER_SHUTDOWN)
            }
            Wrapper::DaemonExited(since) => Some(since + WRAPPER_TIMEOUT_AFTER_DEATH),
            Wrapper::Running | Wrapper::Killed => None,
        }
    }

    async fn handle_command(&mut self, command: SupervisorCommand) {
        match command {
            #[cfg(feature = "python")]
            SupervisorCommand::Tell(message) => {
                if let Some(Lifeline { writer, .. }) = &mut self.lifeline {
                    // As below.
                    let _ = write_frame(writer, &message).await;
                }
            }
            SupervisorCommand::HandshakeDone(lifeline, pid, doors) => {
                self.lifeline = Some(lifeline);
                self.doors = doors;
                if self.backend.watch_daemon(pid) {
                    let wrapper = std::mem::replace(&mut self.pid, pid);
                    self.emit(Level::INFO, move |pid, name| {
                        info!(target: TARGET, pid, wrapper, name, "started by a wrapper");
                    });
                }
            }
            SupervisorCommand::End { grace, since } => {
                let is_first = self.begin_end(grace, Instant::from_std(since));
                if is_first && let Some(Lifeline { writer, .. }) = &mut self.lifeline {
                    // A few bytes, once, into an empty socket: this does not wait. It
                    // fails only if the process is about to exit.
                    let _ = write_frame(writer, &ParentMessage::End { grace }).await;
                }
            }
            SupervisorCommand::Kill => {
                self.begin_end(Duration::ZERO, Instant::now());
                self.kill();
            }
        }
    }

    /// Records a request to end. The earliest deadline counts. Returns whether it is the
    /// first request.
    fn begin_end(&mut self, grace: Duration, since: Instant) -> bool {
        let deadline = since + grace.min(self.grace) + KILL_DELAY;
        if let Some(ending) = &mut self.ending {
            ending.deadline = ending.deadline.map(|known| known.min(deadline));
            return false;
        }
        self.emit(Level::INFO, |pid, name| info!(target: TARGET, pid, name, "asked to exit"));
        self.ending = Some(EndInProgress { since, deadline: Some(deadline) });
        self.phase.send_replace(LifePhase::Ending);
        true
    }

    /// Records a message of the daemon; `None` means that there will be no more.
    fn handle_message(&mut self, message: Option<DaemonMessage>) {
        match message {
            Some(DaemonMessage::Terminating { grace, calls }) => {
                // Somebody else may have asked it to end, with a grace of their own.
                self.begin_end(grace, Instant::now());
                self.report.calls = Some(calls + self.direct_calls());
                if let Some(doors) = &self.doors {
                    doors.drain();
                }
                self.emit(Level::INFO, |pid, name| info!(target: TARGET, pid, name, "terminating"));
            }
            Some(DaemonMessage::Leaving { abandoned, dropped, cut_short }) => {
                self.report.abandoned = Some(abandoned + self.report.cut_off + self.direct_calls());
                self.report.dropped = dropped;
                self.report.cut_short = cut_short;
            }
            #[cfg(feature = "python")]
            Some(message) => self.handle_door_message(message),
            #[cfg(not(feature = "python"))]
            Some(_) => {}
            None => {
                self.lifeline = None;
                if self.report.abandoned.is_none() && self.unreachable == Unreachable::No {
                    self.unreachable = Unreachable::Since(Instant::now());
                }
            }
        }
    }

    #[cfg(feature = "python")]
    fn handle_door_message(&mut self, message: DaemonMessage) {
        match (message, &self.doors) {
            (DaemonMessage::InterpreterStarted { pid }, _) => self.backend.note_interpreter(pid),
            (
                DaemonMessage::Door { interpreter, kill_when_stuck, has_threads, sockets_passed },
                Some(doors),
            ) => {
                let mut descriptors = (0..sockets_passed)
                    .filter_map(|_| self.lifeline.as_mut().and_then(Lifeline::take_descriptor));
                let sockets = descriptors.next().zip(descriptors.next());
                let kind = (kill_when_stuck, has_threads);
                doors.arrived(interpreter, kind, sockets.map(Into::into));
            }
            (DaemonMessage::NoDoor { interpreter }, Some(doors)) => doors.ended(interpreter, None),
            (DaemonMessage::AgentCompiled { build }, _) => {
                let memory = self.lifeline.as_mut().and_then(Lifeline::take_descriptor);
                // Another program may shut its daemon in, and must not provide code that
                // runs outside.
                let trusted = memory.filter(|_| self.backend.runs_this_program());
                if let Some(agent) = trusted.and_then(CompiledAgent::received) {
                    keep_agent(build, agent);
                }
            }
            (message @ DaemonMessage::InterpreterEnded { .. }, _) => {
                self.handle_interpreter_end(message);
            }
            _ => {}
        }
    }

    #[cfg(feature = "python")]
    fn handle_interpreter_end(&mut self, message: DaemonMessage) {
        let DaemonMessage::InterpreterEnded {
            interpreter,
            is_wanted,
            program,
            pid,
            status,
            reason,
            stderr,
            uptime,
        } = message
        else {
            return;
        };
        let status =
            status.map_or(Status::Discarded, |status| Status::Known(ExitStatus::from_raw(status)));
        let is_success = status.known().is_some_and(|status| status.success());
        let whose = DeadProcess::Interpreter;
        let death = Death { whose, pid, status, reason, stderr, uptime }.reported();
        if is_wanted {
            let how = death.how();
            self.emit(Level::WARN, move |daemon, name| {
                let (pid, interpreter) = (daemon, pid);
                warn!(target: TARGET, pid, name, interpreter, status = how, "an interpreter died");
            });
            self.deaths.note(interpreter, interpreter_died(&program, death.clone()));
        }
        if let Some(doors) = &self.doors {
            if self.ending.is_some() {
                self.report.cut_off += doors.in_flight_of(interpreter) as u64;
            }
            // An interpreter that ends in order with its daemon has not died: later calls
            // learn of the daemon's end.
            let ends_with_daemon = self.ending.is_some() && !is_wanted && is_success;
            if !ends_with_daemon {
                doors.ended(interpreter, Some((&program, death)));
            }
        }
    }

    /// How many calls the daemon knows nothing of.
    fn direct_calls(&self) -> u64 {
        self.doors.as_ref().map_or(0, |doors| doors.in_flight() as u64)
    }

    /// Emits an event with the daemon's pid and name.
    fn emit(&self, level: Level, emit: impl FnOnce(u32, &str) + Send + 'static) {
        let (pid, name) = (self.pid, self.name.clone());
        self.events.emit(level, move || emit(pid, &name));
    }

    fn kill(&mut self) {
        self.backend.kill();
        let ending = EndInProgress { since: Instant::now(), deadline: None };
        self.ending.get_or_insert(ending).deadline = None;
    }

    /// Reaps the exited process, publishes how it ended, and kills what it left behind.
    async fn reap(mut self) {
        // Its last messages may have arrived together with its exit.
        while self.lifeline.is_some() {
            let next = next_message(&mut self.lifeline);
            let message = timeout(LAST_MESSAGE_TIMEOUT, next).await.ok().flatten();
            self.handle_message(message);
        }
        let Supervision {
            backend,
            pid,
            name,
            directory,
            events,
            phase,
            started,
            ending,
            report,
            wrapper,
            unreachable,
            ..
        } = self;
        let (exit, leftovers) = backend.reap().await;
        let status = match wrapper {
            // This is how the wrapper was killed, and says nothing about the daemon.
            Wrapper::Killed if exit.status.signal() == Some(Signal::KILL.as_raw()) => {
                Status::Unreported
            }
            _ => exit.status,
        };
        // Before the end is published, because the caller may exit as soon as it knows.
        if let Some(Err(error)) = directory.map(Directory::remove) {
            let name = name.clone();
            events.emit(Level::WARN, move || {
                warn!(target: TARGET, pid, name, %error, "failed to remove its directory");
            });
        }
        // A daemon ends its own descendants between its last message and its exit.
        let ended_in_order =
            report.abandoned.is_some() && status.known().is_some_and(|status| status.success());
        let end = End {
            pid,
            status,
            was_unreachable: unreachable == Unreachable::Killed,
            stderr: exit.stderr,
            uptime: started.elapsed(),
            ending,
            report,
        };
        phase.send_replace(LifePhase::Exited(end.outcome()));

        let leftovers = leftovers.filter(|leftovers| !ended_in_order || leftovers.has_adopted());
        if let Some(leftovers) = leftovers {
            // On a thread of its own, because it reads much of `/proc`. If there is none,
            // others wait for some milliseconds. A panic has no reader: the daemon itself
            // is gone.
            let _ = aside_or_here(move || leftovers.end(!ended_in_order)).await;
        }
        let outcome = end.outcome();
        let status = status.to_string();
        match &outcome {
            ExitOutcome::ShutDown(_) => events.emit(Level::INFO, move || {
                info!(target: TARGET, pid, name, status, "gone");
            }),
            ExitOutcome::Died(_) => events.emit(Level::WARN, move || {
                warn!(target: TARGET, pid, name, status, "exited unexpectedly");
            }),
        }
        // Whoever waits for the end finds it in its logs.
        events.flushed().await;
        phase.send_replace(LifePhase::CleanedUp(outcome));
    }
}

fn warn_of_kill(pid: u32, name: &str) {
    warn!(target: TARGET, pid, name, "did not end within its grace; killing it");
}

/// Waits for the daemon's next message; without a lifeline, for ever.
async fn next_message(lifeline: &mut Option<Lifeline>) -> Option<DaemonMessage> {
    match lifeline {
        Some(lifeline) => lifeline.next_message().await,
        None => std::future::pending().await,
    }
}
