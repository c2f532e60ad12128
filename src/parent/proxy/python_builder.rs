//! The builder of a Python object or an interpreter.

use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::path::{self, Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::common::definition::{Definition, PythonDefinition, PythonSource};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::process::find_on_path;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::daemon::{Daemon, Spawn, Spawned};
use crate::parent::proxy::python::PythonProxy;
use crate::parent::proxy::{Origin, Proxy};

/// A builder of a Python object or of an [`Interpreter`](crate::Interpreter); `.await`
/// makes it.
///
/// [`python`] and its siblings make one that starts a daemon, or uses the one that
/// [`within`](PythonBuilder::within) names. The methods of
/// [`Interpreter`](crate::Interpreter) make one for an interpreter that already runs.
///
/// The interpreter is a process of its own below the daemon: any CPython from 3.6 on.
/// Nothing has to be installed there, and nothing is written there.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let text = oad::python("io", "StringIO").arg("hello").interpreter(".venv").await?;
/// let line: String = text.call("getvalue", ()).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of [`Spawn`], and:
///
/// - [`ErrorKind::Spawn`] if the interpreter does not exist, is not CPython 3.6 or newer,
///   or does not start in time;
/// - [`ErrorKind::BadArguments`] if a path is empty or not UTF-8, or if the settings do
///   not fit together, such as [`path_entry`](PythonBuilder::path_entry) for an
///   interpreter that already runs;
/// - [`ErrorKind::Exception`], with the traceback, if importing or making the object
///   fails.
///
/// # Paths
///
/// A relative path is resolved when it is given, in the caller's working directory,
/// whatever the daemon's is ([`current_dir`](PythonBuilder::current_dir)). Only the name
/// of an interpreter, without a `/`, is looked up by the daemon.
///
/// # Cancel safety
///
/// Dropping the future ends whatever it started.
#[must_use = "a builder does nothing until it is awaited"]
pub struct PythonBuilder<P = PythonProxy> {
    definition: PythonDefinition,
    arguments: ArgumentsBuilder,
    spawn: Spawn<Proxy>,
    /// The object whose interpreter is used. It is kept until the new object exists.
    beside: Option<Proxy>,
    /// Why this cannot be made at all.
    refused: Option<Error>,
    made: PhantomData<fn() -> P>,
}

/// Makes an instance of a class: calls a name in a module with the builder's arguments.
///
/// The name may be dotted, and any callable will do. The module `""` holds the builtins,
/// and the names of scripts that were run in the same interpreter.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let tomorrow = oad::python("datetime", "date.fromisoformat").arg("2026-12-01").await?;
/// # Ok(()) }
/// ```
pub fn python(module: impl Into<String>, class: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Instance { module: module.into(), name: class.into() })
}

/// Makes a proxy of a name in a module without calling it: a function, a class, a
/// constant.
pub fn python_name(module: impl Into<String>, name: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Name { module: module.into(), name: name.into() })
}

/// Imports a module by name.
pub fn python_module(name: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Module(name.into()))
}

/// Imports a module from its file.
///
/// Modules beside that file are found only if its folder is on the path; see
/// [`path_entry`](PythonBuilder::path_entry).
pub fn python_file(path: impl Into<PathBuf>) -> PythonBuilder {
    PythonBuilder::file(path.into())
}

/// Runs a script. Its names become the attributes of the object; tracebacks show `name`.
pub fn python_script(name: impl Into<String>, source: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Script { source: source.into(), name: name.into() })
}

/// Converts a value to a Python object.
pub fn python_value(value: impl Serialize) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Value).arg(value)
}

impl PythonBuilder {
    /// Adds a positional argument for the object's constructor.
    pub fn arg(mut self, argument: impl Serialize) -> Self {
        self.arguments = self.arguments.with(argument);
        self
    }

    /// Adds a keyword argument. Giving a name twice fails with
    /// [`ErrorKind::BadArguments`].
    #[doc(alias = "kwarg")]
    pub fn keyword(mut self, name: &str, argument: impl Serialize) -> Self {
        self.arguments = self.arguments.with_keyword(name, argument);
        self
    }

