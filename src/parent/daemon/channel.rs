//! The door for generated clients.

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

use crate::common::error::Error;
use crate::common::process::keeper;
use crate::parent::client::Authorized;
use crate::parent::daemon::Daemon;
use crate::parent::daemon::supervisor::verdict;

/// How long a broken connection waits for the news that the daemon has gone, which says
/// more than the connection can.
const AFTERMATH: Duration = Duration::from_millis(100);

/// The connection to a daemon, for the clients that tonic generates:
/// `GreeterClient::new(daemon.channel())`.
///
/// It keeps the daemon alive, as a proxy does. Each call is a `tracing` span, `call`, at
/// the level DEBUG, with the daemon's pid and the name of the RPC. A call whose daemon
/// dies fails with `UNAVAILABLE` and says how it died. It is cheap to clone, and carries
/// many calls at once.
#[derive(Clone)]
pub struct Channel {
    inner: Authorized,
    daemon: Daemon,
}

impl Channel {
    pub(super) fn new(inner: Authorized, daemon: Daemon) -> Self {
        Channel { inner, daemon }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // What is amiss is told by the call: an error from here would be told as "service
        // was not ready".
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, daemon) = (self.inner.clone(), self.daemon.clone());
        let span = debug_span!("call", daemon = daemon.pid(), rpc = request.uri().path());
        let call = async move {
            match inner.oneshot(request).await {
                Ok(response) => {
                    Ok(response.map(|body| Body::new(Answered { body, daemon, epitaph: None })))
                }
                Err(error) => Err(epitaph(daemon, Status::from_error(Box::new(error))).await),
            }
        };
        Box::pin(call.instrument(span))
    }
}

/// What to say of a connection that has failed: how its daemon has gone, if it has.
async fn epitaph(daemon: Daemon, status: Status) -> Status {
    let Ok(keeper) = keeper() else { return status };
    let supervisor = daemon.0.supervisor.clone();
    // On the keeper, whose timer works wherever the caller waits.
    let outcome = keeper.spawn(async move { timeout(AFTERMATH, supervisor.exited()).await });
    match outcome.await {
        Ok(Ok(outcome)) => {
            let error: Error = verdict(outcome).on(daemon.to_string());
            Status::new(Code::Unavailable, error.to_string())
        }
        _ => status,
    }
}

/// The body of an answer. It keeps the daemon alive while it comes, and an error in it
/// waits for the epitaph.
struct Answered {
    body: Body,
    daemon: Daemon,
    epitaph: Option<BoxFuture<'static, Status>>,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(epitaph) = &mut self.epitaph {
                return epitaph.as_mut().poll(cx).map(|status| Some(Err(status)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(status)) => {
                    self.epitaph = Some(Box::pin(epitaph(self.daemon.clone(), status)))
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.epitaph.is_none() && self.body.is_end_stream()
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
