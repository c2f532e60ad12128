//! A call of a method, or another operation on an object.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::definition::{Action, Operation, Returns};
use crate::common::error::{Error, Result};
#[cfg(feature = "python")]
use crate::common::stream::Stream;
use crate::common::stream::Window;
use crate::common::value::{Held, Wanted, wanted};
use crate::parent::client::{ArgumentsBuilder, CallOptions, CallParts, Response, Submitted};
use crate::parent::proxy::adopt::{ReturnedValue, read};
use crate::parent::proxy::call_context::CallContext;
#[cfg(feature = "python")]
use crate::parent::proxy::from_python::FromPython;
#[cfg(feature = "python")]
use crate::parent::proxy::kept_exception::{keeping_exception, without_exception};
use crate::parent::proxy::{Origin, Proxy};

/// A call of a method: a future of what the method returns.
///
/// It is sent when it is first polled. Calls of one proxy are carried out in that order.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Counter { total: i64 }
/// # #[oad::object] impl Counter {
/// #     fn new(start: i64) -> Self { Counter { total: start } }
/// #     fn add(&mut self, n: i64) -> i64 { self.total += n; self.total }
/// # }
/// # async fn example() -> oad::Result<()> {
/// use std::time::Duration;
///
/// let counter = CounterProxy::new(1).await?;
/// let total: i64 = counter.add(2).timeout(Duration::from_secs(1)).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Exception`](crate::ErrorKind::Exception) if the method itself fails or
/// panics. Any other kind means that the call did not reach the method, or that its
/// result did not reach the caller.
///
/// # Cancel safety
///
/// Dropping the call frees the caller at once. Before its first poll, nothing has been
/// sent. After that, it depends on the method:
///
/// - A call that is still waiting for its turn is withdrawn.
/// - An async method is cancelled at its next await, unless it is marked
///   `#[oad(finish)]`.
/// - A sync method runs to its end, and its object stays busy meanwhile.
/// - Python code is interrupted by an exception. Code that an exception cannot reach,
///   such as a computation in C, runs to its end, and the object stays busy meanwhile,
///   unless it was made with [`kill_when_stuck`](crate::PythonBuilder::kill_when_stuck).
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T, E = Error> {
    state: CallState,
    decode: Decode<T, E>,
}

/// Converts the response to what the caller gets.
type Decode<T, E> = fn(Result<ReturnedValue>, &CallContext) -> Result<T, E>;

enum CallState {
    Prepared(PreparedCall),
    Sent(SentCall),
    Done,
}

struct PreparedCall {
    context: CallContext,
    arguments: ArgumentsBuilder,
    options: CallOptions,
}

/// The fields are dropped in this order: a dropped call is cancelled before its proxy is
/// released.
struct SentCall {
    submitted: Submitted,
    context: CallContext,
    /// The proxies among the arguments.
    _held: Held,
}

/// The parts of a method's `Result` type, even if that is an alias.
pub trait ResultParts {
    /// The type of a success.
    type Ok;
    /// The type of a failure.
    type Err;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}

impl Proxy {
    /// Calls a method by name, with a tuple of arguments; `()` for none.
    ///
    /// ```no_run
    /// # async fn example(counter: oad::Proxy) -> oad::Result<()> {
    /// let total: i64 = counter.call("add", (2,)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The requested type decides how the result of a Python object comes: by value, as a
    /// `Proxy` of an object that stays in the interpreter, or not at all for `()`.
    ///
    /// # Errors
    ///
    /// The call fails with [`ErrorKind::NoSuchMethod`](crate::ErrorKind::NoSuchMethod) if
    /// the object has no method of this name, with
    /// [`ErrorKind::BadArguments`](crate::ErrorKind::BadArguments) if the method takes
    /// other arguments, and with [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if
    /// its result cannot be read as a `T`.
    pub fn call<T: DeserializeOwned>(
        &self,
        method: impl Into<String>,
        arguments: impl Serialize,
    ) -> Call<T> {
        let arguments = ArgumentsBuilder::items_of(arguments);
        operation(self, Action::Call, Cow::Owned(method.into()), arguments)
    }
}