    /// Adds the fields of a struct, or the entries of a map with text keys, as keyword
    /// arguments.
    #[doc(alias = "kwargs")]
    pub fn keywords(mut self, arguments: impl Serialize) -> Self {
        self.arguments = self.arguments.with_keywords(arguments);
        self
    }

    pub(super) fn file(path: PathBuf) -> Self {
        let mut python = PythonBuilder::new(PythonSource::File(String::new()));
        let path = python.absolute("file", &path);
        python.definition.source = PythonSource::File(path);
        python
    }
}

impl<P> PythonBuilder<P> {
    pub(super) fn new(source: PythonSource) -> Self {
        let definition = PythonDefinition {
            interpreter: None,
            path: Vec::new(),
            start_timeout: None,
            kill_when_stuck: None,
            threads: None,
            beside: None,
            source,
        };
        let spawn =
            Spawn::from_definition(Definition::python(definition.clone()), ArgumentsBuilder::new());
        PythonBuilder {
            definition,
            arguments: ArgumentsBuilder::new(),
            spawn,
            beside: None,
            refused: None,
            made: PhantomData,
        }
    }

    /// The same, for another kind of proxy.
    pub(super) fn making<Q>(self) -> PythonBuilder<Q> {
        let PythonBuilder { definition, arguments, spawn, beside, refused, made: _ } = self;
        PythonBuilder { definition, arguments, spawn, beside, refused, made: PhantomData }
    }

    pub(super) fn with_arguments(mut self, arguments: ArgumentsBuilder) -> Self {
        self.arguments = arguments;
        self
    }

    /// Makes the object in the interpreter of another one.
    pub(super) fn beside(mut self, object: &Proxy) -> Self {
        self.beside = Some(object.clone());
        let PythonDefinition { interpreter, path, start_timeout, kill_when_stuck, .. } =
            &self.definition;
        let elsewhere =
            self.spawn.daemon_within().is_some_and(|other| other.id() != object.daemon().id());
        let settings = [
            ("interpreter", interpreter.is_some()),
            ("path_entry", !path.is_empty()),
            ("start_timeout", start_timeout.is_some()),
            ("kill_when_stuck", kill_when_stuck.is_some()),
            ("within", elsewhere),
        ];
        if let Some((setting, _)) = settings.into_iter().find(|(_, is_set)| *is_set) {
            self.refuse_beside(setting);
        }
        self.spawn = self.spawn.within(object.daemon());
        self.definition.beside = Some(object.handle().clone());
        self
    }

    /// Sets the interpreter: its path, the path of a virtual environment, or a name on
    /// the daemon's `PATH`. The default is `python3`.
    ///
    /// Anything with a `/` is a path. A word without one is a name, such as `python3.12`;
    /// but if this program's `PATH` has no such name, and the working directory has a
    /// folder of that name, such as `.venv`, it is that folder.
    ///
    /// In a daemon that already runs interpreters ([`within`](PythonBuilder::within)),
    /// the one that was started with the same `interpreter` is used; without this
    /// setting, the only one.
    pub fn interpreter(mut self, interpreter: impl Into<PathBuf>) -> Self {
        self.refuse_beside("interpreter");
        let interpreter = interpreter.into();
        self.definition.interpreter = Some(match interpreter.to_str() {
            Some(name) if is_name(name) => name.to_owned(),
            _ => self.absolute("interpreter", &interpreter),
        });
        self
    }

    /// Adds a folder to `sys.path`, before everything the interpreter has there itself
    /// and after the folders added before.
    pub fn path_entry(mut self, folder: impl Into<PathBuf>) -> Self {
        self.refuse_beside("path_entry");
        let folder = self.absolute("path entry", &folder.into());
        self.definition.path.push(folder);
        self
    }

    /// Kills the interpreter if it does not react to an interruption, by a timeout or a
    /// dropped call, for this long. By default it runs on, and its objects stay busy
    /// meanwhile.
    pub fn kill_when_stuck(mut self, grace: Duration) -> Self {
        self.refuse_beside("kill_when_stuck");
        self.definition.kill_when_stuck = Some(grace);
        self
    }

