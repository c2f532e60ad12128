//! The connection to a daemon, for generated clients.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Service, ServiceExt as _};
use tracing::{Instrument as _, debug_span};

use crate::common::process::keeper;
use crate::parent::client::AuthorizedChannel;
use crate::parent::daemon::Daemon;

/// How long a call whose connection broke waits for the daemon's exit, which explains
/// more than the connection's own error.
const EXIT_DELAY: Duration = Duration::from_millis(100);

/// The connection to a daemon, for the clients that tonic generates:
/// `GreeterClient::new(daemon.channel())`.
///
/// It keeps the daemon alive, as a proxy does. It is cheap to clone, and carries many
/// calls at once.
///
/// Each call is a `tracing` span named `call`, at the level DEBUG, with the daemon's pid
/// and the name of the RPC.
///
/// # Errors
///
/// A call whose daemon dies fails with the status `UNAVAILABLE`; the message says how the
/// daemon died.
#[derive(Clone)]
pub struct Channel {
    inner: AuthorizedChannel,
    daemon: Daemon,
}

impl Daemon {
    /// Returns the connection to the daemon, for clients that tonic generates. Their
    /// services are those that the daemon's program adds with
    /// [`init_with`](crate::init_with).
    #[must_use]
    pub fn channel(&self) -> Channel {
        Channel { inner: self.client().channel(), daemon: self.clone() }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Errors are left to the call: tonic would report one from here as "service was
        // not ready".
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, daemon) = (self.inner.clone(), self.daemon.clone());
        let span = debug_span!("call", daemon = daemon.pid(), rpc = request.uri().path());
        let call = async move {
            match inner.oneshot(request).await {
                Ok(response) => Ok(response.map(|body| Body::new(ResponseBody::new(body, daemon)))),
                Err(error) => {
                    Err(explain_failure(daemon, Status::from_error(Box::new(error))).await)
                }
            }
        };
        Box::pin(call.instrument(span))
    }
}

/// Replaces the status of a failed connection with how the daemon exited, if it did.
async fn explain_failure(daemon: Daemon, status: Status) -> Status {
    let Ok(keeper) = keeper() else { return status };
    let supervisor = daemon.0.supervisor.clone();
    // On the keeper, because the caller's runtime may have no timer.
    let outcome = keeper.spawn(async move { timeout(EXIT_DELAY, supervisor.exited()).await });
    match outcome.await {
        Ok(Ok(outcome)) => {
            let error = outcome.into_error().on(daemon.to_string());
            Status::new(Code::Unavailable, error.to_string())
        }
        _ => status,
    }
}

/// The body of a response. It keeps the daemon alive until it has been read, and explains
/// an error in it.
struct ResponseBody {
    body: Body,
    daemon: Daemon,
    failure: Option<BoxFuture<'static, Status>>,
}

impl ResponseBody {
    fn new(body: Body, daemon: Daemon) -> Self {
        ResponseBody { body, daemon, failure: None }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(failure) = &mut self.failure {
                return failure.as_mut().poll(cx).map(|status| Some(Err(status)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(status)) => {
                    let failure = explain_failure(self.daemon.clone(), status);
                    self.failure = Some(Box::pin(failure));
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("daemon", &self.daemon).finish_non_exhaustive()
    }
}
