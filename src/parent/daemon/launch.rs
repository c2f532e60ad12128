//! How a daemon starts: directory, process, handshake, connection.
//!
//! If one of these steps fails, everything that was started has been cleaned up before
//! the error is returned.

use std::io;
#[cfg(not(feature = "python"))]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::instrument::WithSubscriber as _;
use tracing::{Level, info};
use uuid::Uuid;

#[cfg(feature = "python")]
use crate::common::agent::kept_agents;
use crate::common::error::{Error, ErrorKind, Excerpt, Result, shortened};
use crate::common::handshake::{
    DaemonMessage, Hello, MalformedFrame, PROTOCOL_VERSION, Transport, frame_bytes, read_frame,
    write_frame,
};
use crate::common::process::{
    Child, EventSink, Program, find_in_namespace, keeper, own_pid_namespace,
};
use crate::common::transport::{Directory, Endpoint, IoStream, Token, connect, send_with};
use crate::parent::client::{Client, Limits};
use crate::parent::daemon::backend::{Backend, StartInProcess};
use crate::parent::daemon::doors::Doors;
use crate::parent::daemon::exit_outcome::ExitOutcome;
use crate::parent::daemon::lifeline::Lifeline;
use crate::parent::daemon::supervision::TARGET;
use crate::parent::daemon::supervisor::Supervisor;
use crate::parent::daemon::{Daemon, DaemonShared};

/// How long after its sockets were closed a process that died may take to exit.
const EXIT_DELAY: Duration = Duration::from_millis(50);

/// How long reading the last responses of a daemon that was shut down may take, if the
/// runtime of its connection is busy.
const LAST_RESPONSES_TIMEOUT: Duration = Duration::from_millis(500);

/// The settings of a new daemon.
pub(super) struct LaunchSettings {
    pub(super) plan: LaunchPlan,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) grace: Duration,
    pub(super) start_timeout: Duration,
    pub(super) workers: usize,
    /// Whether the session is an RPC rather than a lane.
    pub(super) over_grpc: bool,
}

/// What becomes the daemon, and where it listens.
pub(super) enum LaunchPlan {
    /// A process that listens on a Unix socket.
    Unix(Program),
    /// A process that listens on a port of 127.0.0.1.
    Localhost(Program, Token),
    /// A server in this process.
    InProcess(StartInProcess),
}

/// What was started, before it is known to be a daemon.
struct LaunchedProcess {
    backend: Backend,
    lifeline: Lifeline,
    hello: Hello,
    /// The directory of its socket.
    directory: Option<Directory>,
    /// The connection to a server in this process.
    connection: Option<IoStream>,
    label: Label,
}

/// How errors name what was started.
struct Label {
    name: String,
    /// What to do if it does not become a daemon.
    advice: &'static str,
}