    /// Carries out up to `count` calls at once, on threads of the interpreter.
    ///
    /// By default, calls run on the main thread, one at a time. With threads, the calls
    /// of one object too may run at once, as on the threads of a Python program; they
    /// begin in the order in which they were first polled. Objects are still made on the
    /// main thread, with imports and scripts, and
    /// [`Call::on_main_thread`](crate::Call::on_main_thread) runs a call there. A thread
    /// is started when it is needed. It costs a call some 40 µs to be passed to one.
    ///
    /// Outside the main thread, an interruption does not end a wait in C, such as
    /// `time.sleep`, `Lock.acquire` or a read from a socket. It is raised when that
    /// returns; another thread takes the place of this one meanwhile.
    pub fn threads(mut self, count: usize) -> Self {
        self.refuse_beside("threads");
        self.definition.threads = Some(u32::try_from(count).unwrap_or(u32::MAX));
        self
    }

    /// Sets how long the daemon, and then the interpreter, may take to start; 10 s each
    /// by default.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.refuse_beside("start_timeout");
        self.definition.start_timeout = Some(timeout);
        self.change(|spawn| spawn.interpreter_start_timeout(timeout))
    }

    /// Uses a daemon that already runs, instead of starting one; see [`Spawn::within`].
    ///
    /// An object goes into the interpreter that the daemon runs. If it runs several, that
    /// is an error that lists them: name one by
    /// [`interpreter`](PythonBuilder::interpreter), or make the object with its
    /// [`Interpreter`](crate::Interpreter). If it runs none, one is started.
    pub fn within(mut self, daemon: &Daemon) -> Self {
        self.refuse_beside("within");
        self.change(|spawn| spawn.within(daemon))
    }

    /// Sets the program that becomes the daemon; see [`Spawn::executable`]. It is not the
    /// interpreter.
    pub fn executable(self, path: impl Into<PathBuf>) -> Self {
        self.change(|spawn| spawn.executable(path))
    }

    /// Adds an argument for the [`executable`](PythonBuilder::executable).
    pub fn program_arg(self, argument: impl Into<OsString>) -> Self {
        self.change(|spawn| spawn.program_arg(argument))
    }

    /// Sets an environment variable of the daemon and the interpreter; see
    /// [`Spawn::env`].
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.change(|spawn| spawn.env(name, value))
    }

    /// Starts without this process's environment variables; see [`Spawn::env_clear`].
    pub fn env_clear(self) -> Self {
        self.change(Spawn::env_clear)
    }

    /// Sets the working directory; see [`Spawn::current_dir`].
    pub fn current_dir(self, directory: impl Into<PathBuf>) -> Self {
        self.change(|spawn| spawn.current_dir(directory))
    }

    /// Sets how long running calls may take when the daemon ends; see [`Spawn::grace`].
    pub fn grace(self, grace: Duration) -> Self {
        self.change(|spawn| spawn.grace(grace))
    }

    /// Sets how long making the object may take; see [`Spawn::create_timeout`].
    pub fn create_timeout(self, timeout: Duration) -> Self {
        self.change(|spawn| spawn.create_timeout(timeout))
    }

    /// Sets the size limit of a message; see [`Spawn::message_limit`].
    pub fn message_limit(self, bytes: usize) -> Self {
        self.change(|spawn| spawn.message_limit(bytes))
    }

    /// Sets how many threads run async code of other objects in the daemon;
    /// see [`Spawn::worker_threads`].
    pub fn worker_threads(self, count: usize) -> Self {
        self.change(|spawn| spawn.worker_threads(count))
    }

    /// Sends calls over gRPC; see [`Spawn::over_grpc`].
    pub fn over_grpc(self) -> Self {
        self.change(Spawn::over_grpc)
    }

    /// Keeps the connection on a thread of oad's own; see [`Spawn::on_own_runtime`].
    pub fn on_own_runtime(self) -> Self {
        self.change(Spawn::on_own_runtime)
    }

    /// Listens on localhost; see [`Spawn::localhost`].
    #[cfg(feature = "localhost")]
    pub fn localhost(self) -> Self {
        self.change(Spawn::localhost)
    }

    /// Resolves a path here and now. A path that cannot be used is reported when the
    /// object is made.
    fn absolute(&mut self, what: &str, path: &Path) -> String {
        let absolute = path::absolute(path).map_err(|error| {
            let message = match path.as_os_str().is_empty() {
                true => format!("the path of the {what} is empty"),
                false => format!(
                    "failed to make the path of the {what}, `{}`, absolute: {error}",
                    path.display()
                ),
            };
            Error::new(ErrorKind::BadArguments, message)
        });
        let text = absolute.and_then(|absolute| {
            absolute.into_os_string().into_string().map_err(|path| {
                let message = format!("the path of the {what}, `{}`, is not UTF-8", path.display());
                Error::new(ErrorKind::BadArguments, message)
                    .advise("use a symbolic link whose own path is UTF-8")
            })
        });
        text.unwrap_or_else(|error| {
            self.refused.get_or_insert(error);
            String::new()
        })
    }

    /// Refuses a setting of a new interpreter or daemon if the object goes into an
    /// existing one.
    fn refuse_beside(&mut self, setting: &str) {
        if self.beside.is_some() {
            let message = format!(
                "`{setting}` cannot be set for an object that is made in an existing interpreter"
            );
            let error = Error::new(ErrorKind::BadArguments, message)
                .advise("set it where the interpreter is started");
            self.refused.get_or_insert(error);
        }
    }

    pub(crate) fn change(mut self, change: impl FnOnce(Spawn<Proxy>) -> Spawn<Proxy>) -> Self {
        self.spawn = change(self.spawn);
        self
    }

    async fn make(self) -> Result<PythonProxy> {
        let PythonBuilder { definition, arguments, spawn, beside, refused, .. } = self;
        let arguments = refused.map_or(arguments, ArgumentsBuilder::refused);
        let display_name = display_name(&definition.source);
        let spawn = spawn.defined_as(Definition::python(definition), arguments);
        if let Some((beside, door)) =
            beside.as_ref().and_then(|beside| Some((beside, beside.door()?)))
        {
            let handle = spawn.make_through(door, beside.daemon()).await?;
            return Ok(PythonProxy::new(beside.sibling(handle).displayed_as(display_name)));
        }
        let Spawned { daemon, handle, interpreter } = spawn.spawn().await?;
        drop(beside);
        let interpreter = interpreter.ok_or_else(|| {
            let message = "the daemon did not report the interpreter of a Python object";
            Error::new(ErrorKind::Protocol, message).on(daemon.to_string())
        })?;
        // The object is not released before the proxy exists.
        let object = Proxy::new(daemon.clone(), handle.clone(), Origin::Rust);
        let door = daemon.door(&handle, &interpreter).await;
        let origin = Origin::Python { display_name, interpreter: interpreter.into(), door };
        Ok(PythonProxy::new(object.of_origin(origin)))
    }
}

