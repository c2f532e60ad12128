//! Counts the memory that the services hold for a client: messages that are arriving,
//! operations, and responses that the client has not read.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::future::{BoxFuture, Either};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Request, Response, Status};
use tower::{Layer, Service};

use crate::common::error::Result;
use crate::common::transport::{ClientMemory, HeldMemory, Peer};
use crate::common::wire::{CHUNK_SIZE, FrameMemory, arguments_weight, pb, status_from_error};

/// About how many bytes of memory an operation takes beside its arguments.
const OPERATION_WEIGHT: usize = 4 * 1024;

/// Messages up to this size arrive even if the daemon holds too much for their client: a
/// session must not be broken off by its next frame, which may cancel something.
const SMALL_MESSAGE: usize = 2 * CHUNK_SIZE;

/// Returns what counts the memory that is held for the client of a request; `None` if it
/// is trusted.
pub(super) fn client_memory<T>(request: &Request<T>) -> Option<ClientMemory> {
    request.extensions().get::<Peer>()?.memory.clone()
}

/// Counts an operation that is about to begin, if its client's memory is counted.
/// `counted` bytes of its arguments are counted already.
///
/// # Errors
///
/// [`ErrorKind::Limit`](crate::ErrorKind::Limit) if the daemon would hold too much.
pub(super) fn hold_operation(
    client: Option<&ClientMemory>,
    arguments: &pb::Arguments,
    counted: usize,
) -> Result<Option<HeldMemory>> {
    let weight = || OPERATION_WEIGHT + arguments_weight(arguments).saturating_sub(counted);
    client.map(|client| client.hold(weight())).transpose()
}

impl FrameMemory for ClientMemory {
    fn take(&self, bytes: usize) {
        ClientMemory::take(self, bytes);
    }

    fn give_back(&self, bytes: usize) {
        ClientMemory::give_back(self, bytes);
    }
}

/// What counts one request of a unary RPC and its response.
pub(super) struct RequestMemory {
    client: Option<ClientMemory>,
    message: Option<ArrivedMessage>,
    response: Option<HeldMemory>,
}

impl RequestMemory {
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let message = request.extensions().get::<ArrivedMessage>().cloned();
        RequestMemory { client: client_memory(request), message, response: None }
    }

    /// Counts an operation as long as the returned future of it.
    ///
    /// # Errors
    ///
    /// As [`hold_operation`].
    pub(super) fn operation<F: Future>(
        &self,
        arguments: &pb::Arguments,
    ) -> Result<impl FnOnce(F) -> CountedFuture<F> + use<F>> {
        let counted = self.message.as_ref().map_or(0, |message| message.held.bytes());
        let held = hold_operation(self.client.as_ref(), arguments, counted)?;
        let held = (held, self.message.clone());
        Ok(move |operation| CountedFuture { operation: Box::pin(operation), _held: held })
    }

    /// Counts the response to come.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit) if the daemon would hold too much.
    pub(super) fn hold_response(&mut self, weight: impl FnOnce() -> usize) -> Result<()> {
        if let Some(client) = &self.client {
            self.response = Some(client.hold(weight())?);
        }
        Ok(())
    }

    /// Returns the response, which is counted until it is sent.
    pub(super) fn respond<T>(self, mut response: Response<T>) -> Response<T> {
        if let Some(held) = self.response {
            response.extensions_mut().insert(UnsentResponse { _held: Arc::new(held) });
        }
        response
    }
}

/// An operation and what counts it.
pub(super) struct CountedFuture<F> {
    operation: Pin<Box<F>>,
    _held: (Option<HeldMemory>, Option<ArrivedMessage>),
}

impl<F: Future> Future for CountedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.operation.as_mut().poll(cx)
    }
}

// === The layer ===

/// Among the extensions of a request: counts the message that is arriving or has arrived
/// last.
#[derive(Clone, Debug)]
struct ArrivedMessage {
    held: Arc<HeldMemory>,
}

