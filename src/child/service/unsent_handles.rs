//! The handles in responses of RPCs that are not a session's, until the responses are on
//! their way.
//!
//! A client may cancel an RPC while its response is being sent. It never learns of the
//! objects in the response then, so these are released.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response as HttpResponse;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Request, Response, Status};

use crate::child::host::HandleGuard;
use crate::child::object::CallScope;
use crate::common::transport::{Peer, ReadTurns};
use crate::common::value::Handle;
use crate::common::wire::SendGuard;

/// The guards of the handles in one response, which travel with it to
/// [`hold_until_sent`].
#[derive(Clone, Debug)]
pub(super) struct UnsentHandles {
    guards: Arc<Mutex<Guards>>,
    /// Those of the client's connection.
    turns: Option<ReadTurns>,
}

type Guards = Vec<Box<dyn SendGuard>>;

impl UnsentHandles {
    /// For the response to a request.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let peer = request.extensions().get::<Peer>();
        let turns = peer.map(|peer| peer.admission.read_turns().clone());
        UnsentHandles { guards: Arc::default(), turns }
    }

    pub(super) fn push(&self, guard: impl SendGuard + 'static) {
        self.lock().push(Box::new(guard));
    }

    /// Returns the response with its handles, if it has any.
    pub(super) fn respond<T>(self, response: T, handles: Option<HandleGuard>) -> Response<T> {
        let mut response = Response::new(response);
        if let Some(handles) = handles.filter(|handles| !handles.is_empty()) {
            self.push(handles);
            response.extensions_mut().insert(self);
        }
        response
    }

    fn take(&self) -> Guards {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Guards> {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the guards of a response into its body.
pub(crate) fn hold_until_sent(mut response: HttpResponse<Body>) -> HttpResponse<Body> {
    match response.extensions_mut().remove::<UnsentHandles>() {
        Some(unsent) => {
            let body = |body| GuardedBody { body, unsent, in_frame: Vec::new(), turn: 0 };
            response.map(|inner| Body::new(body(inner)))
        }
        None => response,
    }
}

/// The handles of an item, which its call does not guard any more. If this is dropped
/// before the item is sent, they are released.
#[derive(Debug)]
pub(super) struct UnsentItem {
    handles: Vec<Handle>,
    scope: Arc<dyn CallScope>,
}

impl UnsentItem {
    /// Takes over the handles from the call; `None` if there are none.
    pub(super) fn of(handles: Vec<Handle>, scope: &Arc<dyn CallScope>) -> Option<Self> {
        scope.note_sent(&handles);
        (!handles.is_empty()).then(|| UnsentItem { handles, scope: Arc::clone(scope) })
    }
}

impl SendGuard for UnsentItem {
    fn sent(mut self: Box<Self>) {
        self.handles.clear();
    }
}

impl Drop for UnsentItem {
    fn drop(&mut self) {
        self.scope.release(&self.handles);
    }
}

impl SendGuard for HandleGuard {
    fn sent(self: Box<Self>) {
        self.keep();
    }
}

/// A body with the guards of the handles in it. The server drops it when the client
/// cancels.
struct GuardedBody {
    body: Body,
    unsent: UnsentHandles,
    /// The guards of the last frame that was returned.
    in_frame: Guards,
    /// How often the connection had been read then.
    turn: u64,
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.in_frame.is_empty() {
            // A cancel that has arrived must be read first. The server reads when it has
            // something to send.
            if let Some(turns) = &self.unsent.turns {
                ready!(turns.poll_more_than(self.turn, cx));
            }
            // The server asks for the next frame when it has sent the last one.
            self.in_frame.drain(..).for_each(SendGuard::sent);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.in_frame = self.unsent.take();
        self.turn = self.unsent.turns.as_ref().map_or(0, ReadTurns::count);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // Otherwise the server would not ask again after the last frame.
        self.in_frame.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Waker;

    use super::*;

    /// Notes whether its handles were sent.
    #[derive(Clone, Debug, Default)]
    struct SentNote(Arc<AtomicBool>);

    impl SendGuard for SentNote {
        fn sent(self: Box<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn cancel_that_has_arrived_is_read_before_handles_count_as_sent() {
        let (sent, turns) = (SentNote::default(), ReadTurns::default());
        let unsent = UnsentHandles { guards: Arc::default(), turns: Some(turns.clone()) };
        unsent.push(sent.clone());
        let mut response = HttpResponse::new(Body::new("message".to_owned()));
        response.extensions_mut().insert(unsent);
        let mut body = Box::pin(hold_until_sent(response).into_body());
        let mut poll = || body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
        turns.note();
        assert!(matches!(poll(), Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        assert!(poll().is_pending() && poll().is_pending());
        assert!(!sent.0.load(Ordering::Relaxed));
        turns.note();
        assert!(matches!(poll(), Poll::Ready(None)));
        assert!(sent.0.load(Ordering::Relaxed));
    }
}
