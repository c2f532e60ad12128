//! The reply channels of one call: over a session, and over the `Iterate` RPC.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

use crate::child::object::{CallScope, ReplyChannel};
use crate::child::service::check_size;
use crate::child::service::unsent_handles::UnsentItem;
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{Credit, Inbound, IncomingItems, ItemsHold, ProducerControl, Window};
use crate::common::transport::{ClientMemory, HeldMemory};
use crate::common::value::{Handle, Value};
use crate::common::wire::pb::iterate_response::Outcome;
use crate::common::wire::pb::session_response::Result as SessionResult;
use crate::common::wire::{
    CHUNK_SIZE, FramePacker, IntoPieces as _, Outbox, SendGuard, error_from_failure, pb,
    value_to_pb, value_weight, values_from_pb,
};

/// How large the window of a stream among the arguments is at first, if its memory is
/// counted. It grows while the method waits for items.
const FIRST_COUNTED_ITEMS: u32 = 4;

/// The reply channel of one call in a session.
#[derive(Debug)]
pub(super) struct SessionReplyChannel {
    id: u64,
    outbox: Outbox<pb::SessionResponse>,
    message_limit: usize,
    depth_limit: usize,
    /// What counts the items, if they are counted.
    memory: Option<ClientMemory>,
    /// The caller's credit for items that the method returns.
    credit: Credit,
    state: Mutex<ReplyState>,
}

#[derive(Debug, Default)]
struct ReplyState {
    phase: Phase,
    /// The streams among the arguments that the method is receiving.
    uploads: HashMap<u64, Arc<Inbound>>,
    /// Whether the method has returned a stream.
    has_opened: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// The caller sends nothing more but still reads.
    HalfClosed,
    /// The call has ended.
    Ended,
}

/// The items of one frame, and the handles in them.
#[derive(Default)]
struct ItemsFrame {
    values: Vec<pb::Value>,
    handles: Vec<Handle>,
}

/// Marks the handles in large items as sent once the last chunk has been sent.
#[derive(Debug)]
struct ItemsGuard {
    handles: Vec<Handle>,
    scope: Arc<dyn CallScope>,
    _held: Option<HeldMemory>,
}

impl SendGuard for ItemsGuard {
    fn sent(self: Box<Self>) {
        self.scope.note_sent(&self.handles);
    }
}

// === impl SessionReplyChannel ===