/// Starts a daemon. Runs on the keeper; only the connection lives on `runtime`.
pub(super) async fn launch(
    settings: LaunchSettings,
    runtime: Runtime,
    events: EventSink,
) -> Result<Daemon> {
    let LaunchSettings { plan, name, limits, grace, start_timeout, workers, over_grpc } = settings;
    let started = Instant::now();
    let id = Uuid::new_v4();
    let greet = |transport: Transport| Hello {
        protocol: PROTOCOL_VERSION,
        daemon: id,
        grace,
        message_limit: limits.message,
        depth_limit: limits.depth,
        workers,
        lane: !over_grpc && transport != Transport::InProcess,
        doors: cfg!(feature = "python") && !over_grpc && transport != Transport::InProcess,
        agents: Vec::new(),
        transport,
    };
    let LaunchedProcess { backend, lifeline, hello, directory, connection, label } =
        start(plan, id, greet, &events)?;
    let spawned_pid = backend.pid();
    events.emit(Level::INFO, {
        let (name, executable) = (name.clone(), label.name.clone());
        move || info!(target: TARGET, pid = spawned_pid, name, %executable, "started")
    });
    let supervisor = Supervisor::start(backend, name.clone(), directory, grace, events.clone());
    #[cfg(feature = "python")]
    let doors = hello.doors.then(|| {
        let supervisor = supervisor.clone();
        Doors::new(id, limits, runtime.clone(), move |message| supervisor.tell(message))
    });
    #[cfg(not(feature = "python"))]
    let doors: Option<Doors> = None;
    let kill_guard = KillUnlessReady(Some(&supervisor));

    let connected = async {
        let shaking = shake_hands(lifeline, doors.clone(), &hello, &supervisor, &label.name);
        let (pid, endpoint) = shaking.await?;
        let lane = hello.lane.then_some(pid);
        let opening = open_session(pid, &endpoint, connection, lane, &hello, &supervisor);
        let opening = runtime.spawn(opening.with_subscriber(events.subscriber()));
        match opening.await.unwrap_or_else(|_| Err(runtime_ended())) {
            Ok(client) => Ok((pid, endpoint, client)),
            // A process that has just died is the better explanation, and its exit comes
            // a moment after its sockets were closed.
            Err(error) => Err(match timeout(EXIT_DELAY, supervisor.exited()).await {
                Ok(outcome) => exited_early(&label, &outcome),
                Err(_) => error,
            }),
        }
    };
    let connected = tokio::select! {
        biased;
        connected = timeout_at(started + start_timeout, connected) => {
            connected.unwrap_or_else(|_| Err(not_ready(&label, start_timeout)))
        }
        outcome = supervisor.exited() => Err(exited_early(&label, &outcome)),
    };
    let (pid, endpoint, client) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            supervisor.kill();
            let death = match supervisor.cleaned_up().await {
                ExitOutcome::Died(death) => death,
                ExitOutcome::ShutDown(report) => Arc::new(report.to_death(started.elapsed())),
            };
            return Err(error.with_death(death).on(format!("daemon {spawned_pid} ({name})")));
        }
    };
    kill_guard.disarm();
    keeper()?.spawn(fail_calls_after_exit(client.clone(), doors.clone(), supervisor.clone()));
    let owner = std::process::id();
    let transport = hello.transport;
    Ok(Daemon(Arc::new(DaemonShared {
        id,
        pid,
        name,
        endpoint,
        transport,
        client,
        doors,
        supervisor,
        grace,
        owner,
    })))
}

/// Starts what the plan says. Dropping the result ends it again.
fn start(
    plan: LaunchPlan,
    daemon: Uuid,
    greet: impl Fn(Transport) -> Hello,
    events: &EventSink,
) -> Result<LaunchedProcess> {
    let (program, directory, transport) = match plan {
        LaunchPlan::Unix(program) => {
            let directory = Directory::create(daemon)?;
            let transport = Transport::Unix { directory: directory.path().to_owned() };
            (program, Some(directory), transport)
        }
        LaunchPlan::Localhost(program, token) => (program, None, Transport::Localhost { token }),
        LaunchPlan::InProcess(start) => {
            return start_in_process(start, greet(Transport::InProcess));
        }
    };
    #[cfg(feature = "python")]
    let agents = kept_agents();
    #[cfg(not(feature = "python"))]
    let agents: [(String, OwnedFd); 0] = [];
    let hello = Hello {
        agents: agents.iter().map(|(build, _)| build.clone()).collect(),
        ..greet(transport)
    };
    let unprepared = |error: io::Error| {
        let message = format!("failed to prepare the socket for the handshake: {error}");
        Error::new(ErrorKind::Spawn, message).because(error)
    };
    let first = frame_bytes(&hello).map_err(unprepared)?;
    let descriptors: Vec<BorrowedFd<'_>> = agents.iter().map(|(_, agent)| agent.as_fd()).collect();
    // A few kilobytes, into an empty socket: they are taken at once, and whole.
    let (child, lifeline) = Child::start(
        &program,
        hello.daemon,
        |socket| send_with(socket, &first, &descriptors).map(drop),
        events,
    )?;
    let lifeline = lifeline
        .set_nonblocking(true)
        .and_then(|()| tokio::net::UnixStream::from_std(lifeline))
        .map_err(unprepared)?;
    Ok(LaunchedProcess {
        backend: Backend::Process(child),
        lifeline: Lifeline::of_process(lifeline),
        hello,
        directory,
        connection: None,
        label: Label {
            name: program.shown.display().to_string(),
            advice: "check that its `main` calls `oad::init()` first",
        },
    })
}

