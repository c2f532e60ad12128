//! Interpreters as values, and expressions and statements that run in them.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;

use crate::common::definition::{Action, PythonSource};
use crate::common::error::Result;
use crate::parent::client::ArgumentsBuilder;
use crate::parent::proxy::Proxy;
use crate::parent::proxy::call::{Call, python_operation};
use crate::parent::proxy::from_python::FromPython;
use crate::parent::proxy::python::PythonProxy;
use crate::parent::proxy::python_builder::{MadeInPython, PythonBuilder};
use crate::parent::proxy::remote::Remote;

/// A Python interpreter that runs below a daemon. Cheap to clone.
///
/// [`interpreter`](crate::interpreter()) starts one, and [`PythonProxy::interpreter`]
/// returns the one that an object lives in. Everything made with its methods lives in
/// this very interpreter, so that objects can be passed to each other.
///
/// The interpreter ends when the last `Interpreter` value and the last proxy of its
/// objects are dropped.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let py = oad::interpreter(".venv").await?;
/// let rows = py.value(vec![3, 1, 2]).await?;
/// let largest: i64 = py.eval("max(rows)").name("rows", &rows).await?;
/// let text: String = py.import("json").await?.call("dumps", (&rows,)).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Interpreter {
    /// An object that lives in it, and keeps it running.
    object: PythonProxy,
}

/// Starts an interpreter; objects are then made with the methods of [`Interpreter`].
///
/// `interpreter` is the path of an interpreter, the path of a virtual environment, or a
/// name on the daemon's `PATH`; see [`PythonBuilder::interpreter`].
///
/// It starts a daemon of its own, or with [`within`](PythonBuilder::within) one more
/// interpreter in a daemon that already runs.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let py = oad::interpreter(".venv").await?;
/// let numpy = py.import("numpy").await?;
/// let text = py.instance("io", "StringIO").arg("hello").await?;
/// println!("Python {} at {}", py.version(), py.executable().display());
/// # Ok(()) }
/// ```
pub fn interpreter(interpreter: impl Into<PathBuf>) -> PythonBuilder<Interpreter> {
    PythonBuilder::new(PythonSource::Interpreter).interpreter(interpreter)
}

impl<P> PythonBuilder<P> {
    /// Makes the object in an interpreter that already runs.
    ///
    /// The methods of [`Interpreter`] do the same; this is for typed proxies.
    ///
    /// ```no_run
    /// #[oad::python("fractions.Fraction")]
    /// trait Fraction {
    ///     fn new(text: &str) -> Self;
    /// }
    ///
    /// # async fn example(py: oad::Interpreter) -> oad::Result<()> {
    /// let half = FractionProxy::new("1/2").in_interpreter(&py).await?;
    /// # Ok(()) }
    /// ```
    pub fn in_interpreter(self, interpreter: &Interpreter) -> Self {
        self.beside(interpreter.object.as_proxy())
    }
}

impl PythonProxy {
    /// Returns the interpreter that the object lives in. Objects made with its methods
    /// live in the same interpreter.
    ///
    /// ```no_run
    /// # async fn example(text: oad::PythonProxy) -> oad::Result<()> {
    /// let json = text.interpreter().import("json").await?;
    /// let quoted: String = json.call("dumps", (text.str().await?,)).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn interpreter(&self) -> Interpreter {
        Interpreter { object: self.clone() }
    }
}