impl SessionReplyChannel {
    pub(super) fn new(
        id: u64,
        credit: u32,
        outbox: Outbox<pb::SessionResponse>,
        message_limit: usize,
        depth_limit: usize,
        memory: Option<ClientMemory>,
    ) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(SessionReplyChannel {
            id,
            outbox,
            message_limit,
            depth_limit,
            memory,
            credit: Credit::new(credit),
            state,
        })
    }

    /// Adds credit for items that the method returns.
    pub(super) fn grant(&self, credit: &pb::Credit) {
        self.credit.grant(credit.items);
    }

    /// Delivers items that the caller sent. They are counted until they are taken.
    pub(super) fn deliver(&self, items: pb::Items) {
        let bytes = items.encoded_len();
        let weight: usize = match &self.memory {
            Some(_) => items.values.iter().map(value_weight).sum(),
            None => 0,
        };
        let pb::Items { stream, values, ended, failure } = items;
        let Some(inbound) = self.state().uploads.get(&stream).cloned() else { return };
        let pushed = values_from_pb(values).and_then(|values| {
            values.iter().try_for_each(|value| value.check_depth(self.depth_limit))?;
            let hold = self.memory.as_ref().map(|memory| memory.hold(weight)).transpose()?;
            inbound.push_held(values, bytes, hold.map(|hold| Arc::new(hold) as ItemsHold))
        });
        match (pushed, failure) {
            (Err(error), _) => inbound.end(Err(error)),
            (Ok(_), Some(failure)) => inbound.end(Err(error_from_failure(failure))),
            (Ok(_), None) if ended => inbound.end(Ok(())),
            (Ok(_), None) => {}
        }
    }

    /// Ends every incoming stream with an error.
    pub(super) fn fail_streams(&self, error: &Error) {
        self.state().uploads.values().for_each(|inbound| inbound.end(Err(error.clone())));
    }

    /// Records that the caller sends nothing more, neither items nor credit.
    pub(super) fn half_close(&self) {
        self.state().phase = Phase::HalfClosed;
        self.fail_streams(&Error::new(
            ErrorKind::Cancelled,
            "the caller closed its half of the session",
        ));
        self.credit.close();
    }

    /// Ends the channel with its call: incoming streams end, and outgoing items that have
    /// not been sent are dropped.
    pub(super) fn end(&self) {
        let has_opened = {
            let mut state = self.state();
            state.phase = Phase::Ended;
            state.has_opened
        };
        self.fail_streams(&Error::new(
            ErrorKind::Cancelled,
            "the call that received the stream has ended",
        ));
        self.credit.close();
        if has_opened {
            let _ = self.outbox.withdraw(self.id);
        }
    }

    async fn send_frame(&self, frame: ItemsFrame, scope: &Arc<dyn CallScope>) -> Result<()> {
        let (id, ItemsFrame { values, handles }) = (self.id, frame);
        let items = pb::Items { values, ..Default::default() };
        let response =
            pb::SessionResponse { id, result: Some(SessionResult::Items(items)), detached: 0 };
        check_size(&response, self.message_limit)?;
        let len = response.encoded_len();
        if len <= CHUNK_SIZE {
            return self.unless_ended(|| {
                self.outbox.send_sized(response, len);
                scope.note_sent(&handles);
            });
        }
        let _held = self.memory.as_ref().map(|memory| memory.hold(len)).transpose()?;
        let message = response.into_pieces();
        let announcement = pb::SessionResponse { id, result: None, detached: message.len() as u64 };
        let guard = Box::new(ItemsGuard { handles, scope: Arc::clone(scope), _held });
        self.unless_ended(|| self.outbox.send_in_chunks(announcement, id, message, Some(guard)))?
            .await;
        Ok(())
    }

    /// Runs `send` unless the call has ended. The response of a call is the last frame
    /// with its id.
    fn unless_ended<T>(&self, send: impl FnOnce() -> T) -> Result<T> {
        let state = self.state();
        match state.phase {
            Phase::Ended => {
                Err(Error::new(ErrorKind::Cancelled, "the call that produces the items has ended"))
            }
            Phase::Open | Phase::HalfClosed => Ok(send()),
        }
    }

    fn state(&self) -> MutexGuard<'_, ReplyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplyChannel for SessionReplyChannel {
    fn open(&self, on_demand: bool) {
        self.state().has_opened = true;
        let result = Some(SessionResult::Opened(pb::Opened { on_demand }));
        // An error can be ignored: the call is over, and the next `send` fails too.
        let _ = self.unless_ended(|| {
            self.outbox.send(pb::SessionResponse { id: self.id, result, detached: 0 })
        });
    }

    fn room(&self) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            let room = self.credit.room().await;
            self.outbox.room().await;
            room
        })
    }

    fn send<'a>(
        &'a self,
        items: Vec<Value>,
        scope: &'a Arc<dyn CallScope>,
    ) -> BoxFuture<'a, Result<()>> {
        self.credit.spend(items.len());
        Box::pin(async move {
            let (mut frame, mut packer) =
                (ItemsFrame::default(), FramePacker::new(self.message_limit));
            for item in items {
                let (handles, item) = (item.handles(), value_to_pb(item));
                if packer.begins_frame(&item) {
                    self.send_frame(std::mem::take(&mut frame), scope).await?;
                }
                frame.handles.extend(handles);
                frame.values.push(item);
            }
            self.send_frame(frame, scope).await
        })
    }

    fn receive(&self, stream: u64) -> Result<IncomingItems> {
        let inbound = Arc::<Inbound>::default();
        let mut state = self.state();
        match (state.phase, state.uploads.entry(stream)) {
            (Phase::Open, Entry::Vacant(entry)) => drop(entry.insert(Arc::clone(&inbound))),
            (Phase::Open, Entry::Occupied(_)) => {
                return Err(Error::new(
                    ErrorKind::BadArguments,
                    "a stream can only be received once",
                ));
            }
            (Phase::HalfClosed | Phase::Ended, _) => {
                return Err(Error::new(
                    ErrorKind::Cancelled,
                    "the call of this stream receives no more items",
                ));
            }
        }
        drop(state);
        let control = UploadCredit { id: self.id, stream, outbox: self.outbox.clone() };
        let window = match &self.memory {
            Some(_) => Window::starting_at(FIRST_COUNTED_ITEMS),
            None => Window::default(),
        };
        let incoming = IncomingItems::new(inbound, Arc::new(control.clone()), window);
        control.grant(window.items());
        Ok(incoming)
    }
}

