//! How a Python object is asked for.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{self, Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::common::definition::{DEFAULT_INTERPRETER, Definition, PythonDefinition, PythonSource};
use crate::common::error::{Error, ErrorKind, Result};
use crate::parent::client::ArgumentsBuilder;
use crate::parent::daemon::{Daemon, Spawn};
use crate::parent::proxy::{Nature, Proxy, PythonProxy};

/// Asks for a Python object in a daemon; `.await` makes it and gives its
/// [`PythonProxy`]. Made by [`python`] and its like.
///
/// The interpreter is a process of its own below the daemon, any CPython from 3.6 on.
/// Nothing need be installed there, and nothing is written there.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let text = oad::python("io", "StringIO").arg("hello, world!").interpreter(".venv").await?;
/// let line: String = text.call("getvalue", ()).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// As [`Spawn`]'s. [`ErrorKind::Spawn`] also if the interpreter is not there, is none, is
/// too old or does not start in time; [`ErrorKind::BadArguments`] if a path that was
/// given is empty or not UTF-8; [`ErrorKind::Exception`], with the traceback, if
/// importing or making the object fails.
///
/// # Paths
///
/// A relative path is one of the caller's current directory at the moment when it is
/// given, wherever the daemon's is ([`current_dir`](PythonBuilder::current_dir)). Only the name
/// of an interpreter, without a `/`, is for the daemon to look up.
///
/// # Cancel safety
///
/// A future that is dropped ends what it has begun.
#[must_use = "an object is made when this is awaited"]
pub struct PythonBuilder {
    definition: PythonDefinition,
    arguments: ArgumentsBuilder,
    spawn: Spawn<Proxy>,
    /// Why it cannot be asked for at all.
    refused: Option<Error>,
}

/// An object of a Python class: what comes of calling a name in a module. The name may
/// have dots in it; any callable will do. In the module `""` are the builtins, and the
/// names of scripts that were made before in the same daemon.
pub fn python(module: impl Into<String>, class: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Instance { module: module.into(), name: class.into() })
}

/// What a name in a Python module stands for, not called: a function, a class.
pub fn python_name(module: impl Into<String>, name: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Name { module: module.into(), name: name.into() })
}

/// A Python module, by its name.
pub fn python_module(name: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Module(name.into()))
}

/// A Python module, by the path of its file. The folder of the file is not searched for
/// the modules that it imports; see [`path_entry`](PythonBuilder::path_entry).
pub fn python_file(path: impl Into<PathBuf>) -> PythonBuilder {
    let mut python = PythonBuilder::new(PythonSource::File(String::new()));
    let path = python.absolute("file", &path.into());
    python.definition.source = PythonSource::File(path);
    python
}

/// A Python script, whose names are the attributes of the object; `name` is what
/// tracebacks call it.
pub fn python_script(name: impl Into<String>, source: impl Into<String>) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Script { source: source.into(), name: name.into() })
}

/// A Python object made of a value.
pub fn python_value(value: impl Serialize) -> PythonBuilder {
    PythonBuilder::new(PythonSource::Value).arg(value)
}

impl PythonBuilder {
    fn new(source: PythonSource) -> Self {
        let interpreter = DEFAULT_INTERPRETER.to_owned();
        let (path, start_timeout, kill_when_stuck) = (Vec::new(), None, None);
        let definition =
            PythonDefinition { interpreter, path, start_timeout, kill_when_stuck, source };
        let spawn =
            Spawn::from_definition(Definition::python(definition.clone()), ArgumentsBuilder::new());
        PythonBuilder { definition, arguments: ArgumentsBuilder::new(), spawn, refused: None }
    }

    /// One more argument for what makes the object.
    pub fn arg(mut self, argument: impl Serialize) -> Self {
        self.arguments = self.arguments.with(&argument);
        self
    }

    /// One more argument, by its name. A name that is given twice fails it with
    /// [`ErrorKind::BadArguments`].
    pub fn keyword(mut self, name: &str, argument: impl Serialize) -> Self {
        self.arguments = self.arguments.with_keyword(name, &argument);
        self
    }

    /// The interpreter: its path, the path of a virtual environment, or a name on the
    /// daemon's `PATH`; `python3` by default.
    ///
    /// What has a `/` in it is a path. A word without one is a name, such as
    /// `python3.12`; but where this program's `PATH` has none of that name, and the
    /// current directory has a folder of it, such as `.venv`, it is that folder.
    pub fn interpreter(mut self, interpreter: impl Into<PathBuf>) -> Self {
        let interpreter = interpreter.into();
        self.definition.interpreter = match interpreter.to_str() {
            Some(name) if is_name(name) => name.to_owned(),
            _ => self.absolute("interpreter", &interpreter),
        };
        self
    }

    /// One more folder to be searched for modules, before all that the interpreter knows,
    /// and after those given before.
    pub fn path_entry(mut self, folder: impl Into<PathBuf>) -> Self {
        let folder = self.absolute("path entry", &folder.into());
        self.definition.path.push(folder);
        self
    }