impl Interpreter {
    /// Returns the process id of the interpreter.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.object.facts().pid
    }

    /// Returns the version of the interpreter, such as `3.11.7`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.object.facts().version
    }

    /// Returns the path that the interpreter was started with. In a virtual environment
    /// that is the environment's link, not the program it points to.
    #[must_use]
    pub fn executable(&self) -> &Path {
        Path::new(&self.object.facts().executable)
    }

    /// Imports a module by name; see [`python_module`](crate::python_module).
    pub fn import(&self, module: impl Into<String>) -> PythonBuilder {
        self.builder(PythonSource::Module(module.into()))
    }

    /// Makes an instance of a class; see [`python`](crate::python()).
    pub fn instance(&self, module: impl Into<String>, class: impl Into<String>) -> PythonBuilder {
        self.builder(PythonSource::Instance { module: module.into(), name: class.into() })
    }

    /// Makes a proxy of a name in a module; see [`python_name`](crate::python_name).
    pub fn name(&self, module: impl Into<String>, name: impl Into<String>) -> PythonBuilder {
        self.builder(PythonSource::Name { module: module.into(), name: name.into() })
    }

    /// Runs a script; see [`python_script`](crate::python_script).
    pub fn script(&self, name: impl Into<String>, source: impl Into<String>) -> PythonBuilder {
        self.builder(PythonSource::Script { source: source.into(), name: name.into() })
    }

    /// Imports a module from its file; see [`python_file`](crate::python_file).
    pub fn file(&self, path: impl Into<PathBuf>) -> PythonBuilder {
        PythonBuilder::file(path.into()).beside(self.object.as_proxy())
    }

    /// Converts a value to a Python object; see [`python_value`](crate::python_value).
    pub fn value(&self, value: impl Serialize) -> PythonBuilder {
        self.builder(PythonSource::Value).arg(value)
    }

    /// Evaluates an expression. It sees the builtins and the names that [`Eval::name`]
    /// binds.
    ///
    /// ```no_run
    /// # async fn example(py: oad::Interpreter) -> oad::Result<()> {
    /// let rows = py.value([3, 1, 2]).await?;
    /// let sum: i64 = py.eval("sum(rows) + n").name("rows", &rows).name("n", 2).await?;
    /// # Ok(()) }
    /// ```
    pub fn eval<T: FromPython>(&self, expression: impl Into<String>) -> Eval<T> {
        let arguments = ArgumentsBuilder::new().with::<String>(expression.into());
        let call = python_operation(&self.object, Action::Operate, "eval".into(), arguments);
        Eval { call, expects: PhantomData }
    }

    /// Runs statements, all in one request. They see the builtins and the names that
    /// [`Exec::name`] binds. Nothing that they define stays in the interpreter;
    /// [`Exec::returning`] returns what they bind to a name.
    ///
    /// ```no_run
    /// # async fn example(py: oad::Interpreter) -> oad::Result<()> {
    /// let rows = py.value(vec![3, 1, 2]).await?;
    /// py.exec("rows.sort()\ndel rows[n:]").name("rows", &rows).name("n", 2).await?;
    /// let total = py.exec("total = 0\nfor n in rows: total += n").name("rows", &rows);
    /// let total: i64 = total.returning("total").await?;
    /// # Ok(()) }
    /// ```
    pub fn exec(&self, statements: impl Into<String>) -> Exec {
        let arguments = ArgumentsBuilder::new().with::<String>(statements.into());
        Exec { object: self.object.clone(), arguments, timeout: None, keeps_exception: false }
    }

    /// Calls a function of some source with a tuple of arguments. Nothing of the source
    /// stays in the interpreter.
    pub(crate) fn run<T: FromPython>(
        &self,
        source: &str,
        function: &str,
        arguments: impl Serialize,
    ) -> Eval<T> {
        self.eval("(lambda scope: exec(source, scope) or scope[function])({})(*arguments)")
            .name("source", source)
            .name("function", function)
            .name("arguments", arguments)
    }

    pub(super) fn builder(&self, source: PythonSource) -> PythonBuilder {
        PythonBuilder::new(source).beside(self.object.as_proxy())
    }
}

impl MadeInPython for Interpreter {
    fn from_proxy(object: PythonProxy) -> Self {
        Interpreter { object }
    }
}

/// The methods for the daemon. [`Interpreter::pid`] is the interpreter's process id; the
/// daemon's is `interpreter.daemon().pid()`.
impl Remote for Interpreter {
    fn as_proxy(&self) -> &Proxy {
        self.object.as_proxy()
    }
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter")
            .field("pid", &self.pid())
            .field("version", &self.version())
            .field("executable", &self.executable())
            .finish_non_exhaustive()
    }
}

