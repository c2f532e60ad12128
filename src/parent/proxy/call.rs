//! A call of a method.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::definition::{self, Action, Returns, short_name};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{IncomingItems, Stream, WINDOW};
use crate::common::value::{Held, Value, Wanted, wanted};
use crate::parent::client::{ArgumentsBuilder, CallParts};
use crate::parent::client::{Options, Response, Submitted};
use crate::parent::proxy::adopt::read;
use crate::parent::proxy::{FromPython, Nature, Proxy};

/// A call of a method: a future of what it returns. It is sent when it is first polled,
/// and the calls of one proxy are carried out in that order.
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
/// [`ErrorKind::Exception`] if the method itself fails or panics; anything else means
/// that it could not be asked, or its answer not be had.
///
/// # Cancel safety
///
/// Dropping it frees the caller at once. Before its first poll nothing has been sent;
/// after it, a call that waits for its turn is taken back, an async method is cancelled
/// at its next await (unless it is marked `#[oad(finish)]`), and a sync one runs on and
/// keeps its object meanwhile. Python code is interrupted, by an exception in the very
/// call; what no exception reaches, such as a computation in C, runs on, and the object
/// is busy meanwhile, unless it was made with
/// [`kill_when_stuck`](crate::PythonBuilder::kill_when_stuck).
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T, E = Error> {
    state: CallState,
    decode: Decode<T, E>,
}

/// Turns the answer into what the caller gets; the function puts into an error of its own
/// what was called, and where.
type Decode<T, E> = fn(Result<ReturnedValue>, &CallContext<'_>) -> Result<T, E>;

/// What a method has returned: a value, and the stream that it stands for if it is one.
pub(super) type ReturnedValue = (Value, Option<IncomingItems>);

/// What was asked of which object.
#[derive(Clone, Copy)]
pub(super) struct CallContext<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) action: Action,
    pub(super) name: &'a str,
}

enum CallState {
    Prepared(PreparedCall),
    /// The operation comes first, so that a dropped call is cancelled before its proxy is
    /// released.
    Sent {
        submitted: Submitted,
        proxy: Proxy,
        action: Action,
        name: Cow<'static, str>,
        /// The proxies among the arguments.
        _held: Held,
    },
    Done,
}

struct PreparedCall {
    proxy: Proxy,
    action: Action,
    returns: Returns,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
    options: Options,
}

/// What a method's `Result` consists of, also where its type is an alias.
pub trait ResultParts {
    /// What it is if all goes well.
    type Ok;
    /// What it is if not.
    type Err;
}

impl<T, E> ResultParts for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Prepares a call whose failures are all [`Error`]s.
pub fn call<T: DeserializeOwned>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    call_named(proxy, method.into(), arguments)
}

/// The same, for a method whose name is known only now.
pub(super) fn call_named<T: DeserializeOwned>(
    proxy: &Proxy,
    method: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    ask(proxy, Action::Call, method, arguments)
}

/// The same, for what else can be done with a name of an object.
pub(super) fn ask<T: DeserializeOwned>(
    proxy: &Proxy,
    action: Action,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    let mut call = prepare(proxy, name, arguments, |answer, asked| read(asked, answer?));
    if let CallState::Prepared(prepared) = &mut call.state {
        prepared.action = action;
        prepared.returns = returns::<T>();
    }
    call
}

