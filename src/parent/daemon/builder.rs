//! The builder of an object in a daemon.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

#[cfg(feature = "python")]
use crate::common::agent::malformed;
use crate::common::definition::TypeDescription;
use crate::common::definition::{DAY, Definition, InterpreterFacts, short_name};
use crate::common::error::{Error, ErrorKind, Result};
#[cfg(feature = "python")]
use crate::common::value::Value;
use crate::common::value::{Handle, MAX_DEPTH};
use crate::parent::client::{ArgumentsBuilder, CallParts};
use crate::parent::daemon::Daemon;
use crate::parent::daemon::backend::StartInProcess;
use crate::parent::daemon::settings::Settings;
#[cfg(feature = "python")]
use crate::parent::door::AgentDoor;

/// A builder of an object in a daemon; `.await` makes it.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
/// # #[oad::object]
/// # impl Counter { fn new(start: i64) -> Self { Counter { total: start } } }
/// # async fn example() -> oad::Result<()> {
/// use std::time::Duration;
///
/// let counter = CounterProxy::new(1).grace(Duration::from_millis(500)).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Starting the daemon fails with
///
/// - [`ErrorKind::NotInitialized`] if this program cannot be re-run as a daemon, because
///   `oad::init()` has not run in it;
/// - [`ErrorKind::Spawn`], [`ErrorKind::Handshake`] or [`ErrorKind::Version`] if the
///   process cannot be started or does not become a daemon;
/// - [`ErrorKind::RuntimeEnded`] if the current runtime cannot hold the connection;
/// - [`ErrorKind::BadArguments`] if the settings do not fit together.
///
/// Making the object fails as a call does:
///
/// - [`ErrorKind::Exception`] if the constructor fails;
/// - [`ErrorKind::BadArguments`], [`ErrorKind::TooLarge`] or [`ErrorKind::TooDeep`] if
///   its arguments cannot be used;
/// - [`ErrorKind::Timeout`] if it takes longer than
///   [`create_timeout`](Spawn::create_timeout);
/// - [`ErrorKind::Died`] if the daemon dies meanwhile.
///
/// On any error, a process that was started has already been cleaned up.
///
/// # Cancel safety
///
/// Dropping the future ends whatever it started.
#[must_use = "a builder does nothing until it is awaited"]
pub struct Spawn<P> {
    definition: Definition,
    arguments: ArgumentsBuilder,
    location: Location,
    create_timeout: Option<Duration>,
    /// The first setting of a new daemon that was set.
    first_setting: Option<&'static str>,
    /// For a method of the proxy that is called on the builder: the compiler also looks
    /// for it in public fields, and suggests `builder.r#await.method()`.
    #[cfg_attr(doc, doc(hidden))]
    pub r#await: NotAwaited<P>,
}

/// The proxy that the builder does not have yet. Code that uses it does not compile.
#[derive(Debug)]
pub struct NotAwaited<P>(PhantomData<fn() -> P>);

impl<P> Deref for NotAwaited<P> {
    type Target = P;

    fn deref(&self) -> &P {
        const {
            // It depends on `P`, because an optimised build of this crate evaluates what
            // does not, and would fail. No type is that large.
            assert!(size_of::<P>() == usize::MAX, "write `.await` instead of `.r#await`");
        }
        unreachable!()
    }
}

/// An object that is about to be made.
struct Prepared {
    definition: Definition,
    /// What is done, in words.
    making: String,
    parts: CallParts,
    location: Location,
    create_timeout: Option<Duration>,
}

/// Where the object will live.
enum Location {
    /// In a new daemon.
    New(Box<Settings>),
    /// In a daemon that already runs.
    Within(Daemon),
}

/// An object that was made, before it has a proxy.
pub(crate) struct Spawned {
    pub(crate) daemon: Daemon,
    pub(crate) handle: Handle,
    /// The interpreter of a Python object.
    pub(crate) interpreter: Option<InterpreterFacts>,
}

impl<P> Spawn<P> {
    /// An object that a constructor makes in the daemon.
    #[doc(hidden)]
    pub fn constructed(
        description: &'static TypeDescription,
        constructor: &'static str,
        arguments: ArgumentsBuilder,
    ) -> Self {
        Spawn::from_definition(Definition::constructed(description.name, constructor), arguments)
    }