/// Among the extensions of a response: counts its message until it is encoded.
#[derive(Clone, Debug)]
struct UnsentResponse {
    _held: Arc<HeldMemory>,
}

/// Counts the bodies of requests and responses, also those of the user's own services.
#[derive(Clone, Debug)]
pub(crate) struct MemoryLayer;

impl<S> Layer<S> for MemoryLayer {
    type Service = CountedService<S>;

    fn layer(&self, inner: S) -> CountedService<S> {
        CountedService { inner }
    }
}

/// The services behind [`MemoryLayer`].
#[derive(Clone, Debug)]
pub(crate) struct CountedService<S> {
    inner: S,
}

impl<S> Service<http::Request<Body>> for CountedService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Self::Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>();
        let Some(memory) = peer.and_then(|peer| peer.memory.clone()) else {
            return Either::Left(self.inner.call(request));
        };
        let message = ArrivedMessage { held: Arc::new(memory.hold_anyway(0)) };
        request.extensions_mut().insert(message.clone());
        let request = request.map(|body| {
            Body::new(RequestBody { body, messages: MessageHeads::default(), message })
        });
        let response = self.inner.call(request);
        Either::Right(Box::pin(async move {
            let mut response = response.await?;
            let unsent = response.extensions_mut().remove::<UnsentResponse>();
            Ok(response.map(|body| Body::new(UnreadBody { body, memory, unsent })))
        }))
    }
}

/// The body of a request, of which each message is counted until the next one begins.
struct RequestBody {
    body: Body,
    messages: MessageHeads,
    message: ArrivedMessage,
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let arrived = self.messages.arrived(data);
            let held = &self.message.held;
            if arrived <= SMALL_MESSAGE {
                held.set_anyway(arrived);
            } else if let Err(error) = held.set(arrived) {
                return Poll::Ready(Some(Err(status_from_error(&error))));
            }
        }
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Finds the messages in a body: each has its length in front.
#[derive(Debug, Default)]
struct MessageHeads {
    head: [u8; 5],
    /// How many bytes of the head have arrived.
    len: usize,
    /// How many bytes are left of the message.
    left: usize,
    /// How many bytes of the message have arrived.
    arrived: usize,
}

impl MessageHeads {
    /// Takes account of bytes; returns how many of the last message have arrived.
    fn arrived(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            if self.left > 0 {
                let part = self.left.min(bytes.len());
                self.left -= part;
                self.arrived += part;
                bytes.advance(part);
                continue;
            }
            self.head[self.len] = bytes.get_u8();
            self.len += 1;
            if self.len == self.head.len() {
                let [_, len @ ..] = self.head;
                self.left = u32::from_be_bytes(len) as usize;
                (self.len, self.arrived) = (0, 0);
            }
        }
        self.arrived
    }
}

/// The body of a response. What it yields is counted until it is written or dropped,
/// because the HTTP/2 library takes a part of it before the client wants it.
struct UnreadBody {
    body: Body,
    memory: ClientMemory,
    unsent: Option<UnsentResponse>,
}

impl HttpBody for UnreadBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // Its message is encoded now.
        self.unsent = None;
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| {
                    let _held = self.memory.hold_anyway(bytes.len());
                    Bytes::from_owner(UnsentBytes { bytes, _held })
                })
            })
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// A part of a response, and what counts it.
struct UnsentBytes {
    bytes: Bytes,
    _held: HeldMemory,
}

impl AsRef<[u8]> for UnsentBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_their_bytes_arrive() {
        let message = |len: usize| {
            let head = u32::try_from(len).expect("it is short").to_be_bytes();
            [&[0], &head[..], &vec![1; len]].concat()
        };
        let bytes = [message(3), message(0), message(300), message(7)[..9].to_vec()].concat();
        for step in 1..20 {
            let mut messages = MessageHeads::default();
            let arrived = bytes.chunks(step).map(|part| messages.arrived(part)).collect::<Vec<_>>();
            assert_eq!(arrived.last(), Some(&4));
            assert!(arrived.iter().max() <= Some(&300) && arrived.iter().max() > Some(&250));
        }
    }
}
