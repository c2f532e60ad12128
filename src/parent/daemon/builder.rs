//! How a daemon is asked for.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle as Runtime;
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber as _;

use crate::common::definition::TypeDescription;
use crate::common::definition::{DAY, Definition, short_name};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::{Program, keeper};
use crate::common::transport::Token;
use crate::common::value::{Handle, MAX_DEPTH};
use crate::parent::client::Limits;
use crate::parent::client::{ArgumentsBuilder, CallParts};
use crate::parent::daemon::blocked_runtime::is_blocked;
use crate::parent::daemon::launch::{LaunchPlan, LaunchSettings, launch};
use crate::parent::daemon::{Daemon, StartInProcess};

/// Asks for an object in a daemon; `.await` makes it.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
/// # #[oad::object] impl Counter { fn new(start: i64) -> Self { Counter { total: start } } }
/// # async fn example() -> oad::Result<()> {
/// use std::time::Duration;
///
/// let counter = CounterProxy::new(1).grace(Duration::from_millis(500)).message_limit(1 << 20).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The future fails with [`ErrorKind::NotInitialized`] if this program cannot be started
/// again as a daemon, [`ErrorKind::Spawn`], [`ErrorKind::Handshake`] or
/// [`ErrorKind::Version`] if the process does not become a daemon, and
/// [`ErrorKind::RuntimeEnded`] if the runtime to hold the connection cannot. Making the
/// object then fails as a call does: with [`ErrorKind::Exception`] if the constructor
/// fails, [`ErrorKind::BadArguments`], [`ErrorKind::TooLarge`] or [`ErrorKind::TooDeep`]
/// for its arguments, [`ErrorKind::Timeout`] if it takes too long, [`ErrorKind::Died`]
/// if it takes the process with it. In every case nothing is left of a process that was
/// started for it when the error is returned.
///
/// # Cancel safety
///
/// A future that is dropped ends what it has begun.
#[must_use = "a daemon is made when this is awaited"]
pub struct Spawn<P> {
    definition: Definition,
    arguments: ArgumentsBuilder,
    place: Location,
    create_timeout: Option<Duration>,
    /// The first setting of a daemon that was chosen.
    set: Option<&'static str>,
    /// For a method of the proxy that is called on the builder: the compiler looks for it
    /// in the fields too, unless they are hidden, and suggests
    /// `builder.r#await.method()`.
    #[cfg_attr(doc, doc(hidden))]
    pub r#await: NotAwaited<P>,
}

/// The proxy that the builder does not have yet; code that uses it does not compile.
#[derive(Debug)]
pub struct NotAwaited<P>(PhantomData<fn() -> P>);

impl<P> Deref for NotAwaited<P> {
    type Target = P;

    fn deref(&self) -> &P {
        const { panic!("write `.await` instead of `.r#await`") }
    }
}

/// Where the object is to live.
enum Location {
    /// In a daemon of its own.
    Own(Box<Settings>),
    /// In one that is there.
    Within(Daemon),
}

struct Settings {
    executable: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    env_clear: bool,
    current_dir: Option<PathBuf>,
    localhost: bool,
    own_runtime: bool,
    in_process: Option<StartInProcess>,
    grace: Duration,
    workers: Option<usize>,
    start_timeout: Duration,
    limits: Limits,
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
            workers: None,
            start_timeout: Duration::from_secs(10),
            limits: Limits { message: 256 * 1024 * 1024, depth: MAX_DEPTH },
        }
    }
}

impl Settings {
    /// What is to be started, and where it is to listen.
    fn plan(self) -> Result<LaunchPlan> {
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
            Error::new(
                ErrorKind::Spawn,
                format!("the system gives no randomness for a token: {error}"),
            )
            .because(error)
        })?;
        Ok(LaunchPlan::Localhost(program, token))
    }
}

/// How many threads run async code, if nobody says. A second one is there for when code
/// blocks the first, and makes calls a little slower.
const WORKERS: usize = 2;

/// What comes of it before it is a proxy: the daemon and the object's handle.
pub(crate) type Spawned = (Daemon, Handle);

