//! A call of a method.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::Submitted;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{Held, Packed};
use crate::proxy::Proxy;
use crate::proxy::claim::read;
use crate::value::Value;

/// A call of a method: a future of what it returns. It is sent when it is first polled, and the calls of one proxy are carried out in that order.
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
/// let total: i64 = counter.add(2).deadline(Duration::from_secs(1)).await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::Exception`] if the method itself fails or panics; anything else means that it could not be asked, or its answer not be had.
///
/// # Cancel safety
///
/// Dropping it frees the caller at once. Before its first poll nothing has been sent; after it, a call that waits for its turn is taken back, an async
/// method is cancelled at its next await (unless it is marked `#[oad(finish)]`), and a sync one runs on and keeps its object meanwhile.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T, E = Error> {
    state: State,
    decode: Decode<T, E>,
}

/// Turns the answer into what the caller gets; the function puts into an error of its own what was called, and where.
type Decode<T, E> = fn(Result<Value>, &Proxy, &dyn Fn(Error) -> Error) -> Result<T, E>;

enum State {
    Prepared(Prepared),
    /// The operation comes first, so that a dropped call is cancelled before its proxy is released.
    Sent {
        submitted: Submitted,
        proxy: Proxy,
        method: Cow<'static, str>,
        /// The proxies among the arguments.
        _held: Held,
    },
    Done,
}

struct Prepared {
    proxy: Proxy,
    method: Cow<'static, str>,
    arguments: Packed,
    deadline: Option<Duration>,
}

/// What a method's `Result` consists of, also where its type is an alias.
pub trait Outcome {
    /// What it is if all goes well.
    type Ok;
    /// What it is if not.
    type Err;
}

impl<T, E> Outcome for Result<T, E> {
    type Ok = T;
    type Err = E;
}

/// Prepares a call whose failures are all [`Error`]s.
pub fn call<T: DeserializeOwned>(proxy: &Proxy, method: &'static str, arguments: Packed) -> Call<T> {
    call_named(proxy, method.into(), arguments)
}

/// The same, for a method whose name is known only now.
pub(super) fn call_named<T: DeserializeOwned>(proxy: &Proxy, method: Cow<'static, str>, arguments: Packed) -> Call<T> {
    prepare(proxy, method, arguments, |answer, proxy, explain| read(proxy.daemon(), answer?).map_err(explain))
}

/// Prepares a call whose failures are the method's own error type.
pub fn call_fallible<T, E>(proxy: &Proxy, method: &'static str, arguments: Packed) -> Call<T, E>
where
    T: DeserializeOwned,
    E: DeserializeOwned + From<Error>,
{
    prepare(proxy, method.into(), arguments, |answer, proxy, explain| {
        answer.and_then(|value| read(proxy.daemon(), value).map_err(explain)).map_err(|error| {
            match error.exception().and_then(|exception| exception.get()) {
                Some(own) => own,
                None => E::from(error),
            }
        })
    })
}

fn prepare<T, E>(proxy: &Proxy, method: Cow<'static, str>, arguments: Packed, decode: Decode<T, E>) -> Call<T, E> {
    let prepared = Prepared { proxy: proxy.clone(), method, arguments, deadline: None };
    Call { state: State::Prepared(prepared), decode }
}

impl<T, E> Call<T, E> {
    /// How long to wait for the answer, from the first poll; without limit by default. Then the call fails with [`ErrorKind::Deadline`], and
    /// the method is cancelled as if the call were dropped.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        if let State::Prepared(prepared) = &mut self.state {
            prepared.deadline = Some(deadline);
        }
        self
    }
}

impl<T, E> Future for Call<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let State::Prepared(_) = this.state {
            let State::Prepared(prepared) = std::mem::replace(&mut this.state, State::Done) else {
                unreachable!("it was just looked at")
            };
            let proxy = prepared.proxy.clone();
            match prepared.send() {
                Ok(sent) => this.state = sent,
                Err(error) => return Poll::Ready((this.decode)(Err(error), &proxy, &|error| error)),
            }
        }
        let State::Sent { proxy, method, submitted, .. } = &mut this.state else {
            panic!("a call is polled after its end")
        };
        let answer = ready!(Pin::new(submitted).poll(cx));
        let explain = |error| explain(error, proxy, method);
        let answer = (this.decode)(answer.and_then(|answer| answer.into_value()).map_err(explain), proxy, &explain);
        this.state = State::Done;
        Poll::Ready(answer)
    }
}

impl Prepared {
    fn send(self) -> Result<State> {
        let Prepared { proxy, method, arguments, deadline } = self;
        let sent = arguments.into_parts().and_then(|(arguments, held)| {
            Ok((proxy.daemon().client().call(proxy.handle(), &method, arguments, deadline)?, held))
        });
        let (submitted, _held) = sent.map_err(|error| explain(error, &proxy, &method))?;
        Ok(State::Sent { proxy, method, submitted, _held })
    }
}

/// Says what was tried, and on which daemon.
fn explain(error: Error, proxy: &Proxy, method: &str) -> Error {
    let error = error.doing(format!("calling {}.{method}", proxy.short_name())).on(proxy.daemon().to_string());
    match error.kind() {
        ErrorKind::BadArguments => error.advise("is the daemon's program of the same version as this one?"),
        _ => error,
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, method) = match &self.state {
            State::Prepared(prepared) => ("prepared", prepared.method.as_ref()),
            State::Sent { method, .. } => ("sent", method.as_ref()),
            State::Done => ("done", ""),
        };
        f.debug_struct("Call").field("method", &method).field("state", &state).finish_non_exhaustive()
    }
}
