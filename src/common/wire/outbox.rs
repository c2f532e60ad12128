//! The queue of frames that one end of a session has still to send.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;
use tokio::sync::{Notify, oneshot};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use crate::common::wire::{Pieces, SessionFrame};

/// The size in bytes of the chunks in which larger messages are sent. A small frame waits
/// for at most one of them.
pub(crate) const CHUNK_SIZE: usize = 128 * 1024;

/// How many small frames are sent before a chunk, so that neither can starve the other.
const FRAMES_PER_CHUNK: usize = 64;

/// With this many frames waiting to be sent, a daemon reads no more requests.
const ROOM: usize = 4096;

/// About how many bytes of memory a frame takes beside what is in it.
const FRAME_WEIGHT: usize = 512;

/// The sending half. Frames are added in order, without waiting.
///
/// On the caller's side the queue is bounded by the limit on operations in flight. On the
/// daemon's side the reader waits for [`room`](Outbox::room) before it reads more
/// requests. The operations that run by then still respond, which `memory` counts.
#[derive(Debug)]
pub(crate) struct Outbox<F>(Arc<OutboxState<F>>);

/// The frames as the stream that tonic sends. It ends when the outbox is closed and
/// empty.
#[derive(Debug)]
pub(crate) struct FrameStream<F>(Arc<OutboxState<F>>);

#[derive(Debug)]
struct OutboxState<F> {
    queue: Mutex<Queue<F>>,
    /// With so many bytes waiting to be sent there is no room.
    most_bytes: usize,
    /// Counts what waits to be sent, except detached messages, which have their guards.
    memory: Option<Arc<dyn FrameMemory>>,
    /// Notified when there is room again.
    room: Notify,
    /// Cancelled when the frames are no longer sent.
    gone: CancellationToken,
}

/// Held until a detached message has been sent completely, or dropped if the message is
/// withdrawn.
pub(crate) trait SendGuard: fmt::Debug + Send + Sync {
    /// Called when the last chunk has been sent.
    fn sent(self: Box<Self>);
}

/// Counts the memory of frames that wait to be sent.
pub(crate) trait FrameMemory: fmt::Debug + Send + Sync {
    fn take(&self, bytes: usize);

    fn give_back(&self, bytes: usize);
}

/// Passes on that a message has been sent, also to the task that waits for it.
#[derive(Debug)]
struct Sent {
    hold: Option<Box<dyn SendGuard>>,
    waiting: oneshot::Sender<()>,
}

impl SendGuard for Sent {
    fn sent(self: Box<Self>) {
        if let Some(hold) = self.hold {
            hold.sent();
        }
        // The waiting task may have been cancelled meanwhile.
        let _ = self.waiting.send(());
    }
}

#[derive(Debug)]
struct Queue<F> {
    frames: VecDeque<QueuedFrame<F>>,
    /// Messages whose announcement has been sent; they take turns, a chunk each.
    detached: VecDeque<DetachedMessage>,
    /// How many detached messages of each id have not been sent.
    sending: HashMap<u64, usize>,
    /// The bytes of all that waits, as far as the senders have said.
    bytes: usize,
    since_chunk: usize,
    waker: Option<Waker>,
    closed: bool,
    /// Frames wait for each other, to be sent together.
    corked: bool,
}

/// So many frames are sent even if they wait for each other: the receiver can handle them
/// while the next ones are made.
const CORKED_FRAMES: usize = 16;

#[derive(Debug)]
struct QueuedFrame<F> {
    frame: F,
    bytes: usize,
    announced: Option<DetachedMessage>,
}

#[derive(Debug)]
struct DetachedMessage {
    id: u64,
    rest: Pieces,
    hold: Option<Box<dyn SendGuard>>,
}

impl<F: SessionFrame> Outbox<F> {
    /// An outbox that always has room for bytes.
    pub(crate) fn new() -> (Self, FrameStream<F>) {
        Outbox::with_room(usize::MAX, None)
    }

    /// An outbox that has no more room when it has `most_bytes`.
    pub(crate) fn with_room(
        most_bytes: usize,
        memory: Option<Arc<dyn FrameMemory>>,
    ) -> (Self, FrameStream<F>) {
        let queue = Mutex::new(Queue {
            frames: VecDeque::new(),
            detached: VecDeque::new(),
            sending: HashMap::new(),
            bytes: 0,
            since_chunk: 0,
            waker: None,
            closed: false,
            corked: false,
        });
        let (room, gone) = (Notify::new(), CancellationToken::new());
        let shared = Arc::new(OutboxState { queue, most_bytes, memory, room, gone });
        (Outbox(Arc::clone(&shared)), FrameStream(shared))
    }