/// Sends flow-control credit to the producer of a stream among the arguments.
#[derive(Clone, Debug)]
struct UploadCredit {
    id: u64,
    stream: u64,
    outbox: Outbox<pb::SessionResponse>,
}

impl ProducerControl for UploadCredit {
    fn grant(&self, items: u32) {
        let result = Some(SessionResult::Credit(pb::Credit { stream: self.stream, items }));
        self.outbox.send(pb::SessionResponse { id: self.id, result, detached: 0 });
    }

    fn stop(&self) {
        self.grant(0);
    }

    /// The handles in these items belong to the caller.
    fn discard(&self, _: &[Value]) {}
}

/// The reply channel of an `Iterate` call. The transport applies backpressure to a slow
/// reader.
pub(super) struct RpcReplyChannel {
    items: mpsc::Sender<Option<UnsentIterateItem>>,
    message_limit: usize,
    /// Room for the bytes of the items that are buffered, in units of [`ROOM_UNIT`].
    room: Arc<Semaphore>,
    memory: Option<ClientMemory>,
}

/// How many bytes of items are buffered, as far as they are more than one item.
const BUFFERED_BYTES: usize = 1024 * 1024;
const ROOM_UNIT: usize = 1024;

/// An item of an `Iterate` stream.
pub(super) type IterateItem = Result<pb::IterateResponse, Status>;

/// An item that waits to be sent, its handles, and what it takes as long as it waits.
pub(super) struct UnsentIterateItem {
    pub(super) item: IterateItem,
    pub(super) handles: Option<UnsentItem>,
    _room: Option<OwnedSemaphorePermit>,
    _held: Option<HeldMemory>,
}

impl UnsentIterateItem {
    /// The last item of a stream that ended early.
    pub(super) fn last(item: IterateItem) -> Self {
        UnsentIterateItem { item, handles: None, _room: None, _held: None }
    }
}

impl RpcReplyChannel {
    pub(super) fn new(
        items: mpsc::Sender<Option<UnsentIterateItem>>,
        message_limit: usize,
        memory: Option<ClientMemory>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(BUFFERED_BYTES / ROOM_UNIT));
        RpcReplyChannel { items, message_limit, room, memory }
    }

    /// Waits for room for an item, and counts it.
    async fn item(
        &self,
        response: pb::IterateResponse,
        weight: usize,
    ) -> Result<UnsentIterateItem> {
        let units = (weight / ROOM_UNIT).clamp(1, BUFFERED_BYTES / ROOM_UNIT);
        // It is never closed, and the number fits.
        let _room = Arc::clone(&self.room).acquire_many_owned(units as u32).await.ok();
        let _held = self.memory.as_ref().map(|memory| memory.hold(weight)).transpose()?;
        Ok(UnsentIterateItem { item: Ok(response), handles: None, _room, _held })
    }
}

impl ReplyChannel for RpcReplyChannel {
    fn open(&self, _: bool) {}

    fn room(&self) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            match self.items.reserve().await {
                Ok(_permit) => self.items.capacity().max(1),
                // The client has stopped reading.
                Err(_) => 0,
            }
        })
    }

    fn send<'a>(
        &'a self,
        items: Vec<Value>,
        scope: &'a Arc<dyn CallScope>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for item in items {
                let (handles, item) = (item.handles(), value_to_pb(item));
                let weight = value_weight(&item);
                let response = pb::IterateResponse { outcome: Some(Outcome::Value(item)) };
                check_size(&response, self.message_limit)?;
                let mut item = self.item(response, weight).await?;
                item.handles = UnsentItem::of(handles, scope);
                // If the client has stopped reading, the next `room` returns 0.
                let _ = self.items.send(Some(item)).await;
            }
            Ok(())
        })
    }

    fn receive(&self, _: u64) -> Result<IncomingItems> {
        Err(Error::new(
            ErrorKind::BadArguments,
            "a stream can only be an argument of a call in a session",
        ))
    }
}

impl fmt::Debug for RpcReplyChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcReplyChannel").finish_non_exhaustive()
    }
}
