//! The start of a daemon: directory, process, handshake, connection. If one of them
//! fails, everything that was started is ended before the error is returned.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, instrument::WithSubscriber as _};
use uuid::Uuid;

use crate::common::error::{Error, ErrorKind, Excerpt, Result, shortened};
use crate::common::handshake::{
    DaemonMessage, Hello, MalformedFrame, PROTOCOL_VERSION, Transport, read_frame, write_frame,
};
use crate::common::process::{Child, Program, keeper};
use crate::common::transport::{Directory, Endpoint, IoStream, Token, connect};
use crate::parent::client::{Client, Limits};
use crate::parent::daemon::TARGET;
use crate::parent::daemon::backend::Backend;
use crate::parent::daemon::supervisor::{ExitOutcome, Lifeline, Supervisor, verdict};
use crate::parent::daemon::{Daemon, DaemonShared, StartInProcess};

/// The longest time between the two signs of a death: closed sockets, and the exit.
const AFTERMATH: Duration = Duration::from_millis(50);

/// How long it may take to read the last responses of a daemon that has ended, if the
/// runtime of its connection is busy.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// The settings of a new daemon.
pub(super) struct LaunchSettings {
    pub(super) plan: LaunchPlan,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) grace: Duration,
    pub(super) start_timeout: Duration,
    pub(super) workers: usize,
}

/// What becomes the daemon, and where it listens.
pub(super) enum LaunchPlan {
    /// A process that listens at a Unix socket.
    Unix(Program),
    /// A process that listens at a port of 127.0.0.1.
    Localhost(Program, Token),
    /// A server within this process.
    InProcess(StartInProcess),
}

/// A process that has been started and is not a daemon yet.
struct LaunchedProcess {
    body: Backend,
    lifeline: Lifeline,
    transport: Transport,
    /// Removed after its end.
    directory: Option<Directory>,
    /// The connection, if it exists already.
    connection: Option<IoStream>,
    /// Its name in messages.
    shown: String,
    /// What to do if it does not become a daemon.
    advice: &'static str,
}

/// Starts a daemon. Runs on the keeper, but for the connection, which lives on `runtime`.
pub(super) async fn launch(recipe: LaunchSettings, runtime: Runtime) -> Result<Daemon> {
    let LaunchSettings { plan, name, limits, grace, start_timeout, workers } = recipe;
    let started = Instant::now();
    let deadline = started + start_timeout;
    let id = Uuid::new_v4();
    let LaunchedProcess { body, mut lifeline, transport, directory, connection, shown, advice } =
        start(plan, id, workers)?;
    let hello = Hello {
        protocol: PROTOCOL_VERSION,
        daemon: id,
        transport,
        grace,
        message_limit: limits.message,
        depth_limit: limits.depth,
        workers,
    };
    let spawned_pid = body.pid();
    info!(target: TARGET, pid = spawned_pid, name, executable = %shown, "started");
    let supervisor = Supervisor::start(body, name.clone(), directory, grace);
    let unfinished = KillUnlessReady(Some(&supervisor));

    let connected = async {
        let (pid, endpoint) = shake_hands(&mut lifeline, &hello, &shown).await?;
        supervisor.hold(lifeline, pid);
        let ending = supervisor.clone();
        let keeper = Runtime::current();
        let lost = move || ending.end(grace, Instant::now());
        let token = hello.transport.token().cloned();
        let reached = endpoint.clone();
        let stream = async move {
            match connection {
                Some(connection) => Ok(connection),
                None => connect(&reached, pid).await,
            }
        };
        let connecting = Client::connect(stream, endpoint.clone(), token, limits, keeper, lost);
        let connecting = runtime.spawn(connecting.with_current_subscriber());
        let client = connecting.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::RuntimeEnded,
                "the async runtime ended, or has no I/O driver (`enable_all`)",
            ))
        });
        let client = match client {
            Ok(client) => client,
            Err(error) => {
                // If the process has just died, that is why, and its exit comes a moment
                // after its sockets closed.
                let died = timeout(AFTERMATH, supervisor.exited()).await;
                return Err(died.map_or(error, |outcome| exited_early(&shown, advice, &outcome)));
            }
        };
        Ok((pid, endpoint, client))
    };
    let connected = tokio::select! {
        biased;
        connected = timeout_at(deadline, connected) => connected.unwrap_or_else(|_| {
            let message = format!("`{shown}` did not respond within {start_timeout:?}");
            Err(Error::new(ErrorKind::Handshake, message).advise(advice))
        }),
        outcome = supervisor.exited() => Err(exited_early(&shown, advice, &outcome)),
    };
    let (pid, endpoint, client) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            supervisor.kill();
            let error = match supervisor.gone().await {
                ExitOutcome::Died(death) => error.with_death(death),
                ExitOutcome::Ended(ended) => {
                    error.with_death(Arc::new(ended.as_death(started.elapsed())))
                }
            };
            return Err(error.on(format!("daemon {spawned_pid} ({name})")));
        }
    };
    unfinished.finished();

    let (mourner, mourning) = (client.clone(), supervisor.clone());
    keeper()?.spawn(async move {
        let outcome = mourning.exited().await;
        // What a daemon had sent that ended in order is worth a wait; a death is told
        // soon.
        let patience =
            if matches!(outcome, ExitOutcome::Ended(_)) { LAST_ANSWERS } else { AFTERMATH };
        let verdict = verdict(outcome);
        mourner.refuse(&verdict);
        // Answers that it had sent before are read first.
        let _ = timeout(patience, mourner.read_out()).await;
        mourner.fail(&verdict);
    });
    let owner = std::process::id();
    let transport = hello.transport;
    Ok(Daemon(Arc::new(DaemonShared {
        id,
        pid,
        name,
        endpoint,
        transport,
        client,
        supervisor,
        grace,
        owner,
    })))
}

