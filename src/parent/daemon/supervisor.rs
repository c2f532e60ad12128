//! The whole story of the ending, on the parent's side.
//!
//! A task of the keeper's owns the process from its start. It sees the process exit,
//! hears from it that it is ending, or is told to end it; it asks, waits for the grace,
//! kills, reaps, ends what was left behind, removes the directory, and says each of these
//! things.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{BufReader, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::instrument::WithSubscriber as _;
use tracing::{info, warn};

use crate::common::error::{DeadProcess, Death, Error, ErrorKind, Status};
use crate::common::handshake::{DaemonMessage, ParentMessage, read_frame, write_frame};
use crate::common::transport::{Directory, IoStream};
use crate::parent::daemon::ShutdownReport;
use crate::parent::daemon::TARGET;
use crate::parent::daemon::backend::Backend;

/// How long after its grace a daemon is killed. Its own watchdog is a little quicker, and
/// tidies up.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long the lifeline of a process that has exited is read for its last word. It
/// closes with the process.
const LAST_WORD: Duration = Duration::from_millis(50);

/// How long a wrapper whose daemon has exited may take to exit as well, which tells how
/// the daemon did. After an end in order nobody is in a hurry to hear, and the wrapper
/// may have something to tidy up.
const WRAPPER_AFTER_END: Duration = Duration::from_millis(200);
const WRAPPER_AFTER_DEATH: Duration = Duration::from_millis(50);

/// Where a daemon is in its life.
#[derive(Clone, Debug)]
pub(super) enum Life {
    /// It serves.
    Running,
    /// It has been asked to end, by whomever.
    Ending,
    /// Its process has exited, and was reaped.
    Exited(ExitOutcome),
    /// And nothing is left of it.
    Gone(ExitOutcome),
}

/// How a daemon's life ended.
#[derive(Clone, Debug)]
pub(super) enum ExitOutcome {
    /// It had been asked to.
    Ended(ShutdownReport),
    /// It had not.
    Died(Arc<Death>),
}

impl ExitOutcome {
    /// For the case that the task that would have told is gone, by a fault of oad's or of
    /// a subscriber to its events.
    fn unknown(pid: u32) -> Self {
        let death = Death {
            whose: DeadProcess::Daemon,
            pid,
            status: Status::Unkept,
            stderr: String::new(),
            uptime: Duration::ZERO,
        };
        ExitOutcome::Died(Arc::new(death))
    }
}

/// What the task is told. Unbounded, because each is sent a few times in a daemon's life,
/// and from a drop, which may not wait.
#[derive(Debug)]
enum SupervisorCommand {
    /// The handshake is done; this is the lifeline, and the daemon's own pid.
    Hold(Lifeline, u32),
    /// It is to end.
    End { grace: Duration, since: Instant },
    /// It is to be killed: it is not a daemon, or not yet.
    Kill,
}

/// The parent's end of the daemon's fd 0, or of what stands for it within this process.
#[derive(Debug)]
pub(super) struct Lifeline {
    pub(super) reader: BufReader<ReadHalf<IoStream>>,
    pub(super) writer: WriteHalf<IoStream>,
}

impl Lifeline {
    pub(super) fn new(stream: IoStream) -> Self {
        let (reader, writer) = split(stream);
        Lifeline { reader: BufReader::new(reader), writer }
    }
}

/// A handle on the task that owns the process.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    pid: u32,
    orders: mpsc::UnboundedSender<SupervisorCommand>,
    life: watch::Receiver<Life>,
}

