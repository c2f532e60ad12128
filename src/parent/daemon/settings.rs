//! The settings of a new daemon.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::task::JoinHandle;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::{EventSink, Program, connection_runtime, keeper};
use crate::common::transport::Token;
use crate::common::value::MAX_DEPTH;
use crate::parent::client::Limits;
use crate::parent::daemon::Daemon;
use crate::parent::daemon::backend::StartInProcess;
use crate::parent::daemon::blocked_runtime::is_blocked;
use crate::parent::daemon::launch::{LaunchPlan, LaunchSettings, launch};

/// The settings of a new daemon; see the methods of [`Spawn`](crate::Spawn).
pub(super) struct Settings {
    pub(super) executable: Option<PathBuf>,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) env_clear: bool,
    pub(super) current_dir: Option<PathBuf>,
    pub(super) localhost: bool,
    pub(super) own_runtime: bool,
    pub(super) in_process: Option<StartInProcess>,
    pub(super) grace: Duration,
    pub(super) workers: usize,
    pub(super) over_grpc: bool,
    pub(super) start_timeout: Duration,
    pub(super) limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            executable: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            env_clear: false,
            current_dir: None,
            localhost: false,
            own_runtime: false,
            in_process: None,
            grace: Duration::from_secs(2),
            workers: 1,
            over_grpc: std::env::var_os("OAD_OVER_GRPC").is_some(),
            start_timeout: Duration::from_secs(10),
            limits: Limits { message: 256 * 1024 * 1024, depth: MAX_DEPTH },
        }
    }
}

impl Settings {
    /// Starts the daemon. Dropping the future ends what it has started.
    pub(super) async fn start(self, name: String) -> Result<Daemon> {
        let Settings { grace, start_timeout, limits, workers, over_grpc, own_runtime, .. } = self;
        let plan = self.into_plan()?;
        let settings =
            LaunchSettings { plan, name, limits, grace, start_timeout, workers, over_grpc };
        let keeper = keeper()?;
        let runtime = match Runtime::try_current() {
            Ok(runtime) if !own_runtime => runtime,
            _ => connection_runtime()?,
        };
        if is_blocked(&runtime, keeper).await {
            let message = "a sync wait (`block_on`) blocks the thread of the async runtime that \
                           would carry the connection to the daemon";
            return Err(Error::new(ErrorKind::WouldDeadlock, message)
                .advise("`.await` it, or start it with `.on_own_runtime()`"));
        }
        let launching = launch(settings, runtime, EventSink::current());
        let mut launching = AbortOnDrop(keeper.spawn(launching));
        (&mut launching.0).await.unwrap_or_else(|panicked| {
            let message = format!("oad failed to start the daemon: {panicked}");
            Err(Error::new(ErrorKind::Spawn, message).advise("please report this as a bug in oad"))
        })
    }

    fn into_plan(self) -> Result<LaunchPlan> {
        if let Some(start) = self.in_process {
            return Ok(LaunchPlan::InProcess(start));
        }
        let mut program = Program::choose(self.executable)?;
        program.arguments.extend(self.arguments);
        program.environment = self.environment;
        program.env_clear = self.env_clear;
        program.current_dir = self.current_dir;
        if !self.localhost {
            return Ok(LaunchPlan::Unix(program));
        }
        let token = Token::generate().map_err(|error| {
            let message = format!("failed to get random bytes for the daemon's token: {error}");
            Error::new(ErrorKind::Spawn, message).because(error)
        })?;
        Ok(LaunchPlan::Localhost(program, token))
    }
}

/// Aborts a task when the future that waits for it is dropped.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