fn start_in_process(start: StartInProcess, hello: Hello) -> Result<LaunchedProcess> {
    let (server, lifeline, connection) = start(hello.workers).map_err(|error| {
        let message = format!("failed to start an async runtime for the daemon: {error}");
        Error::new(ErrorKind::Spawn, message).because(error)
    })?;
    Ok(LaunchedProcess {
        backend: Backend::InProcess(server),
        lifeline: Lifeline::in_process(lifeline),
        hello,
        directory: None,
        connection: Some(connection),
        label: Label { name: "in-process".to_owned(), advice: "check what was printed to stderr" },
    })
}

/// Waits for the answer to the hello, and hands the lifeline to the supervisor.
async fn shake_hands(
    mut lifeline: Lifeline,
    doors: Option<Doors>,
    hello: &Hello,
    supervisor: &Supervisor,
    program: &str,
) -> Result<(u32, Endpoint)> {
    let failed = |message: String| Error::new(ErrorKind::Handshake, message);
    let exchange = async {
        // A process finds its hello at its start.
        if hello.transport == Transport::InProcess {
            write_frame(&mut lifeline.writer, hello).await?;
        }
        read_frame(&mut lifeline.reader).await
    };
    let answer = match exchange.await {
        Ok(answer) => answer,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let message =
                format!("`{program}` wrote something other than oad's handshake: {error}");
            let frame = error.downcast::<MalformedFrame>().ok();
            return Err(failed(message).quoting(frame.map(|frame| frame.line)));
        }
        // It has closed its end.
        Err(_) => None,
    };
    match answer {
        Some(DaemonMessage::Ready { protocol: PROTOCOL_VERSION, pid, pid_namespace, endpoint }) => {
            let found = pid_here(hello.daemon, pid, pid_namespace);
            let pid = found.ok_or_else(|| unknown_process(program, pid))?;
            supervisor.handshake_done(lifeline, pid, doors);
            Ok((pid, endpoint))
        }
        Some(DaemonMessage::Ready { protocol, .. } | DaemonMessage::OtherVersion { protocol }) => {
            let message = format!(
                "`{program}` uses version {protocol} of oad's protocol, but this program uses \
                 version {PROTOCOL_VERSION}"
            );
            Err(Error::new(ErrorKind::Version, message)
                .advise("build both with the same version of oad"))
        }
        Some(DaemonMessage::Failed { message }) => {
            let cut = shortened(&message, Excerpt::LIMIT);
            let error =
                Error::new(ErrorKind::Spawn, format!("`{program}` cannot be a daemon: {cut}"));
            Err(error.quoting(Some(message)))
        }
        Some(DaemonMessage::Terminating { .. } | DaemonMessage::Leaving { .. }) => {
            Err(failed(format!("`{program}` ended before it was ready")))
        }
        Some(
            DaemonMessage::AgentCompiled { .. }
            | DaemonMessage::Door { .. }
            | DaemonMessage::NoDoor { .. }
            | DaemonMessage::InterpreterStarted { .. }
            | DaemonMessage::InterpreterEnded { .. },
        ) => Err(failed(format!("`{program}` had an interpreter before it was ready"))),
        // The exit that follows is the better explanation. The start timeout bounds the
        // wait for it.
        None => std::future::pending().await,
    }
}