impl Supervisor {
    /// Takes over what was started. Must be called on the keeper.
    pub(super) fn start(
        body: Backend,
        name: String,
        directory: Option<Directory>,
        grace: Duration,
    ) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (sender, life) = watch::channel(Life::Running);
        let pid = body.pid();
        let started = Instant::now();
        let watch = SupervisorState {
            body,
            pid,
            name,
            directory,
            inbox,
            life: sender,
            started,
            grace,
            lifeline: None,
            end: None,
            said: EndReport::default(),
            wrapper: Wrapper::Alive,
        };
        tokio::spawn(watch.supervise().with_current_subscriber());
        Supervisor { pid, orders, life }
    }

    pub(super) fn hold(&self, lifeline: Lifeline, pid: u32) {
        self.order(SupervisorCommand::Hold(lifeline, pid));
    }

    pub(super) fn end(&self, grace: Duration, since: Instant) {
        self.order(SupervisorCommand::End { grace, since });
    }

    pub(super) fn kill(&self) {
        self.order(SupervisorCommand::Kill);
    }

    /// Waits until the process has exited.
    pub(super) async fn exited(&self) -> ExitOutcome {
        self.reached(|life| match life {
            Life::Exited(outcome) | Life::Gone(outcome) => Some(outcome.clone()),
            Life::Running | Life::Ending => None,
        })
        .await
    }

    /// Waits until nothing is left.
    pub(super) async fn gone(&self) -> ExitOutcome {
        self.reached(|life| match life {
            Life::Gone(outcome) => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    async fn reached(&self, test: impl Fn(&Life) -> Option<ExitOutcome>) -> ExitOutcome {
        let mut life = self.life.clone();
        let reached = life.wait_for(|life| test(life).is_some()).await;
        reached.ok().and_then(|life| test(&life)).unwrap_or_else(|| ExitOutcome::unknown(self.pid))
    }

    fn order(&self, order: SupervisorCommand) {
        // The task is gone only when the process is.
        let _ = self.orders.send(order);
    }
}

/// The task's own state.
struct SupervisorState {
    body: Backend,
    pid: u32,
    name: String,
    directory: Option<Directory>,
    inbox: mpsc::UnboundedReceiver<SupervisorCommand>,
    life: watch::Sender<Life>,
    started: Instant,
    grace: Duration,
    lifeline: Option<Lifeline>,
    end: Option<EndInProgress>,
    said: EndReport,
    wrapper: Wrapper,
}

/// Where a wrapper is that had started the daemon. Without one, what was started is the
/// daemon.
#[derive(Clone, Copy)]
enum Wrapper {
    /// As is its daemon.
    Alive,
    /// Its daemon has exited, then.
    Outlives(Instant),
    /// It had its time, and was killed.
    Killed,
}

/// What the daemon has said of its end.
#[derive(Default)]
struct EndReport {
    /// How many calls ran or waited when it began.
    calls: Option<u64>,
    /// How many of them it has cut off: its last word.
    abandoned: Option<u64>,
    /// Whether its objects were all dropped.
    dropped: bool,
}

/// An ending under way.
struct EndInProgress {
    since: Instant,
    /// When the process is killed; `None` when it has been.
    deadline: Option<Instant>,
}

impl SupervisorState {
    async fn supervise(mut self) {
        loop {
            let (deadline, wrapper_deadline) = match self.wrapper {
                Wrapper::Alive => (self.end.as_ref().and_then(|end| end.deadline), None),
                Wrapper::Outlives(since) if self.said.abandoned.is_some() => {
                    (None, Some(since + WRAPPER_AFTER_END))
                }
                Wrapper::Outlives(since) => (None, Some(since + WRAPPER_AFTER_DEATH)),
                Wrapper::Killed => (None, None),
            };
            tokio::select! {
                biased;
                () = self.body.exited() => break,
                () = self.body.daemon_exited(), if matches!(self.wrapper, Wrapper::Alive) => {
                    self.wrapper = Wrapper::Outlives(Instant::now());
                }
                // The last handle sends an end before it goes, so there is nothing to
                // hear after it.
                Some(order) = self.inbox.recv() => self.obey(order).await,
                said = hear(&mut self.lifeline) => self.heed(said),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    let SupervisorState { pid, name, .. } = &self;
                    warn!(target: TARGET, pid, name, "not gone within its grace, so it is killed");
                    self.kill();
                }
                () = sleep_until(wrapper_deadline.unwrap_or_else(Instant::now)), if wrapper_deadline.is_some() => {
                    self.wrapper = Wrapper::Killed;
                    self.body.kill();
                }
            }
        }
        self.bury().await;
    }

    async fn obey(&mut self, order: SupervisorCommand) {
        match order {
            SupervisorCommand::Hold(lifeline, pid) => {
                self.lifeline = Some(lifeline);
                if self.body.watch_daemon(pid) {
                    let wrapper = std::mem::replace(&mut self.pid, pid);
                    info!(target: TARGET, pid, wrapper, name = self.name, "started by a wrapper");
                }
            }
            SupervisorCommand::End { grace, since } => {
                let is_new = self.begin_end(grace, since);
                if is_new && let Some(Lifeline { writer, .. }) = &mut self.lifeline {
                    // A few bytes, and only once, into an empty socket: this does not
                    // wait. If it fails the process is about to exit.
                    let _ = write_frame(writer, &ParentMessage::End { grace }).await;
                }
            }
            SupervisorCommand::Kill => {
                self.begin_end(Duration::ZERO, Instant::now());
                self.kill();
            }
        }
    }

    /// Takes note that an ending has been asked for. The nearest time counts; gives
    /// whether nothing was known of it.
    fn begin_end(&mut self, grace: Duration, since: Instant) -> bool {
        let deadline = since + grace.min(self.grace) + PATIENCE;
        if let Some(end) = &mut self.end {
            end.deadline = end.deadline.map(|known| known.min(deadline));
            return false;
        }
        let SupervisorState { pid, name, .. } = &self;
        info!(target: TARGET, pid, name, "asked to exit");
        self.end = Some(EndInProgress { since, deadline: Some(deadline) });
        self.life.send_replace(Life::Ending);
        true
    }

    /// Takes note of what the daemon says.
    fn heed(&mut self, said: Option<DaemonMessage>) {
        match said {
            Some(DaemonMessage::Terminating { grace, calls }) => {
                // It may have been asked by somebody else, with a shutdown of their own.
                self.begin_end(grace, Instant::now());
                self.said.calls = Some(calls);
                let SupervisorState { pid, name, .. } = &self;
                info!(target: TARGET, pid, name, "terminating");
            }
            Some(DaemonMessage::Leaving { abandoned, dropped }) => {
                self.said.abandoned = Some(abandoned);
                self.said.dropped = dropped;
            }
            Some(_) => {}
            None => self.lifeline = None,
        }
    }

    fn kill(&mut self) {
        self.body.kill();
        let end = self.end.get_or_insert(EndInProgress { since: Instant::now(), deadline: None });
        end.deadline = None;
    }

    /// The process has exited: reaps it, tells how it ended, and ends what it left
    /// behind.
    async fn bury(mut self) {
        // Its last words may have come with its exit.
        while self.lifeline.is_some() {
            let said = timeout(LAST_WORD, hear(&mut self.lifeline)).await;
            self.heed(said.ok().flatten());
        }
        let SupervisorState {
            body, pid, name, directory, life, started, end, said, wrapper, ..
        } = self;
        let (exit, leftovers) = body.reap().await;
        let status = match wrapper {
            // That is how the wrapper was ended, and says nothing of the daemon.
            Wrapper::Killed if exit.status.signal() == Some(Signal::KILL.as_raw()) => {
                Status::Untold
            }
            _ => exit.status,
        };
        // Before anybody hears of the end: who hears of it may end the program at once.
        if let Some(Err(error)) = directory.map(Directory::remove) {
            warn!(target: TARGET, pid, name, %error, "its directory could not be removed");
        }
        let (uptime, stderr) = (started.elapsed(), exit.stderr);
        let killed_by_us = end.as_ref().is_some_and(|end| end.deadline.is_none());
        let killed = killed_by_us || status.signal().is_some();
        // One that was asked but died of something else, before it had heard, has died.
        let end = end.filter(|_| killed_by_us || said.calls.is_some());
        let ended = |end: &EndInProgress| ShutdownReport {
            pid,
            status,
            killed,
            calls: said.calls,
            abandoned: said.abandoned,
            dropped: said.dropped,
            duration: end.since.elapsed(),
            stderr: stderr.clone(),
        };
        let outcome = |ended: Option<ShutdownReport>| match ended {
            Some(ended) => ExitOutcome::Ended(ended),
            None => ExitOutcome::Died(Arc::new(Death {
                whose: DeadProcess::Daemon,
                pid,
                status,
                stderr: stderr.clone(),
                uptime,
            })),
        };
        life.send_replace(Life::Exited(outcome(end.as_ref().map(ended))));

        // One that ended in order has ended its descendants itself: that comes between
        // its last word and its exit.
        let in_order =
            said.abandoned.is_some() && status.known().is_some_and(|status| status.success());
        if let Some(leftovers) = leftovers.filter(|_| !in_order) {
            // It reads much of `/proc`. If it cannot be done there is nobody to tell.
            let _ = tokio::task::spawn_blocking(move || leftovers.kill()).await;
        }
        let words = status.to_string();
        match &end {
            Some(_) => info!(target: TARGET, pid, name, status = words, "gone"),
            None => {
                warn!(target: TARGET, pid, name, status = words, "gone, though nobody had asked it to")
            }
        }
        life.send_replace(Life::Gone(outcome(end.as_ref().map(ended))));
    }
}

/// Waits for the daemon's next word; without a lifeline, for ever.
async fn hear(lifeline: &mut Option<Lifeline>) -> Option<DaemonMessage> {
    match lifeline {
        // An unreadable word ends the listening, as a closed lifeline does. A frame is
        // one small write, which is there whole or not at all, so that nothing is lost
        // when this is dropped halfway.
        Some(lifeline) => read_frame(&mut lifeline.reader).await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// What a call gets whose daemon has gone.
pub(super) fn verdict(outcome: ExitOutcome) -> Error {
    match outcome {
        ExitOutcome::Ended(ended) => {
            Error::new(ErrorKind::Closed, format!("the daemon was shut down ({ended})"))
        }
        ExitOutcome::Died(death) => Error::from_death(death),
    }
}