impl<P> Spawn<P> {
    /// An object made in the daemon, by a constructor.
    #[doc(hidden)]
    pub fn constructed(
        description: &'static TypeDescription,
        constructor: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Self {
        Spawn::from_definition(Definition::constructed(description.name, constructor), arguments)
    }

    /// An object made here and sent there.
    #[doc(hidden)]
    pub fn by_value<T: Serialize>(description: &'static TypeDescription, object: &T) -> Self {
        Spawn::from_definition(
            Definition::by_value(description.name),
            ArgumentsBuilder::new().with(object),
        )
    }

    /// An object of a type that implements an interface, made by the constructor at
    /// `path`: its type and its name, such as `MemoryStore::new`.
    #[doc(hidden)]
    pub fn implementing(interface: &'static str, path: &str, arguments: impl Serialize) -> Self {
        match path.rsplit_once("::") {
            Some((type_name, constructor)) if !type_name.is_empty() && !constructor.is_empty() => {
                let definition =
                    Definition::constructed(type_name, constructor).implementing(interface);
                Spawn::from_definition(definition, ArgumentsBuilder::items_of(&arguments))
            }
            _ => {
                let message = format!("`{}` names no constructor", path.escape_debug());
                let error = Error::new(ErrorKind::BadArguments, message)
                    .advise("write its type and its name, such as `MemoryStore::new`");
                let definition =
                    Definition::constructed(short_name(interface), "").implementing(interface);
                Spawn::from_definition(definition, ArgumentsBuilder::refused(error))
            }
        }
    }

    /// The same for another object.
    pub(crate) fn defined_as(self, definition: Definition, arguments: ArgumentsBuilder) -> Self {
        Spawn { definition, arguments, ..self }
    }

    pub(crate) fn from_definition(definition: Definition, arguments: ArgumentsBuilder) -> Self {
        let place = Location::Own(Box::default());
        Spawn {
            definition,
            arguments,
            place,
            create_timeout: None,
            set: None,
            r#await: NotAwaited(PhantomData),
        }
    }

    /// Makes the object in a daemon that is there already, beside what lives in it. How a
    /// daemon is started and what it allows cannot be chosen then: but for
    /// [`create_timeout`](Spawn::create_timeout), any setting beside this one is
    /// refused with [`ErrorKind::BadArguments`].
    pub fn within(mut self, daemon: &Daemon) -> Self {
        self.place = Location::Within(daemon.clone());
        self
    }

    /// The program that becomes the daemon; the default is this program itself. It must
    /// call `oad::init()` and have the object's type.
    ///
    /// It may be a wrapper that starts that program in its turn, with its own stdin, and
    /// ends when that does; one that does not is killed a moment after the daemon has
    /// gone, and how the daemon ended is then not known.
    pub fn executable(self, path: impl Into<PathBuf>) -> Self {
        self.set("executable", |settings| settings.executable = Some(path.into()))
    }

    /// One more argument for the [`executable`](Spawn::executable).
    pub fn arg(self, argument: impl Into<OsString>) -> Self {
        self.set("arg", |settings| settings.arguments.push(argument.into()))
    }

    /// One more environment variable for the daemon, which has those of this process
    /// otherwise.
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set("env", |settings| settings.environment.push((name.into(), value.into())))
    }

    /// Starts the daemon with none of this process's environment variables, but for those
    /// set by [`env`](Spawn::env).
    pub fn env_clear(self) -> Self {
        self.set("env_clear", |settings| settings.env_clear = true)
    }

    /// The working directory of the daemon; this process's by default.
    pub fn current_dir(self, directory: impl Into<PathBuf>) -> Self {
        self.set("current_dir", |settings| settings.current_dir = Some(directory.into()))
    }

    /// Listens at 127.0.0.1, at a port the kernel chooses, instead of on a Unix socket:
    /// for a tool that knows of no Unix sockets, or that sees this machine's network but
    /// not its files.
    ///
    /// It costs what the Unix socket gives: anybody on the machine can connect, and take
    /// one of the daemon's 64 places for connections; and the parent cannot ask the
    /// kernel who it is that listens there. Only who has the daemon's token, 256 random
    /// bits that the parent tells it, is answered anything, be it health, reflection or a
    /// service of your own. What this program sends has the token; [`Daemon::grpcurl`]
    /// shows it to you. In a generated client's requests the `authorization` metadata is
    /// the token's, and the daemon's services do not see it.
    pub fn localhost(self) -> Self {
        self.set("localhost", |settings| settings.localhost = true)
    }

