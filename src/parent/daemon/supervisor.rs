//! The handle on the task that owns a daemon's process.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

#[cfg(feature = "python")]
use crate::common::error::Error;
#[cfg(feature = "python")]
use crate::common::handshake::ParentMessage;
use crate::common::process::EventSink;
use crate::common::transport::Directory;
use crate::parent::daemon::backend::Backend;
use crate::parent::daemon::doors::Doors;
use crate::parent::daemon::exit_outcome::ExitOutcome;
#[cfg(feature = "python")]
use crate::parent::daemon::interpreter_deaths::InterpreterDeaths;
use crate::parent::daemon::lifeline::Lifeline;
use crate::parent::daemon::supervision::{LifePhase, Supervision, SupervisorCommand};

/// A handle on the task that owns the process.
#[derive(Clone, Debug)]
pub(super) struct Supervisor {
    pid: u32,
    /// Unbounded, because a daemon's life has only a few commands, and so has that of
    /// each interpreter; some are sent from a drop, which may not wait.
    commands: mpsc::UnboundedSender<SupervisorCommand>,
    phase: watch::Receiver<LifePhase>,
    #[cfg(feature = "python")]
    deaths: InterpreterDeaths,
}

impl Supervisor {
    /// Takes over a backend that was started. Must be called on the keeper.
    pub(super) fn start(
        backend: Backend,
        name: String,
        directory: Option<Directory>,
        grace: Duration,
        events: EventSink,
    ) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (sender, phase) = watch::channel(LifePhase::Running);
        let pid = backend.pid();
        let supervision = Supervision::new(backend, name, directory, grace, events, inbox, sender);
        #[cfg(feature = "python")]
        let deaths = supervision.deaths();
        tokio::spawn(supervision.run());
        Supervisor {
            pid,
            commands,
            phase,
            #[cfg(feature = "python")]
            deaths,
        }
    }

    /// Hands over the lifeline after the handshake, the daemon's own pid, and the doors
    /// to its interpreters.
    pub(super) fn handshake_done(&self, lifeline: Lifeline, pid: u32, doors: Option<Doors>) {
        self.send(SupervisorCommand::HandshakeDone(lifeline, pid, doors));
    }

    /// Tells the daemon something on the lifeline, from anywhere and without waiting.
    #[cfg(feature = "python")]
    pub(super) fn tell(&self, message: ParentMessage) {
        self.send(SupervisorCommand::Tell(message));
    }

    /// Asks the daemon to end within `grace`, counted from `since`, which is real time: a
    /// caller's runtime may have a paused clock.
    pub(super) fn end(&self, grace: Duration, since: Instant) {
        self.send(SupervisorCommand::End { grace, since });
    }

    /// Kills the process, because it is not a daemon, or not yet.
    pub(super) fn kill(&self) {
        self.send(SupervisorCommand::Kill);
    }

    /// Waits until the daemon begins to end, or has exited.
    pub(super) async fn ending(&self) {
        let mut phases = self.phase.clone();
        // It fails only if the process has ended.
        let _ = phases.wait_for(|phase| !matches!(phase, LifePhase::Running)).await;
    }

    /// Waits until an interpreter of the daemon has died, and returns the error that says
    /// how.
    #[cfg(feature = "python")]
    pub(super) async fn interpreter_died(&self, interpreter: u64) -> Error {
        self.deaths.of(interpreter).await
    }

    /// Waits until the process has exited.
    pub(super) async fn exited(&self) -> ExitOutcome {
        self.wait_for(|phase| match phase {
            LifePhase::Exited(outcome) | LifePhase::CleanedUp(outcome) => Some(outcome.clone()),
            LifePhase::Running | LifePhase::Ending => None,
        })
        .await
    }

    /// Waits until nothing is left of the daemon, its descendants included.
    pub(super) async fn cleaned_up(&self) -> ExitOutcome {
        self.wait_for(|phase| match phase {
            LifePhase::CleanedUp(outcome) => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    async fn wait_for(&self, outcome: impl Fn(&LifePhase) -> Option<ExitOutcome>) -> ExitOutcome {
        let mut phases = self.phase.clone();
        let reached = phases.wait_for(|phase| outcome(phase).is_some()).await;
        let reached = reached.ok().and_then(|phase| outcome(&phase));
        reached.unwrap_or_else(|| ExitOutcome::unknown(self.pid))
    }

    fn send(&self, command: SupervisorCommand) {
        // This fails only after the task, and with it the process, has ended.
        let _ = self.commands.send(command);
    }
}