/// What a [`PythonBuilder`] makes.
#[doc(hidden)]
pub trait MadeInPython: Send + 'static {
    fn from_proxy(proxy: PythonProxy) -> Self;
}

impl MadeInPython for PythonProxy {
    fn from_proxy(proxy: PythonProxy) -> Self {
        proxy
    }
}

impl<P: MadeInPython> IntoFuture for PythonBuilder<P> {
    type Output = Result<P>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<P>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.make().await.map(P::from_proxy) })
    }
}

/// The name in messages, for an object whose type would say less.
fn display_name(source: &PythonSource) -> Option<String> {
    let stem =
        |path: &str| Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    match source {
        PythonSource::Name { .. } => Some(source.to_string()),
        PythonSource::Module(name) => Some(name.clone()),
        PythonSource::File(path) => stem(path),
        PythonSource::Script { name, .. } => stem(name),
        PythonSource::Instance { .. } | PythonSource::Value | PythonSource::Interpreter => None,
    }
}

/// Whether this is the name of an interpreter, for the daemon to look up, rather than a
/// path.
fn is_name(named: &str) -> bool {
    if named.is_empty() || named.contains('/') {
        return false;
    }
    // A folder that happens to have the name of an interpreter must not hide it.
    !Path::new(named).is_dir() || find_on_path(named).is_some()
}

impl<P> fmt::Debug for PythonBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonBuilder")
            .field("source", &self.definition.source)
            .field("interpreter", &self.definition.interpreter)
            .finish_non_exhaustive()
    }
}