/// Prepares a call that fails with [`Error`].
pub fn call<T: DeserializeOwned>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    operation(proxy, Action::Call, method.into(), arguments)
}

/// Prepares a call that fails with the method's own error type.
pub fn call_fallible<T, E>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Call<T, E>
where
    T: DeserializeOwned,
    E: DeserializeOwned + From<Error>,
{
    // The macro uses it for Rust objects, whose results are not requested in other forms.
    let returns = Returns::Fitting;
    prepare(proxy, Action::Call, returns, method.into(), arguments, |response, context| {
        response.and_then(|returned| read(context, returned)).map_err(|error| {
            match error.exception().and_then(|exception| exception.get()) {
                Some(own) => own,
                None => E::from(error),
            }
        })
    })
}

/// Prepares any operation on an object.
fn operation<T: DeserializeOwned>(
    proxy: &Proxy,
    action: Action,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    prepare(proxy, action, returns::<T>(proxy), name, arguments, |response, context| {
        read(context, response?)
    })
}

/// Prepares an operation on a Python object.
#[cfg(feature = "python")]
pub(super) fn python_operation<T: FromPython>(
    proxy: &Proxy,
    action: Action,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    prepare(proxy, action, returns::<T::Read>(proxy), name, arguments, |response, context| {
        let read = read::<T::Read>(context, response?)?;
        T::from_read(read).map_err(|error| context.explain(error))
    })
}