/// The pid in this process's PID namespace of a daemon that has `pid` in its own.
fn pid_here(daemon: Uuid, pid: u32, its_namespace: Option<u64>) -> Option<u32> {
    match (its_namespace, own_pid_namespace()) {
        (Some(its), Some(own)) if its != own => find_in_namespace(daemon, pid, its),
        _ => Some(pid),
    }
}

fn unknown_process(program: &str, pid: u32) -> Error {
    let message = format!(
        "`{program}` serves as process {pid} of another PID namespace, and was not found in this \
         one"
    );
    Error::new(ErrorKind::Handshake, message)
        .advise("start it in the PID namespace of this program, or in one below it")
}

/// Connects to the daemon and opens the session. The future is for the runtime that is to
/// carry the connection.
fn open_session(
    pid: u32,
    endpoint: &Endpoint,
    connection: Option<IoStream>,
    lane: Option<u32>,
    hello: &Hello,
    supervisor: &Supervisor,
) -> impl Future<Output = Result<Client>> + Send + use<> {
    let limits = Limits { message: hello.message_limit, depth: hello.depth_limit };
    let (grace, supervisor) = (hello.grace, supervisor.clone());
    let end_daemon = move || supervisor.end(grace, std::time::Instant::now());
    let lane = lane.map(|pid| {
        let address = endpoint.clone();
        async move { connect(&address, pid).await }
    });
    let address = endpoint.clone();
    let stream = async move {
        match connection {
            Some(connection) => Ok(connection),
            None => connect(&address, pid).await,
        }
    };
    let (token, keeper) = (hello.transport.token().cloned(), Runtime::current());
    Client::connect(stream, lane, endpoint.clone(), token, limits, keeper, end_daemon)
}

fn runtime_ended() -> Error {
    let message = "the async runtime that started the daemon ended, or has no I/O driver";
    Error::new(ErrorKind::RuntimeEnded, message)
        .advise("keep the runtime alive, and build it with `enable_all()`")
}

/// Waits until the daemon has exited, and then fails every call with the reason.
async fn fail_calls_after_exit(client: Client, doors: Option<Doors>, supervisor: Supervisor) {
    supervisor.ending().await;
    client.note_ending();
    let outcome = supervisor.exited().await;
    // A daemon that was shut down has answered its last calls, which is worth a wait. A
    // death is reported soon.
    let patience = match outcome {
        ExitOutcome::ShutDown(_) => LAST_RESPONSES_TIMEOUT,
        ExitOutcome::Died(_) => EXIT_DELAY,
    };
    let error = outcome.into_error();
    client.refuse(&error);
    if let Some(doors) = &doors {
        doors.refuse(&error);
    }
    // Responses that were sent before the exit are read first.
    let _ = timeout(patience, client.drained()).await;
    client.fail(&error);
    if let Some(doors) = &doors {
        doors.fail(&error).await;
    }
}

fn exited_early(label: &Label, outcome: &ExitOutcome) -> Error {
    let Label { name, advice } = label;
    match outcome {
        ExitOutcome::Died(death) => {
            let last_words = match death.stderr.lines().next_back() {
                Some(line) => format!(", its stderr ended with {}", Excerpt(line)),
                None => String::new(),
            };
            let status = death.status;
            let message = format!("`{name}` ended before it was ready: {status}{last_words}");
            Error::new(ErrorKind::Spawn, message).with_death(death.clone()).advise(*advice)
        }
        ExitOutcome::ShutDown(_) => {
            Error::new(ErrorKind::Spawn, format!("`{name}` was ended before it was ready"))
        }
    }
}

fn not_ready(label: &Label, start_timeout: Duration) -> Error {
    let message = format!("`{}` was not ready within {start_timeout:?}", label.name);
    Error::new(ErrorKind::Handshake, message).advise(label.advice)
}

/// Kills the process if it is dropped, with the launching future, before the daemon is
/// ready.
struct KillUnlessReady<'a>(Option<&'a Supervisor>);

impl KillUnlessReady<'_> {
    fn disarm(mut self) {
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