/// The same for a Python object.
pub(super) fn ask_python<T: FromPython>(
    proxy: &Proxy,
    action: Action,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<T> {
    let mut call = prepare(proxy, name, arguments, |answer, context| {
        let read = read::<T::Read>(context, answer?)?;
        T::from_read(read).map_err(|error| context.explain(error))
    });
    if let CallState::Prepared(prepared) = &mut call.state {
        prepared.action = action;
        prepared.returns = returns::<T::Read>();
    }
    call
}

/// The same for the items of what is iterated over.
pub(super) fn ask_items<T: DeserializeOwned>(
    proxy: &Proxy,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
) -> Call<Stream<T>> {
    let mut call = ask(proxy, Action::Iterate, name, arguments);
    if let CallState::Prepared(prepared) = &mut call.state {
        prepared.returns = returns::<T>();
    }
    call
}

/// Who wants a proxy wants the object to stay, whatever it is, and who wants nothing can
/// be given nothing.
fn returns<T: DeserializeOwned>() -> Returns {
    match wanted::<T>() {
        Wanted::Handle => Returns::Handle,
        Wanted::HandleOrNull => Returns::HandleOrNull,
        Wanted::Nothing => Returns::Nothing,
        Wanted::Plain | Wanted::Container | Wanted::Any => Returns::Fitting,
    }
}

/// Prepares a call whose failures are the method's own error type.
pub fn call_fallible<T, E>(
    proxy: &Proxy,
    method: &'static str,
    arguments: ArgumentsBuilder,
) -> Call<T, E>
where
    T: DeserializeOwned,
    E: DeserializeOwned + From<Error>,
{
    prepare(proxy, method.into(), arguments, |answer, asked| {
        answer.and_then(|returned| read(asked, returned)).map_err(|error| {
            match error.exception().and_then(|exception| exception.get()) {
                Some(own) => own,
                None => E::from(error),
            }
        })
    })
}

fn prepare<T, E>(
    proxy: &Proxy,
    name: Cow<'static, str>,
    arguments: ArgumentsBuilder,
    decode: Decode<T, E>,
) -> Call<T, E> {
    let options = Options { deadline: None, window: WINDOW };
    let (action, returns) = (Action::Call, Returns::Fitting);
    let prepared = PreparedCall { proxy: proxy.clone(), action, returns, name, arguments, options };
    Call { state: CallState::Prepared(prepared), decode }
}

impl<T, E> Call<T, E> {
    /// How long to wait for the answer, or for the end of the stream that it is, from the
    /// first poll; without limit by default. Then the call, or the stream, fails with
    /// [`ErrorKind::Timeout`], and the method is cancelled as if the call were dropped.
    /// The error says how far the call had come, if the daemon tells that within 40 ms
    /// more.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|options| options.deadline = Some(timeout))
    }

    /// How many items of a [`Stream`](crate::Stream) that the method returns may be made
    /// before they are taken; 64 by default, and 1 at the least. More of them cost memory
    /// here when they are large, fewer cost a wake-up for each when they are small.
    pub fn window(self, items: u32) -> Self {
        self.set(|options| options.window = items.max(1))
    }

    /// One more argument, by its name. A name that is given twice fails the call with
    /// [`ErrorKind::BadArguments`].
    pub fn keyword(self, name: &str, argument: impl Serialize) -> Self {
        self.change(|prepared| {
            prepared.arguments =
                std::mem::take(&mut prepared.arguments).with_keyword(name, &argument);
        })
    }

    /// Has the result of a Python object's come by value also if it is of a subclass of
    /// what travels, such as a named tuple or an enumeration; what is no value then fails
    /// the call. Means nothing for a Rust object.
    pub fn by_value(self) -> Self {
        self.change(|prepared| prepared.returns = Returns::Value)
    }

    /// Has the result of a Python object's stay in the interpreter, whatever it is, so
    /// that it comes as a handle: for types that can hold one and do not need to, such as
    /// a [`Value`]. Who asks for a [`Proxy`] need not say this, nor for an
    /// `Option<Proxy>`, which is `None` for Python's `None` and that alone. Means nothing
    /// for a Rust object.
    pub fn by_handle(self) -> Self {
        self.change(|prepared| {
            if prepared.returns != Returns::HandleOrNull {
                prepared.returns = Returns::Handle;
            }
        })
    }

    fn set(self, change: impl FnOnce(&mut Options)) -> Self {
        self.change(|prepared| change(&mut prepared.options))
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
        if let CallState::Prepared(_) = this.state {
            let CallState::Prepared(prepared) = std::mem::replace(&mut this.state, CallState::Done)
            else {
                unreachable!("it was just looked at")
            };
            let (proxy, action, name) =
                (prepared.proxy.clone(), prepared.action, prepared.name.clone());
            match prepared.send() {
                Ok(sent) => this.state = sent,
                Err(error) => {
                    return Poll::Ready((this.decode)(
                        Err(error),
                        &CallContext { proxy: &proxy, action, name: &name },
                    ));
                }
            }
        }
        let CallState::Sent { proxy, action, name, submitted, .. } = &mut this.state else {
            panic!("a call is polled after its end")
        };
        let answer = ready!(Pin::new(submitted).poll(cx));
        let asked = CallContext { proxy, action: *action, name };
        let returned =
            answer.and_then(Response::into_returned).map_err(|error| asked.explain(error));
        let answer = (this.decode)(returned, &asked);
        this.state = CallState::Done;
        Poll::Ready(answer)
    }
}

impl PreparedCall {
    fn send(self) -> Result<CallState> {
        let PreparedCall { proxy, action, returns, name, arguments, options } = self;
        let sent =
            arguments.into_parts().and_then(|CallParts { values, keywords, held, streams }| {
                let asked = definition::Operation { action, name: name.to_string(), returns };
                let client = proxy.daemon().client();
                Ok((
                    client.call(proxy.handle(), &asked, (values, keywords), streams, options)?,
                    held,
                ))
            });
        let (submitted, _held) = sent
            .map_err(|error| CallContext { proxy: &proxy, action, name: &name }.explain(error))?;
        Ok(CallState::Sent { proxy, action, name, submitted, _held })
    }
}

impl CallContext<'_> {
    /// Says what was tried, and on which daemon.
    pub(super) fn explain(&self, error: Error) -> Error {
        let error = error.doing(self.act()).on(self.proxy.daemon().to_string());
        match (error.kind(), &self.proxy.0.nature) {
            (ErrorKind::BadArguments, Nature::Rust) => {
                error.advise("is the daemon's program of the same version as this one?")
            }
            _ => error,
        }
    }

    fn act(&self) -> String {
        let (called, name) = (self.proxy.called(), short_name(self.name));
        let place = if name.is_empty() { called.to_owned() } else { format!("{called}.{name}") };
        match (self.action, name) {
            (Action::Call, _) => format!("calling {place}"),
            (Action::GetAttribute, _) => format!("getting {place}"),
            (Action::SetAttribute, _) => format!("setting {place}"),
            (Action::DeleteAttribute, _) => format!("deleting {place}"),
            (Action::Operate, "getitem") => format!("getting {called}[…]"),
            (Action::Operate, "setitem") => format!("setting {called}[…]"),
            (Action::Operate, "delitem") => format!("deleting {called}[…]"),
            (Action::Operate, _) => format!("applying `{name}` to {called}"),
            (Action::Iterate, _) => format!("iterating over {place}"),
        }
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, name) = match &self.state {
            CallState::Prepared(prepared) => ("prepared", prepared.name.as_ref()),
            CallState::Sent { name, .. } => ("sent", name.as_ref()),
            CallState::Done => ("done", ""),
        };
        f.debug_struct("Call").field("method", &name).field("state", &state).finish_non_exhaustive()
    }
}