/// Prepares an iteration over a Python object.
#[cfg(feature = "python")]
pub(super) fn iteration<T: FromPython>(
    proxy: &Proxy,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<Stream<T>> {
    let returns = returns::<T::Read>(proxy);
    prepare(proxy, Action::Iterate, returns, name, arguments, |response, context| {
        read(context, response?)
    })
}

/// How the result is requested of a Python object.
///
/// A proxy keeps the result in the interpreter, and `()` discards it. If no handle can be
/// anywhere in `T`, the result is copied, also where it is of a subclass of what can be
/// copied, such as a `Counter` for a map. Otherwise only instances of the very types that
/// can be copied are.
fn returns<T: DeserializeOwned>(proxy: &Proxy) -> Returns {
    if matches!(proxy.0.origin, Origin::Rust) {
        return Returns::Fitting;
    }
    match wanted::<T>() {
        Wanted::Handle => Returns::Handle,
        Wanted::HandleOrNull => Returns::HandleOrNull,
        Wanted::Nothing => Returns::Nothing,
        Wanted::Plain => Returns::Plain,
        Wanted::Container | Wanted::Any => Returns::Fitting,
    }
}

fn prepare<T, E>(
    proxy: &Proxy,
    action: Action,
    returns: Returns,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
    decode: Decode<T, E>,
) -> Call<T, E> {
    let options = CallOptions::default();
    let context = CallContext {
        proxy: proxy.clone(),
        action,
        name,
        returns,
        nan_is_none: false,
        keeps_exception: false,
    };
    let prepared = PreparedCall { context, arguments, options };
    Call { state: CallState::Prepared(prepared), decode }
}

impl<T, E> Call<T, E> {
    /// Limits how long the call, or the stream that it returns, may take, from the first
    /// poll to the end. There is no limit by default.
    ///
    /// After the timeout, the call or the stream fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout), and the method is cancelled as
    /// if the call were dropped. The error says how far the call had come, if the daemon
    /// reports that within another 40 ms.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change(|prepared| prepared.options.timeout = Some(timeout))
    }

    /// Limits how many items of a returned [`Stream`](crate::Stream) are produced before
    /// the caller reads them. The minimum is 1.
    ///
    /// The default begins with 64. It doubles up to 1,024 while the caller waits for
    /// items, and holds fewer items if they would be more than about 8 MiB together. A
    /// window that is set here stays as it is, whatever size the items have. A larger one
    /// takes memory if the items are large; a smaller one costs a wake-up for each item
    /// if they are small.
    ///
    /// Without a window that is set here, the code of a Python iterator makes one item
    /// each time the caller waits for one.
    pub fn window(self, items: u32) -> Self {
        self.change(|prepared| prepared.options.window = Window::exactly(items.max(1)))
    }

    /// Adds a keyword argument. Giving a name twice fails the call with
    /// [`ErrorKind::BadArguments`](crate::ErrorKind::BadArguments).
    #[doc(alias = "kwarg")]
    pub fn keyword(self, name: &str, argument: impl Serialize) -> Self {
        self.change(|prepared| {
            prepared.arguments =
                std::mem::take(&mut prepared.arguments).with_keyword(name, argument);
        })
    }

    /// Adds the fields of a struct, or the entries of a map with text keys, as keyword
    /// arguments.
    #[doc(alias = "kwargs")]
    pub fn keywords(self, arguments: impl Serialize) -> Self {
        self.change(|prepared| {
            prepared.arguments = std::mem::take(&mut prepared.arguments).with_keywords(arguments);
        })
    }

    /// Copies the result of a Python object, instances of subclasses included, and fails
    /// if something in it cannot be converted to a value.
    ///
    /// Instances of subclasses are named tuples, enumerations, dataclasses, a `Counter`,
    /// and the like. Types without proxies inside, such as `Vec<f64>`, are always copied
    /// that way; a [`Value`](crate::Value) holds a handle of such an object by default.
    /// For a Rust object this has no effect.
    pub fn by_value(self) -> Self {
        self.change(|prepared| prepared.context.returns = Returns::Value)
    }

    /// Reads a `NaN` in the result, or in an item of a returned stream, as `None`
    /// wherever an `Option` is asked for, and as `null` where any value is, as by
    /// `serde_json::Value`. By default it is a float like any other.
    ///
    /// Data frames have a `NaN` where a number is missing.
    pub fn nan_as_none(self) -> Self {
        self.change(|prepared| prepared.context.nan_is_none = true)
    }

    /// Keeps an exception of a Python object as an object in the interpreter, and what is
    /// not a value in its arguments: [`Exception::object`](crate::Exception::object)
    /// returns its proxy, and [`Exception::args`](crate::Exception::args) contains
    /// handles. By default, an exception comes as values that keep nothing alive.
    ///
    /// A call of an iteration cannot keep its exception, and fails with
    /// [`ErrorKind::BadArguments`](crate::ErrorKind::BadArguments). For a Rust object
    /// this has no effect.
    ///
    /// ```no_run
    /// # async fn example(model: oad::PythonProxy) -> oad::Result<()> {
    /// let made = model.call::<oad::PythonProxy>("model_validate", ("x",)).keep_exception();
    /// if let Err(error) = made.await
    ///     && let Some(exception) = error.exception().and_then(|exception| exception.object())
    /// {
    ///     let errors: Vec<oad::Value> = exception.call("errors", ()).await?;
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "python")]
    pub fn keep_exception(self) -> Self {
        self.change(|prepared| {
            let is_rust = matches!(prepared.context.proxy.0.origin, Origin::Rust);
            prepared.context.keeps_exception = !is_rust;
        })
    }

    /// Keeps the result of a Python object in the interpreter, whatever it is, so that it
    /// comes as a handle.
    ///
    /// This is for types that can hold a handle but do not have to, such as a
    /// [`Value`](crate::Value). A requested [`Proxy`] always stays there; for an
    /// `Option<Proxy>`, only Python's `None` is `None`. For a Rust object this has no
    /// effect.
    pub fn by_handle(self) -> Self {
        self.change(|prepared| {
            if prepared.context.returns != Returns::HandleOrNull {
                prepared.context.returns = Returns::Handle;
            }
        })
    }

    /// Awaits the result of a Python object, if it can be awaited, in the interpreter.
    ///
    /// A coroutine is awaited anyway, unless a proxy is asked for. This is for other
    /// awaitables, such as a future or a task, and for a proxy of what a coroutine
    /// returns. For a Rust object this has no effect.
    ///
    /// ```no_run
    /// # async fn example(client: oad::PythonProxy) -> oad::Result<()> {
    /// let body: String = client.call("fetch", ("a",)).await?; // `async def fetch`
    /// let session: oad::PythonProxy = client.call("connect", ()).awaited().await?;
    /// # Ok(()) }
    /// ```
    pub fn awaited(self) -> Self {
        self.change(|prepared| prepared.options.python.is_awaited = true)
    }

    /// Runs the call on the main thread of the interpreter, also if that has
    /// [`threads`](crate::PythonBuilder::threads) for calls.
    ///
    /// Some libraries need it, such as `signal` and most user interfaces. Without
    /// threads, and for a Rust object, this has no effect.
    pub fn on_main_thread(self) -> Self {
        self.change(|prepared| prepared.options.python.is_on_main_thread = true)
    }

    /// Changes the arguments.
    #[cfg(feature = "python")]
    pub(super) fn change_arguments(
        self,
        change: impl FnOnce(ArgumentsBuilder) -> ArgumentsBuilder,
    ) -> Self {
        self.change(|prepared| {
            prepared.arguments = change(std::mem::take(&mut prepared.arguments));
        })
    }

    fn change(mut self, change: impl FnOnce(&mut PreparedCall)) -> Self {
        if let CallState::Prepared(prepared) = &mut self.state {
            change(prepared);
        }
        self
    }
}

