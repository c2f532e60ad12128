//! The ways back to the caller of one call: over a session, and over the one RPC of somebody who asks by hand.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::mpsc;
use tonic::Status;

use crate::error::{Error, ErrorKind, Result};
use crate::object::Line;
use crate::service::check_size;
use crate::stream::{Credit, Inbound, Incoming, Upstream, WINDOW};
use crate::value::Value;
use crate::wire::pb::iterate_response::Outcome;
use crate::wire::pb::session_response::Result as Answer;
use crate::wire::{CHUNK_SIZE, Outbox, error_from_failure, pb, value_to_pb, values_from_pb};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way back to the caller of one call over a session.
#[derive(Debug)]
pub(super) struct SessionLine {
    id: u64,
    outbox: Outbox<pb::SessionResponse>,
    message_limit: usize,
    depth_limit: usize,
    /// For the items that the method returns.
    credit: Credit,
    /// The streams among the arguments that the method receives.
    uploads: Mutex<HashMap<u64, Arc<Inbound>>>,
}

impl SessionLine {
    pub(super) fn new(
        id: u64,
        credit: u32,
        outbox: Outbox<pb::SessionResponse>,
        message_limit: usize,
        depth_limit: usize,
    ) -> Arc<Self> {
        let uploads = Mutex::default();
        Arc::new(SessionLine { id, outbox, message_limit, depth_limit, credit: Credit::new(credit), uploads })
    }

    /// The caller allows more items.
    pub(super) fn grant(&self, credit: &pb::Credit) {
        self.credit.grant(credit.items);
    }

    /// The caller has sent items.
    pub(super) fn take(&self, items: pb::Items) {
        let pb::Items { stream, values, ended, failure } = items;
        let Some(inbound) = self.uploads().get(&stream).cloned() else { return };
        let pushed = values_from_pb(values).and_then(|values| {
            values.iter().try_for_each(|value| value.check_depth(self.depth_limit))?;
            inbound.push(values)
        });
        match (pushed, failure) {
            (Err(error), _) => inbound.end(Err(error)),
            (Ok(_), Some(failure)) => inbound.end(Err(error_from_failure(failure))),
            (Ok(_), None) if ended => inbound.end(Ok(())),
            (Ok(_), None) => {}
        }
    }

    /// What has come for a stream cannot be taken.
    pub(super) fn refuse(&self, error: &Error) {
        self.uploads().values().for_each(|inbound| inbound.end(Err(error.clone())));
    }

    /// The call has ended; what it still receives ends with it.
    pub(super) fn end(&self) {
        self.refuse(&Error::new(ErrorKind::Cancelled, "the call that the stream was given to has ended"));
    }

    async fn send_frame(&self, values: Vec<pb::Value>) -> Result<()> {
        let items = pb::Items { values, ..Default::default() };
        check_size(&items, self.message_limit)?;
        let (id, len) = (self.id, items.encoded_len());
        let response = pb::SessionResponse { id, result: Some(Answer::Items(items)), detached: 0 };
        if len <= CHUNK_SIZE {
            self.outbox.send(response);
            return Ok(());
        }
        let message: Bytes = response.encode_to_vec().into();
        let announcement = pb::SessionResponse { id, result: None, detached: message.len() as u64 };
        self.outbox.send_in_chunks(announcement, id, message).await;
        Ok(())
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<u64, Arc<Inbound>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line for SessionLine {
    fn open(&self) {
        let result = Some(Answer::Opened(pb::Opened {}));
        self.outbox.send(pb::SessionResponse { id: self.id, result, detached: 0 });
    }

    fn room(&self) -> Boxed<'_, usize> {
        Box::pin(self.credit.room())
    }

    fn send(&self, items: Vec<Value>) -> Boxed<'_, Result<()>> {
        self.credit.spend(items.len());
        Box::pin(async move {
            let (mut frame, mut size) = (Vec::new(), 0);
            for item in items {
                let item = value_to_pb(item);
                let len = item.encoded_len();
                if size + len > CHUNK_SIZE && !frame.is_empty() {
                    self.send_frame(std::mem::take(&mut frame)).await?;
                    size = 0;
                }
                size += len;
                frame.push(item);
            }
            self.send_frame(frame).await
        })
    }

    fn receive(&self, stream: u64) -> Result<Incoming> {
        let inbound = Arc::<Inbound>::default();
        if self.uploads().insert(stream, Arc::clone(&inbound)).is_some() {
            return Err(Error::new(ErrorKind::BadArguments, "the stream was taken already"));
        }
        let upstream = Upload { id: self.id, stream, outbox: self.outbox.clone() };
        let incoming = Incoming::new(inbound, Arc::new(upstream.clone()), WINDOW);
        upstream.grant(WINDOW);
        Ok(incoming)
    }
}

/// The way to who makes the items of a stream among the arguments.
#[derive(Clone, Debug)]
struct Upload {
    id: u64,
    stream: u64,
    outbox: Outbox<pb::SessionResponse>,
}

impl Upstream for Upload {
    fn grant(&self, items: u32) {
        let result = Some(Answer::Credit(pb::Credit { stream: self.stream, items }));
        self.outbox.send(pb::SessionResponse { id: self.id, result, detached: 0 });
    }

    fn stop(&self) {
        self.grant(0);
    }
}

/// The way back to somebody who asks by hand, for the items of one stream. The transport holds up who is not read.
pub(super) struct RpcLine {
    items: mpsc::Sender<Option<IterateItem>>,
    message_limit: usize,
}

/// What is told by hand; `None` after the last.
pub(super) type IterateItem = Result<pb::IterateResponse, Status>;

impl RpcLine {
    pub(super) fn new(items: mpsc::Sender<Option<IterateItem>>, message_limit: usize) -> Self {
        RpcLine { items, message_limit }
    }
}

impl Line for RpcLine {
    fn open(&self) {}

    fn room(&self) -> Boxed<'_, usize> {
        Box::pin(async move {
            // If nobody reads any more the call is about to be dropped.
            let _ = self.items.reserve().await;
            self.items.capacity().max(1)
        })
    }

    fn send(&self, items: Vec<Value>) -> Boxed<'_, Result<()>> {
        Box::pin(async move {
            for item in items {
                let response = pb::IterateResponse { outcome: Some(Outcome::Value(value_to_pb(item))) };
                check_size(&response, self.message_limit)?;
                // As above.
                let _ = self.items.send(Some(Ok(response))).await;
            }
            Ok(())
        })
    }

    fn receive(&self, _: u64) -> Result<Incoming> {
        Err(Error::new(ErrorKind::BadArguments, "a stream can only be given over a session"))
    }
}

impl fmt::Debug for RpcLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcLine").finish_non_exhaustive()
    }
}