    /// How long calls that run may still take when the daemon is to end; 2 s by default.
    /// A daemon that has not ended 0.3 s after that is killed. A day is the most.
    pub fn grace(self, grace: Duration) -> Self {
        self.set("grace", |settings| settings.grace = grace.min(DAY))
    }

    /// How long the process may take from its start until it can be called; 10 s by
    /// default. A day is the most.
    pub fn start_timeout(self, timeout: Duration) -> Self {
        self.set("start_timeout", |settings| settings.start_timeout = timeout.min(DAY))
    }

    /// How long making the object may take; without limit by default, because a model may
    /// load for minutes.
    pub fn create_timeout(mut self, deadline: Duration) -> Self {
        self.create_timeout = Some(deadline);
        self
    }

    /// How large the arguments or the answer of a call may be, in bytes; 256 MiB by
    /// default. What is larger fails that call with [`ErrorKind::TooLarge`] and no other.
    pub fn message_limit(self, bytes: usize) -> Self {
        self.set("message_limit", |settings| settings.limits.message = bytes)
    }

    /// How many levels deep a value may be nested; 32 by default, which is also the most.
    /// What is deeper fails its call with [`ErrorKind::TooDeep`].
    pub fn depth_limit(self, levels: usize) -> Self {
        self.set("depth_limit", |settings| settings.limits.depth = levels.min(MAX_DEPTH))
    }

    /// How many threads run the async code of the daemon's objects: 2 by default, so that
    /// one which blocks its thread does not stop the daemon, and 1 where its first object
    /// is a Python one, which runs elsewhere. More of them let async methods that compute
    /// run beside each other, up to the processors there are, and each call costs some
    /// microseconds more. Sync methods have threads of their own. 0 counts as 1.
    pub fn worker_threads(self, count: usize) -> Self {
        self.set("worker_threads", |settings| settings.workers = Some(count.max(1)))
    }

    /// Keeps the connection to the daemon on a thread of oad's own. By default it is part
    /// of the async runtime that awaits this builder, which makes calls from that runtime
    /// some microseconds faster, and fails them all with [`ErrorKind::RuntimeEnded`] once
    /// that runtime has ended.
    ///
    /// It is for a daemon that several runtimes share, such as the tests of a crate, each
    /// of which has a runtime of its own; and for waiting with `block_on` on a thread of
    /// a runtime.
    ///
    /// ```no_run
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
    /// # #[oad::object] impl Counter { fn new(start: i64) -> Self { Counter { total: start } } }
    /// # async fn example() {
    /// static COUNTER: tokio::sync::OnceCell<CounterProxy> = tokio::sync::OnceCell::const_new();
    ///
    /// let counter = COUNTER.get_or_init(async || {
    ///     CounterProxy::new(1).on_own_runtime().await.expect("the daemon starts")
    /// });
    /// let counter: &CounterProxy = counter.await;
    /// # }
    /// ```
    pub fn on_own_runtime(self) -> Self {
        self.set("on_own_runtime", |settings| settings.own_runtime = true)
    }

    /// Starts a server within this process instead of another process.
    pub(crate) fn started_by(self, start: StartInProcess) -> Self {
        self.set("in_process", |settings| settings.in_process = Some(start))
    }

    /// The same for the object of an interpreter, which has a start of its own, so that
    /// it means something in any daemon.
    pub(crate) fn interpreted_start_timeout(mut self, timeout: Duration) -> Self {
        if let Location::Own(settings) = &mut self.place {
            settings.start_timeout = timeout.min(DAY);
        }
        self
    }

    fn set(mut self, name: &'static str, change: impl FnOnce(&mut Settings)) -> Self {
        self.set.get_or_insert(name);
        if let Location::Own(settings) = &mut self.place {
            change(settings);
        }
        self
    }