impl<T, E> Future for Call<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut sent = match std::mem::replace(&mut this.state, CallState::Done) {
            CallState::Prepared(prepared) => match prepared.send() {
                Ok(sent) => sent,
                Err((context, error)) => return Poll::Ready((this.decode)(Err(error), &context)),
            },
            CallState::Sent(sent) => sent,
            CallState::Done => panic!("a `Call` was polled after it had completed"),
        };
        let Poll::Ready(response) = Pin::new(&mut sent.submitted).poll(cx) else {
            this.state = CallState::Sent(sent);
            return Poll::Pending;
        };
        let context = &sent.context;
        let returned =
            response.and_then(Response::into_returned).map_err(|error| context.explain(error));
        #[cfg(feature = "python")]
        let returned = returned.and_then(|returned| without_exception(context, returned));
        Poll::Ready((this.decode)(returned, context))
    }
}

impl PreparedCall {
    fn send(self) -> Result<SentCall, (CallContext, Error)> {
        let PreparedCall { context, arguments, options } = self;
        let submitted = arguments.into_parts().and_then(|parts| {
            let CallParts { values, keywords, held, streams } = parts;
            let CallContext { proxy, action, name, returns, .. } = &context;
            let python = options.python;
            let operation =
                Operation { action: *action, name: name.to_string(), returns: *returns, python };
            #[cfg(feature = "python")]
            let (operation, (values, keywords)) = match context.keeps_exception {
                true => keeping_exception(operation, (values, keywords))?,
                false => (operation, (values, keywords)),
            };
            Ok((proxy.submit(operation, (values, keywords), streams, options)?, held))
        });
        match submitted {
            Ok((submitted, _held)) => Ok(SentCall { submitted, context, _held }),
            Err(error) => {
                let error = context.explain(error);
                Err((context, error))
            }
        }
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, name) = match &self.state {
            CallState::Prepared(prepared) => ("prepared", &*prepared.context.name),
            CallState::Sent(sent) => ("sent", &*sent.context.name),
            CallState::Done => ("done", ""),
        };
        f.debug_struct("Call").field("method", &name).field("state", &state).finish_non_exhaustive()
    }
}