    /// An object that was made here and is sent to the daemon.
    #[doc(hidden)]
    pub fn by_value<T: Serialize>(description: &'static TypeDescription, object: &T) -> Self {
        Spawn::from_definition(
            Definition::by_value(description.name),
            ArgumentsBuilder::new().with(object),
        )
    }

    /// An object of a type that implements an interface. `path` is the constructor, with
    /// the name of its type, such as `MemoryStore::new`.
    #[doc(hidden)]
    pub fn implementing(interface: &'static str, path: &str, arguments: impl Serialize) -> Self {
        match path.rsplit_once("::") {
            Some((type_name, constructor)) if !type_name.is_empty() && !constructor.is_empty() => {
                let definition =
                    Definition::constructed(type_name, constructor).implementing(interface);
                Spawn::from_definition(definition, ArgumentsBuilder::items_of(arguments))
            }
            _ => {
                let message = format!("`{}` is not the path of a constructor", path.escape_debug());
                let error = Error::new(ErrorKind::BadArguments, message)
                    .advise("write its type and its name, such as `MemoryStore::new`");
                let definition =
                    Definition::constructed(short_name(interface), "").implementing(interface);
                Spawn::from_definition(definition, ArgumentsBuilder::refused(error))
            }
        }
    }

    /// Replaces the object, and keeps the settings.
    pub(crate) fn defined_as(self, definition: Definition, arguments: ArgumentsBuilder) -> Self {
        Spawn { definition, arguments, ..self }
    }

    pub(crate) fn from_definition(definition: Definition, arguments: ArgumentsBuilder) -> Self {
        Spawn {
            definition,
            arguments,
            location: Location::New(Box::default()),
            create_timeout: None,
            first_setting: None,
            r#await: NotAwaited(PhantomData),
        }
    }

    /// Makes the object in a daemon that already runs, next to the objects in it. By
    /// default a new daemon is started.
    ///
    /// Any other setting, except [`create_timeout`](Spawn::create_timeout), is one of a
    /// new daemon, and is refused with [`ErrorKind::BadArguments`].
    pub fn within(mut self, daemon: &Daemon) -> Self {
        self.location = Location::Within(daemon.clone());
        self
    }

    /// The daemon that [`within`](Spawn::within) named.
    #[cfg(feature = "python")]
    pub(crate) fn daemon_within(&self) -> Option<&Daemon> {
        match &self.location {
            Location::Within(daemon) => Some(daemon),
            Location::New(_) => None,
        }
    }

    /// Sets the program that becomes the daemon. The default is this program itself.
    ///
    /// The program must call `oad::init()` and contain the object's type.
    ///
    /// It may be a wrapper that starts such a program with its own stdin, and exits when
    /// that program does. If the wrapper does not exit within 0.2 s after the daemon, it
    /// is killed, and the exit status of the daemon is unknown.
    pub fn executable(self, path: impl Into<PathBuf>) -> Self {
        self.set("executable", |settings| settings.executable = Some(path.into()))
    }

    /// Adds an argument for the [`executable`](Spawn::executable).
    pub fn program_arg(self, argument: impl Into<OsString>) -> Self {
        self.set("program_arg", |settings| settings.arguments.push(argument.into()))
    }