    /// Kills the interpreter if an interruption, by a deadline or a dropped call, has had
    /// no effect for so long. Without this it goes on, and the object is busy meanwhile.
    /// Objects for which this is asked for alike, and no others, live in one interpreter.
    pub fn kill_when_stuck(mut self, grace: Duration) -> Self {
        self.definition.kill_when_stuck = Some(grace);
        self
    }

    /// How long the daemon, and then the interpreter, may take to start; 10 s each by
    /// default.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.definition.start_timeout = Some(timeout);
        self.change(|spawn| spawn.interpreted_start_timeout(timeout))
    }

    /// Makes the object in a daemon that is there already; see [`Spawn::within`].
    pub fn within(self, daemon: &Daemon) -> Self {
        self.change(|spawn| spawn.within(daemon))
    }

    /// The program that becomes the daemon; see [`Spawn::executable`]. Not the
    /// interpreter.
    pub fn executable(self, path: impl Into<PathBuf>) -> Self {
        self.change(|spawn| spawn.executable(path))
    }

    /// One more environment variable; see [`Spawn::env`].
    pub fn env(self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.change(|spawn| spawn.env(name, value))
    }

    /// None of this process's environment variables; see [`Spawn::env_clear`].
    pub fn env_clear(self) -> Self {
        self.change(Spawn::env_clear)
    }

    /// The working directory; see [`Spawn::current_dir`].
    pub fn current_dir(self, directory: impl Into<PathBuf>) -> Self {
        self.change(|spawn| spawn.current_dir(directory))
    }

    /// How long calls that run may take when the daemon is to end; see [`Spawn::grace`].
    pub fn grace(self, grace: Duration) -> Self {
        self.change(|spawn| spawn.grace(grace))
    }

    /// How long making the object may take; see [`Spawn::create_timeout`].
    pub fn create_timeout(self, deadline: Duration) -> Self {
        self.change(|spawn| spawn.create_timeout(deadline))
    }

    /// How large a message may be; see [`Spawn::message_limit`].
    pub fn message_limit(self, bytes: usize) -> Self {
        self.change(|spawn| spawn.message_limit(bytes))
    }

    /// How many threads run async code of other objects in the daemon, 1 by default; see
    /// [`Spawn::worker_threads`].
    pub fn worker_threads(self, count: usize) -> Self {
        self.change(|spawn| spawn.worker_threads(count))
    }

    /// Keeps the connection on a thread of oad's own; see [`Spawn::on_own_runtime`].
    pub fn on_own_runtime(self) -> Self {
        self.change(Spawn::on_own_runtime)
    }

    /// Listens on localhost; see [`Spawn::localhost`].
    pub fn localhost(self) -> Self {
        self.change(Spawn::localhost)
    }

    /// The path as it is seen from here, now; if it cannot be asked for, that is told
    /// when the object is made.
    fn absolute(&mut self, what: &str, path: &Path) -> String {
        let absolute = path::absolute(path).map_err(|error| {
            let message = match path.as_os_str().is_empty() {
                true => format!("the path of the {what} is empty"),
                false => format!(
                    "the path of the {what}, `{}`, cannot be made absolute: {error}",
                    path.display()
                ),
            };
            Error::new(ErrorKind::BadArguments, message)
        });
        let text = absolute.and_then(|absolute| {
            absolute.into_os_string().into_string().map_err(|path| {
                let message = format!("the path of the {what}, `{}`, is not UTF-8", path.display());
                Error::new(ErrorKind::BadArguments, message)
                    .advise("name it by a link whose own path is")
            })
        });
        text.unwrap_or_else(|error| {
            self.refused.get_or_insert(error);
            String::new()
        })
    }

    fn change(mut self, change: impl FnOnce(Spawn<Proxy>) -> Spawn<Proxy>) -> Self {
        self.spawn = change(self.spawn);
        self
    }
}

impl IntoFuture for PythonBuilder {
    type Output = Result<PythonProxy>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<PythonProxy>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let arguments = self.refused.map_or(self.arguments, ArgumentsBuilder::refused);
        let called = called(&self.definition.source);
        let spawn = self.spawn.defined_as(Definition::python(self.definition), arguments);
        Box::pin(async move {
            spawn
                .spawn()
                .await
                .map(|spawned| PythonProxy::new(Proxy::new(spawned, Nature::Python { called })))
        })
    }
}

/// The name of what has no type of its own that would tell more, as Python calls it.
fn called(source: &PythonSource) -> Option<String> {
    let stem =
        |path: &str| Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    match source {
        PythonSource::Name { .. } => Some(source.to_string()),
        PythonSource::Module(name) => Some(name.clone()),
        PythonSource::File(path) | PythonSource::Script { name: path, .. } => stem(path),
        PythonSource::Instance { .. } | PythonSource::Value => None,
    }
}

/// Whether this is the name of an interpreter, to be looked up where the daemon runs, and
/// no path.
fn is_name(named: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    let is_on_path = || env::split_paths(&folders).any(|folder| folder.join(named).is_file());
    // A folder that happens to have the name of an interpreter must not stand for it.
    !named.is_empty() && !named.contains('/') && (is_on_path() || !Path::new(named).is_dir())
}

impl fmt::Debug for PythonBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonBuilder")
            .field("definition", &self.definition)
            .finish_non_exhaustive()
    }
}