/// An expression that is evaluated when this future is first polled, or statements whose
/// result is asked for; see [`Interpreter::eval`] and [`Exec::returning`].
///
/// # Errors
///
/// Those of [`Call`]; [`ErrorKind::Exception`](crate::ErrorKind::Exception) also for a
/// syntax error.
///
/// # Cancel safety
///
/// As [`Call`].
#[must_use = "an expression is evaluated when this is awaited"]
pub struct Eval<T> {
    call: Call<T>,
    expects: PhantomData<fn() -> T>,
}

impl<T> Eval<T> {
    /// Binds a name for this evaluation only, to a value or to a proxy of an object in
    /// the same interpreter.
    pub fn name(self, name: &str, value: impl Serialize) -> Self {
        Eval { call: self.call.keyword(name, value), ..self }
    }

    /// Limits how long the evaluation may take; see [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Eval { call: self.call.timeout(timeout), ..self }
    }

    /// Copies the result; see [`Call::by_value`].
    pub fn by_value(self) -> Self {
        Eval { call: self.call.by_value(), ..self }
    }

    /// Reads a `NaN` as `None`; see [`Call::nan_as_none`].
    pub fn nan_as_none(self) -> Self {
        Eval { call: self.call.nan_as_none(), ..self }
    }

    /// Awaits the result; see [`Call::awaited`].
    pub fn awaited(self) -> Self {
        Eval { call: self.call.awaited(), ..self }
    }

    /// Evaluates on the main thread; see [`Call::on_main_thread`].
    pub fn on_main_thread(self) -> Self {
        Eval { call: self.call.on_main_thread(), ..self }
    }

    /// Keeps the result in the interpreter; see [`Call::by_handle`].
    pub fn by_handle(self) -> Self {
        Eval { call: self.call.by_handle(), ..self }
    }

    /// Keeps an exception as an object; see [`Call::keep_exception`].
    pub fn keep_exception(self) -> Self {
        Eval { call: self.call.keep_exception(), ..self }
    }
}

impl<T> Future for Eval<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.call).poll(cx)
    }
}

/// Statements that run when this is awaited; see [`Interpreter::exec`].
///
/// # Errors
///
/// As [`Eval`]. The traceback shows the line that fails.
///
/// # Cancel safety
///
/// As [`Call`].
#[must_use = "statements run when this is awaited"]
pub struct Exec {
    object: PythonProxy,
    arguments: ArgumentsBuilder,
    timeout: Option<Duration>,
    keeps_exception: bool,
}

impl Exec {
    /// Binds a name for these statements only, to a value or to a proxy of an object in
    /// the same interpreter.
    pub fn name(self, name: &str, value: impl Serialize) -> Self {
        Exec { arguments: self.arguments.with_keyword(name, value), ..self }
    }

    /// Limits how long the statements may take; see [`Call::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Exec { timeout: Some(timeout), ..self }
    }

    /// Keeps an exception as an object; see [`Call::keep_exception`].
    pub fn keep_exception(self) -> Self {
        Exec { keeps_exception: true, ..self }
    }

    /// Returns what the statements bind to this name. If they bind nothing to it, that
    /// is an error, after they have run.
    pub fn returning<T: FromPython>(mut self, name: &str) -> Eval<T> {
        self.arguments = self.arguments.with(name);
        self.call()
    }

    fn call<T: FromPython>(self) -> Eval<T> {
        let Exec { object, arguments, timeout, keeps_exception } = self;
        let call = python_operation(&object, Action::Operate, "exec".into(), arguments);
        let call = timeout.into_iter().fold(call, Call::timeout);
        let call = if keeps_exception { call.keep_exception() } else { call };
        Eval { call, expects: PhantomData }
    }
}

impl IntoFuture for Exec {
    type Output = Result<()>;
    type IntoFuture = Eval<()>;

    fn into_future(self) -> Self::IntoFuture {
        self.call()
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Eval<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eval").finish_non_exhaustive()
    }
}