    /// Sends a frame after all that were sent before.
    pub(crate) fn send(&self, frame: F) {
        self.push(frame, 0, None);
    }

    /// Does the same with a frame that takes so many bytes.
    pub(crate) fn send_sized(&self, frame: F, bytes: usize) {
        self.push(frame, bytes, None);
    }

    /// Does the same, and runs `queued` once nothing can keep the frame from being sent,
    /// but before it is sent. Whoever reads the frame finds done what `queued` does.
    pub(crate) fn send_after(&self, frame: F, bytes: usize, queued: impl FnOnce()) {
        self.0.take(bytes);
        let mut queue = lock(&self.0.queue);
        if queue.closed {
            drop(queue);
            return self.0.give_back(bytes);
        }
        queue.add(QueuedFrame { frame, bytes, announced: None });
        let waker = queue.take_waker();
        drop(queue);
        queued();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Keeps frames back until [`uncork`](Self::uncork), so that several are sent at
    /// once.
    pub(crate) fn cork(&self) {
        lock(&self.0.queue).corked = true;
    }

    /// Sends the frames that were kept back, and later ones at once.
    pub(crate) fn uncork(&self) {
        let mut queue = lock(&self.0.queue);
        queue.corked = false;
        if !queue.frames.is_empty() {
            wake(queue);
        }
    }

    /// Sends a frame, and after it the message that it announces, in chunks among other
    /// frames. `hold` is notified when the last chunk has been sent.
    pub(crate) fn send_detached(
        &self,
        frame: F,
        id: u64,
        message: Pieces,
        hold: Option<Box<dyn SendGuard>>,
    ) {
        self.push(frame, 0, Some(DetachedMessage { id, rest: message, hold }));
    }

    /// Does the same, and returns a future that waits until the last chunk has been sent
    /// or the message is withdrawn. The receiver assembles the chunks of one id to one
    /// message, so a sender of several large messages under one id must wait for each.
    pub(crate) fn send_in_chunks(
        &self,
        frame: F,
        id: u64,
        message: Pieces,
        hold: Option<Box<dyn SendGuard>>,
    ) -> impl Future<Output = ()> + Send + use<F> {
        let (waiting, all_sent) = oneshot::channel();
        self.send_detached(frame, id, message, Some(Box::new(Sent { hold, waiting })));
        // A withdrawn message drops the sender, which also ends the wait.
        all_sent.map(drop)
    }

    /// Waits until fewer than [`ROOM`] frames wait to be sent, and fewer bytes than there
    /// is room for.
    pub(crate) async fn room(&self) {
        loop {
            // Created before the check, so that no notification in between is missed.
            let room = self.0.room.notified();
            if !self.0.is_full(&lock(&self.0.queue)) {
                return;
            }
            room.await;
        }
    }

    /// Waits until the frames are no longer sent.
    pub(crate) async fn gone(&self) {
        self.0.gone.cancelled().await;
    }

    /// Removes the unsent part of the detached message `id`; returns whether there was
    /// any.
    pub(crate) fn withdraw(&self, id: u64) -> bool {
        // Its guard may run any code when it is dropped, so that is after unlocking.
        let withdrawn = {
            let mut queue = lock(&self.0.queue);
            let was_full = self.0.is_full(&queue);
            let withdrawn = queue.withdraw(id);
            if was_full && !self.0.is_full(&queue) {
                self.0.room.notify_waiters();
            }
            withdrawn
        };
        withdrawn.is_some()
    }

    /// Whether a part of the detached message `id` has not been sent.
    pub(crate) fn is_sending(&self, id: u64) -> bool {
        lock(&self.0.queue).sending.contains_key(&id)
    }

    /// Ends the stream when all frames have been sent.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.0.queue);
        queue.closed = true;
        wake(queue);
    }

    fn push(&self, frame: F, bytes: usize, announced: Option<DetachedMessage>) {
        // Before it can be sent, and given back.
        self.0.take(bytes);
        let mut queue = lock(&self.0.queue);
        if queue.closed {
            drop(queue);
            return self.0.give_back(bytes);
        }
        queue.add(QueuedFrame { frame, bytes, announced });
        wake(queue);
    }
}

// === impl OutboxState ===

impl<F> OutboxState<F> {
    fn is_full(&self, queue: &Queue<F>) -> bool {
        queue.frames.len() >= ROOM || queue.bytes >= self.most_bytes
    }