/// Starts what the plan says. Dropped, it ends again.
fn start(plan: LaunchPlan, id: Uuid, workers: usize) -> Result<LaunchedProcess> {
    let (program, directory, transport) = match plan {
        LaunchPlan::Unix(program) => {
            let directory = Directory::create(id)?;
            let transport = Transport::Unix { directory: directory.path().to_owned() };
            (program, Some(directory), transport)
        }
        LaunchPlan::Localhost(program, token) => (program, None, Transport::Localhost { token }),
        LaunchPlan::InProcess(start) => {
            let (server, lifeline, connection) = start(workers).map_err(|error| {
                Error::new(ErrorKind::Spawn, format!("failed to start its runtime: {error}"))
                    .because(error)
            })?;
            return Ok(LaunchedProcess {
                body: Backend::InProcess(server),
                lifeline: Lifeline::new(lifeline),
                transport: Transport::InProcess,
                directory: None,
                connection: Some(connection),
                shown: "in-process".to_owned(),
                advice: "see what was printed to stderr",
            });
        }
    };
    let (child, lifeline) = Child::start(&program, id)?;
    let lifeline = lifeline
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UnixStream::from_std(lifeline))
        .map_err(|error| {
            Error::new(ErrorKind::Spawn, format!("failed to register the lifeline: {error}"))
        })?;
    Ok(LaunchedProcess {
        body: Backend::Process(child),
        lifeline: Lifeline::new(IoStream::Unix(lifeline)),
        transport,
        directory,
        connection: None,
        shown: program.shown.display().to_string(),
        advice: "does it call `oad::init()` on the first line of `main`?",
    })
}

async fn shake_hands(
    lifeline: &mut Lifeline,
    hello: &Hello,
    shown: &str,
) -> Result<(u32, Endpoint)> {
    let failed = |message: String| Error::new(ErrorKind::Handshake, message);
    let response = async {
        // A process that cannot be a daemon says why, and does not read the hello.
        let written = write_frame(&mut lifeline.writer, hello).await;
        match read_frame(&mut lifeline.reader).await? {
            None => written.map(|()| None),
            response => Ok(response),
        }
    };
    let answer = match response.await {
        Ok(answer) => answer,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            let message = format!("`{shown}` wrote something other than oad's handshake: {error}");
            let frame = error.downcast::<MalformedFrame>().ok();
            return Err(failed(message).quoting(frame.map(|frame| frame.line)));
        }
        // It has closed its end.
        Err(_) => None,
    };
    match answer {
        Some(DaemonMessage::Ready { protocol: PROTOCOL_VERSION, pid, endpoint }) => {
            Ok((pid, endpoint))
        }
        Some(DaemonMessage::Ready { protocol, .. } | DaemonMessage::OtherVersion { protocol }) => {
            Err(Error::new(
                ErrorKind::Version,
                format!(
                    "`{shown}` has version {protocol} of oad's protocol, and this program \
                     version {PROTOCOL_VERSION}"
                ),
            )
            .advise("build both with the same version of oad"))
        }
        Some(DaemonMessage::Failed { message }) => {
            let cut = shortened(&message, Excerpt::LIMIT);
            let error =
                Error::new(ErrorKind::Spawn, format!("`{shown}` cannot be a daemon: {cut}"));
            Err(error.quoting(Some(message)))
        }
        Some(DaemonMessage::Terminating { .. } | DaemonMessage::Leaving { .. }) => {
            Err(failed(format!("`{shown}` ended before it was ready")))
        }
        // It exits, and its exit status says more. The start timeout bounds the wait for
        // it.
        None => std::future::pending().await,
    }
}

fn exited_early(shown: &str, advice: &str, outcome: &ExitOutcome) -> Error {
    match outcome {
        ExitOutcome::Died(death) => {
            let last_words = match death.stderr.lines().next_back() {
                Some(line) => format!(", its stderr ended with {}", Excerpt(line)),
                None => String::new(),
            };
            let status = death.status;
            let message = format!("`{shown}` ended before it was ready: {status}{last_words}");
            Error::new(ErrorKind::Spawn, message).with_death(death.clone()).advise(advice)
        }
        ExitOutcome::Ended(_) => {
            Error::new(ErrorKind::Spawn, format!("`{shown}` was ended before it was ready"))
        }
    }
}

/// A process that is not yet a daemon; dropped with the future, it is killed.
struct KillUnlessReady<'a>(Option<&'a Supervisor>);

impl KillUnlessReady<'_> {
    fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for KillUnlessReady<'_> {
    fn drop(&mut self) {
        if let Some(supervisor) = self.0 {
            supervisor.kill();
        }
    }
}