    /// Where it is to live.
    fn place(place: Location, set: Option<&'static str>) -> Result<Location> {
        match (&place, set) {
            (Location::Within(daemon), Some(set)) => {
                let message =
                    format!("`{set}` is a setting of a new daemon, and this one is there already");
                Err(Error::new(ErrorKind::BadArguments, message)
                    .on(daemon.to_string())
                    .advise("leave out one or the other"))
            }
            _ => Ok(place),
        }
    }

    /// Makes the object; the proxy above puts its own type around what comes of it.
    pub(crate) async fn spawn(self) -> Result<Spawned> {
        let name = self.definition.short_name().to_owned();
        let making = format!("making {name}");
        let parts = self.arguments.into_parts().map_err(|error| error.doing(making.as_str()))?;
        let CallParts { values, keywords, held: _held, streams } = parts;
        if !streams.is_empty() {
            let message = "a constructor takes no stream: give it to a method of the object";
            return Err(Error::new(ErrorKind::BadArguments, message).doing(making));
        }
        let place =
            Self::place(self.place, self.set).map_err(|error| error.doing(making.as_str()))?;
        let (daemon, is_own) = match place {
            Location::Within(daemon) => (daemon, false),
            Location::Own(settings) => {
                let workers = if self.definition.as_python().is_some() { 1 } else { WORKERS };
                let daemon = start(*settings, name.clone(), workers).await;
                (
                    daemon.map_err(|error| error.doing(format!("starting a daemon for {name}")))?,
                    true,
                )
            }
        };
        let created = async {
            let submitted = daemon.client().create(
                &self.definition,
                (values, keywords),
                self.create_timeout,
            )?;
            submitted.await?.into_handle()
        };
        match created.await {
            Ok(handle) => Ok((daemon, handle)),
            Err(error) => {
                let error = error.doing(making).on(daemon.to_string());
                if is_own {
                    // How it ends is less than why: that is the error.
                    let _ = daemon.shutdown().await;
                }
                Err(error)
            }
        }
    }
}

/// Asks for a daemon without an object, for the services of your own that its program
/// adds by [`init_with`](crate::init_with), or to make objects [`within`](Spawn::within)
/// it.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let daemon: oad::Daemon = oad::daemon().await?;
/// println!("{}", daemon.endpoint());
/// # Ok(()) }
/// ```
pub fn daemon() -> Spawn<Daemon> {
    Spawn::from_definition(Definition::by_value("no object"), ArgumentsBuilder::new())
}

impl IntoFuture for Spawn<Daemon> {
    type Output = Result<Daemon>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Daemon>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match Self::place(self.place, self.set)? {
                Location::Within(daemon) => Ok(daemon),
                Location::Own(settings) => {
                    let name = self.definition.short_name().to_owned();
                    start(*settings, name, WORKERS)
                        .await
                        .map_err(|error| error.doing("starting a daemon"))
                }
            }
        })
    }
}

async fn start(settings: Settings, name: String, workers: usize) -> Result<Daemon> {
    let workers = settings.workers.unwrap_or(workers);
    let (grace, start_timeout, limits) = (settings.grace, settings.start_timeout, settings.limits);
    let own_runtime = settings.own_runtime;
    let plan = settings.plan()?;
    let recipe = LaunchSettings { plan, name, limits, grace, start_timeout, workers };
    let keeper = keeper()?;
    let runtime = match Runtime::try_current() {
        Ok(runtime) if !own_runtime => runtime,
        _ => keeper.clone(),
    };
    if is_blocked(&runtime, keeper).await {
        let message = "a sync wait (`block_on`) blocks the thread of the async runtime that \
                       would carry the connection to the daemon";
        return Err(Error::new(ErrorKind::WouldDeadlock, message)
            .advise("`.await` it, or start it with `.on_own_runtime()`"));
    }
    let mut launching =
        AbortOnDrop(keeper.spawn(launch(recipe, runtime).with_current_subscriber()));
    (&mut launching.0).await.unwrap_or_else(|panicked| {
        Err(Error::new(ErrorKind::Spawn, format!("oad itself failed: {panicked}")))
    })
}

/// The future that waits for a launch may be dropped; the launch then ends what it has
/// begun.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<P> fmt::Debug for Spawn<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn").field("definition", &self.definition).finish_non_exhaustive()
    }
}