    fn take(&self, bytes: usize) {
        if let Some(memory) = &self.memory {
            memory.take(FRAME_WEIGHT + bytes);
        }
    }

    fn give_back(&self, bytes: usize) {
        if let Some(memory) = &self.memory {
            memory.give_back(FRAME_WEIGHT + bytes);
        }
    }
}

// === impl Queue ===

impl<F> Queue<F> {
    fn add(&mut self, frame: QueuedFrame<F>) {
        self.bytes += frame.bytes;
        if let Some(announced) = &frame.announced {
            self.bytes += announced.rest.len();
            *self.sending.entry(announced.id).or_default() += 1;
        }
        self.frames.push_back(frame);
    }

    fn withdraw(&mut self, id: u64) -> Option<DetachedMessage> {
        if !self.sending.contains_key(&id) {
            return None;
        }
        let withdrawn = match self.detached.iter().position(|detached| detached.id == id) {
            Some(index) => self.detached.remove(index),
            None => self
                .frames
                .iter_mut()
                .find_map(|frame| frame.announced.take_if(|detached| detached.id == id)),
        }?;
        self.bytes -= withdrawn.rest.len();
        self.note_sent(id);
        Some(withdrawn)
    }

    /// Notes that a detached message is sent no more.
    fn note_sent(&mut self, id: u64) {
        if let Entry::Occupied(mut count) = self.sending.entry(id) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// The waker, unless the frames wait for more.
    fn take_waker(&mut self) -> Option<Waker> {
        if self.corked && !self.closed && self.frames.len() < CORKED_FRAMES {
            return None;
        }
        self.waker.take()
    }
}

impl<F: SessionFrame> Queue<F> {
    /// The next frame, and how many bytes were said to be in it.
    fn next(&mut self) -> Option<(F, Option<usize>)> {
        if !self.frames.is_empty()
            && (self.detached.is_empty() || self.since_chunk < FRAMES_PER_CHUNK)
        {
            let QueuedFrame { frame, bytes, announced } = self.frames.pop_front()?;
            self.bytes -= bytes;
            self.detached.extend(announced);
            self.since_chunk += 1;
            return Some((frame, Some(bytes)));
        }
        self.since_chunk = 0;
        let mut detached = self.detached.pop_front()?;
        let data = detached.rest.split_off_front(CHUNK_SIZE);
        let id = detached.id;
        self.bytes -= data.len();
        if !detached.rest.is_empty() {
            self.detached.push_back(detached);
        } else {
            self.note_sent(id);
            if let Some(hold) = detached.hold {
                hold.sent();
            }
        }
        Some((F::chunk(id, data), None))
    }
}

fn lock<F>(queue: &Mutex<Queue<F>>) -> MutexGuard<'_, Queue<F>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes after unlocking, because a task woken on the same thread may lock at once.
fn wake<F>(mut queue: MutexGuard<'_, Queue<F>>) {
    let waker = queue.take_waker();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<F> Clone for Outbox<F> {
    fn clone(&self) -> Self {
        Outbox(Arc::clone(&self.0))
    }
}

// === impl FrameStream ===

impl<F> FrameStream<F> {
    /// Returns the sending half.
    pub(crate) fn outbox(&self) -> Outbox<F> {
        Outbox(Arc::clone(&self.0))
    }
}

impl<F: SessionFrame> Stream for FrameStream<F> {
    type Item = F;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F>> {
        let mut queue = lock(&self.0.queue);
        let was_full = self.0.is_full(&queue);
        match queue.next() {
            Some((frame, bytes)) => {
                if was_full && !self.0.is_full(&queue) {
                    self.0.room.notify_waiters();
                }
                if let Some(bytes) = bytes {
                    self.0.give_back(bytes);
                }
                Poll::Ready(Some(frame))
            }
            None if queue.closed => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The connection is gone, so the unsent frames are dropped.
impl<F> Drop for FrameStream<F> {
    fn drop(&mut self) {
        let unsent = {
            let mut queue = lock(&self.0.queue);
            queue.closed = true;
            // A waker that writes the frames holds this stream in its turn.
            let waker = queue.waker.take();
            queue.frames.iter().for_each(|frame| self.0.give_back(frame.bytes));
            (queue.bytes, queue.sending) = (0, HashMap::new());
            (waker, std::mem::take(&mut queue.frames), std::mem::take(&mut queue.detached))
        };
        drop(unsent);
        self.0.room.notify_waiters();
        self.0.gone.cancel();
    }
}

#[cfg(test)]
mod tests;