    /// Sets an environment variable of the daemon. By default it inherits those of this
    /// process.
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set("env", |settings| settings.environment.push((name.into(), value.into())))
    }

    /// Starts the daemon without the environment variables of this process, only with
    /// those set by [`env`](Spawn::env).
    pub fn env_clear(self) -> Self {
        self.set("env_clear", |settings| settings.env_clear = true)
    }

    /// Sets the working directory of the daemon. The default is that of this process.
    pub fn current_dir(self, directory: impl Into<PathBuf>) -> Self {
        self.set("current_dir", |settings| settings.current_dir = Some(directory.into()))
    }

    /// Listens on a port of 127.0.0.1 that the kernel chooses, instead of a Unix socket.
    ///
    /// This is for tools that do not support Unix sockets, or that share the network of
    /// this machine but not its files.
    ///
    /// It gives up the Unix socket's protection: any local user can connect and take up
    /// one of the daemon's 64 connections, and the parent cannot verify which process
    /// listens. Therefore the daemon answers only requests with its token: 256 random
    /// bits that this program sends to it at start. This includes the health service,
    /// reflection and services of your own. Proxies send the token by themselves, and
    /// [`Daemon::grpcurl`] shows it. It travels in the `authorization` metadata of a
    /// request, and is removed before a service sees the request.
    #[cfg(feature = "localhost")]
    pub fn localhost(self) -> Self {
        self.set("localhost", |settings| settings.localhost = true)
    }

    /// Limits how long running calls may take when the daemon is asked to end. The
    /// default is 2 s, the maximum one day.
    ///
    /// A daemon that has not exited 0.3 s after its grace is killed.
    pub fn grace(self, grace: Duration) -> Self {
        self.set("grace", |settings| settings.grace = grace.min(DAY))
    }

    /// Limits how long the process may take from its start until it accepts calls. The
    /// default is 10 s, the maximum one day.
    pub fn start_timeout(self, timeout: Duration) -> Self {
        self.set("start_timeout", |settings| settings.start_timeout = timeout.min(DAY))
    }

    /// Limits how long making the object may take. There is no limit by default, because
    /// a model may take minutes to load.
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.create_timeout = Some(timeout);
        self
    }

    /// Limits the size in bytes of the arguments and of the result of a call. The default
    /// is 256 MiB.
    ///
    /// A call that exceeds it fails with [`ErrorKind::TooLarge`]; other calls are not
    /// affected. A daemon holds at most four times as much for each connection of other
    /// gRPC clients, and eight times for all of them: for responses that they have not
    /// read, and for their calls.
    pub fn message_limit(self, bytes: usize) -> Self {
        self.set("message_limit", |settings| settings.limits.message = bytes)
    }

    /// Limits how many levels deep a value may be nested. The default, and the maximum,
    /// is 32.
    ///
    /// A call with a deeper value fails with [`ErrorKind::TooDeep`].
    pub fn depth_limit(self, levels: usize) -> Self {
        self.set("depth_limit", |settings| settings.limits.depth = levels.min(MAX_DEPTH))
    }

    /// Sets how many threads run the async code of the daemon's objects. The default is
    /// 1, and 0 counts as 1.
    ///
    /// With more threads, async methods that compute can run in parallel, and each call
    /// takes a few microseconds more. With a single thread, async code that blocks holds
    /// up all other async code of the daemon. Sync methods hold up nothing for more than
    /// 2 ms.
    pub fn worker_threads(self, count: usize) -> Self {
        self.set("worker_threads", |settings| settings.workers = count.max(1))
    }

    /// Sends calls over gRPC, as every other client does. By default the parent sends the
    /// same messages over a lane: a connection without HTTP/2 that only the parent can
    /// open, and that takes a fraction of the time. Calls of Python objects go straight
    /// to their interpreter.
    ///
    /// This setting is for measuring and for finding faults. Calls, errors and endings
    /// are the same in all ways. The environment variable `OAD_OVER_GRPC`, set to any
    /// text, has the same effect on every daemon that a program starts.
    pub fn over_grpc(self) -> Self {
        self.set("over_grpc", |settings| settings.over_grpc = true)
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
    /// # #[oad::object] impl Counter { fn new(start: i64) -> Self { Counter { total:
    /// start } } }
    /// # async fn example() { static COUNTER: tokio::sync::OnceCell<CounterProxy> =
    /// tokio::sync::OnceCell::const_new();
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

    /// Starts a server in this process instead of another process.
    pub(crate) fn started_by(self, start: StartInProcess) -> Self {
        self.set("in_process", |settings| settings.in_process = Some(start))
    }

    /// Sets the start timeout of a new daemon for an interpreter. The interpreter has a
    /// start of its own, so this setting is valid in a running daemon too.
    pub(crate) fn interpreter_start_timeout(mut self, timeout: Duration) -> Self {
        if let Location::New(settings) = &mut self.location {
            settings.start_timeout = timeout.min(DAY);
        }
        self
    }

    fn set(mut self, name: &'static str, change: impl FnOnce(&mut Settings)) -> Self {
        self.first_setting.get_or_insert(name);
        if let Location::New(settings) = &mut self.location {
            change(settings);
        }
        self
    }

    /// Checks what can be checked before anything is started.
    fn prepare(self) -> Result<Prepared> {
        let making = format!("making {}", self.definition.short_name());
        let parts = self.arguments.into_parts().map_err(|error| error.doing(making.as_str()))?;
        if !parts.streams.is_empty() {
            let message = "a constructor cannot take a stream";
            return Err(Error::new(ErrorKind::BadArguments, message)
                .doing(making)
                .advise("pass the stream to a method of the object"));
        }
        let location = check_settings(self.location, self.first_setting)
            .map_err(|error| error.doing(making.as_str()))?;
        let (definition, create_timeout) = (self.definition, self.create_timeout);
        Ok(Prepared { definition, making, parts, location, create_timeout })
    }

    /// Makes a Python object in the interpreter of another one, through its door. Returns
    /// the object's handle.
    #[cfg(feature = "python")]
    pub(crate) async fn make_through(self, door: &AgentDoor, daemon: &Daemon) -> Result<Handle> {
        let Prepared { definition, making, parts, create_timeout, .. } = self.prepare()?;
        let CallParts { values, keywords, held: _held, .. } = parts;
        let made = async {
            let definition = definition.as_python().cloned().ok_or_else(malformed)?;
            let arguments = (values, keywords);
            let submitted = door.create(definition.source, arguments, create_timeout)?;
            match submitted.await?.into_returned()? {
                (Value::Handle(handle), None) => Ok(handle),
                _ => Err(malformed()),
            }
        };
        made.await.map_err(|error: Error| error.doing(making).on(daemon.to_string()))
    }

    /// Makes the object. The caller wraps the result into a proxy.
    pub(crate) async fn spawn(self) -> Result<Spawned> {
        let Prepared { definition, making, parts, location, create_timeout } = self.prepare()?;
        let name = definition.short_name().to_owned();
        let CallParts { values, keywords, held: _held, .. } = parts;
        let (daemon, is_new) = match location {
            Location::Within(daemon) => (daemon, false),
            Location::New(settings) => {
                let daemon = settings
                    .start(name.clone())
                    .await
                    .map_err(|error| error.doing(format!("starting a daemon for {name}")))?;
                (daemon, true)
            }
        };
        let created = async {
            let arguments = (values, keywords);
            let submitted = daemon.client().create(&definition, arguments, create_timeout)?;
            submitted.await?.into_created()
        };
        match created.await {
            Ok((handle, interpreter)) => Ok(Spawned { daemon, handle, interpreter }),
            Err(error) => {
                let error = error.doing(making).on(daemon.to_string());
                if is_new {
                    // Why the object could not be made matters more than how the daemon
                    // ends.
                    let _ = daemon.shutdown().await;
                }
                Err(error)
            }
        }
    }
}

/// Refuses settings of a new daemon for one that already runs.
fn check_settings(location: Location, first_setting: Option<&str>) -> Result<Location> {
    match (&location, first_setting) {
        (Location::Within(daemon), Some(setting)) => {
            let message =
                format!("`{setting}` is a setting of a new daemon, but this daemon already runs");
            let advice = format!("remove `.{setting}(…)` or `.within(…)`");
            Err(Error::new(ErrorKind::BadArguments, message).on(daemon.to_string()).advise(advice))
        }
        _ => Ok(location),
    }
}

/// Starts a daemon without an object.
///
/// It is for gRPC services of your own, which its program adds with
/// [`init_with`](crate::init_with), or to make objects [`within`](Spawn::within) it.
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
            match check_settings(self.location, self.first_setting)? {
                Location::Within(daemon) => Ok(daemon),
                Location::New(settings) => {
                    let name = self.definition.short_name().to_owned();
                    let started = settings.start(name).await;
                    started.map_err(|error| error.doing("starting a daemon"))
                }
            }
        })
    }
}

impl<P> fmt::Debug for Spawn<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn").field("definition", &self.definition).finish_non_exhaustive()
    }
}
