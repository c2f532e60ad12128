//! What one end of a session has still to send.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::sync::{Notify, oneshot};
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use crate::common::wire::pb;

/// A larger message is detached and sent in chunks of this size, in bytes. Small frames
/// wait for one chunk at most in the queue.
pub(crate) const CHUNK_SIZE: usize = 128 * 1024;

/// How many small frames go before a chunk gets its turn, so that neither can starve the
/// other.
const FRAMES_PER_CHUNK: usize = 64;

/// A frame of a session, of either direction.
pub(crate) trait SessionFrame: Send + 'static {
    /// The frame that carries a part of the detached message `id`.
    fn chunk(id: u64, data: Bytes) -> Self;
}

/// With more frames than this waiting to be sent, a daemon reads no more requests.
const ROOM: usize = 4096;

/// The sending half: frames go in, in order, never waiting.
///
/// On the caller's side it needs no bound of its own: there are at most so many
/// operations in flight, each with its cancel, and the releases. On the daemon's side,
/// who fills it waits for [`room`](Outbox::room) before it reads what it is to answer.
#[derive(Debug)]
pub(crate) struct Outbox<F>(Arc<OutboxState<F>>);

/// The frames as the stream that tonic sends. It ends when the outbox is closed and
/// empty.
#[derive(Debug)]
pub(crate) struct FrameStream<F>(Arc<OutboxState<F>>);

#[derive(Debug)]
struct OutboxState<F> {
    queue: Mutex<Queue<F>>,
    /// Told when there is room again.
    room: Notify,
    /// Told when nobody sends any more what is put in.
    gone: CancellationToken,
}

/// What is held until a detached message has gone out whole. It is dropped instead if the
/// message is withdrawn.
pub(crate) trait SendGuard: fmt::Debug + Send + Sync {
    /// The last part of it has gone out.
    fn sent(self: Box<Self>);
}

/// Tells that a message has gone out, also who waits for it.
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
        // Who waited may have been cancelled meanwhile.
        let _ = self.waiting.send(());
    }
}

#[derive(Debug)]
struct Queue<F> {
    frames: VecDeque<(F, Option<DetachedMessage>)>,
    /// Messages whose first frame is gone; they take turns, a chunk each.
    detached: VecDeque<DetachedMessage>,
    since_chunk: usize,
    waker: Option<Waker>,
    closed: bool,
}

#[derive(Debug)]
struct DetachedMessage {
    id: u64,
    rest: Bytes,
    hold: Option<Box<dyn SendGuard>>,
}

impl<F: SessionFrame> Outbox<F> {
    pub(crate) fn new() -> (Self, FrameStream<F>) {
        let queue = Mutex::new(Queue {
            frames: VecDeque::new(),
            detached: VecDeque::new(),
            since_chunk: 0,
            waker: None,
            closed: false,
        });
        let shared =
            Arc::new(OutboxState { queue, room: Notify::new(), gone: CancellationToken::new() });
        (Outbox(Arc::clone(&shared)), FrameStream(shared))
    }

    /// Sends a frame after all that were sent before.
    pub(crate) fn send(&self, frame: F) {
        self.push(frame, None);
    }

    /// Sends a frame, and behind it the message that it announces, in chunks between
    /// which others go. `hold` is told when the last of them has gone out.
    pub(crate) fn send_detached(
        &self,
        frame: F,
        id: u64,
        message: Bytes,
        hold: Option<Box<dyn SendGuard>>,
    ) {
        self.push(frame, Some(DetachedMessage { id, rest: message, hold }));
    }

    /// Does the same, and gives the wait until the last part has gone out or the message
    /// is withdrawn. The chunks of one id are put together in one piece, so who sends
    /// several large messages under one waits for each.
    pub(crate) fn send_in_chunks(
        &self,
        frame: F,
        id: u64,
        message: Bytes,
        hold: Option<Box<dyn SendGuard>>,
    ) -> impl Future<Output = ()> + Send + use<F> {
        let (waiting, all_sent) = oneshot::channel();
        self.send_detached(frame, id, message, Some(Box::new(Sent { hold, waiting })));
        // Withdrawn it is dropped, and that is told as well.
        all_sent.map(drop)
    }

    /// Waits until not too much waits to be sent.
    pub(crate) async fn room(&self) {
        loop {
            // Made before the look, so that a word in between is not missed.
            let room = self.0.room.notified();
            if lock(&self.0.queue).frames.len() < ROOM {
                return;
            }
            room.await;
        }
    }

    /// Waits until nobody sends any more what is put in.
    pub(crate) async fn gone(&self) {
        self.0.gone.cancelled().await;
    }

    /// Forgets what has not been sent yet of the detached message `id`; gives whether
    /// there was any.
    pub(crate) fn withdraw(&self, id: u64) -> bool {
        // What is held by it may be somebody's own, and is dropped outside the lock.
        let withdrawn = {
            let mut queue = lock(&self.0.queue);
            let Queue { frames, detached, .. } = &mut *queue;
            match detached.iter().position(|detached| detached.id == id) {
                Some(index) => detached.remove(index),
                None => frames
                    .iter_mut()
                    .find_map(|(_, announced)| announced.take_if(|detached| detached.id == id)),
            }
        };
        withdrawn.is_some()
    }

    /// Ends the stream once everything is sent.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.0.queue);
        queue.closed = true;
        wake(queue);
    }

    fn push(&self, frame: F, detached: Option<DetachedMessage>) {
        let mut queue = lock(&self.0.queue);
        if !queue.closed {
            queue.frames.push_back((frame, detached));
            wake(queue);
        }
    }
}

// === impl Queue ===

impl<F: SessionFrame> Queue<F> {
    fn next(&mut self) -> Option<F> {
        if !self.frames.is_empty()
            && (self.detached.is_empty() || self.since_chunk < FRAMES_PER_CHUNK)
        {
            let (frame, announced) = self.frames.pop_front()?;
            self.detached.extend(announced);
            self.since_chunk += 1;
            return Some(frame);
        }
        self.since_chunk = 0;
        let mut detached = self.detached.pop_front()?;
        let data = detached.rest.split_to(CHUNK_SIZE.min(detached.rest.len()));
        let id = detached.id;
        if !detached.rest.is_empty() {
            self.detached.push_back(detached);
        } else if let Some(hold) = detached.hold {
            hold.sent();
        }
        Some(F::chunk(id, data))
    }
}

fn lock<F>(queue: &Mutex<Queue<F>>) -> MutexGuard<'_, Queue<F>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes outside the lock, because on the same thread the woken may want it at once.
fn wake<F>(mut queue: MutexGuard<'_, Queue<F>>) {
    let waker = queue.waker.take();
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

// === impl Outgoing ===

impl<F: SessionFrame> Stream for FrameStream<F> {
    type Item = F;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F>> {
        let mut queue = lock(&self.0.queue);
        match queue.next() {
            Some(frame) => {
                if queue.frames.len() + 1 == ROOM {
                    self.0.room.notify_waiters();
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

/// Nobody reads any more, so nothing need be kept.
impl<F> Drop for FrameStream<F> {
    fn drop(&mut self) {
        let unsent = {
            let mut queue = lock(&self.0.queue);
            queue.closed = true;
            (std::mem::take(&mut queue.frames), std::mem::take(&mut queue.detached))
        };
        drop(unsent);
        self.0.room.notify_waiters();
        self.0.gone.cancel();
    }
}

// === impl Frame ===

impl SessionFrame for pb::SessionRequest {
    fn chunk(id: u64, data: Bytes) -> Self {
        let operation = Some(pb::session_request::Operation::Chunk(pb::Chunk { data }));
        pb::SessionRequest { id, operation, detached: 0 }
    }
}

impl SessionFrame for pb::SessionResponse {
    fn chunk(id: u64, data: Bytes) -> Self {
        let result = Some(pb::session_response::Result::Chunk(pb::Chunk { data }));
        pb::SessionResponse { id, result, detached: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum SentFrame {
        Small(u64),
        Part(u64, usize),
    }

    impl SessionFrame for SentFrame {
        fn chunk(id: u64, data: Bytes) -> Self {
            SentFrame::Part(id, data.len())
        }
    }

    fn drain(outgoing: &mut FrameStream<SentFrame>) -> Vec<SentFrame> {
        let mut cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match Pin::new(&mut *outgoing).poll_next(&mut cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn large_messages_take_turns_behind_their_first_frame() {
        let (outbox, mut outgoing) = Outbox::new();
        outbox.send_detached(SentFrame::Small(1), 1, Bytes::from(vec![0; CHUNK_SIZE + 1]), None);
        outbox.send_detached(SentFrame::Small(2), 2, Bytes::from(vec![0; CHUNK_SIZE]), None);
        let expected = [
            SentFrame::Small(1),
            SentFrame::Small(2),
            SentFrame::Part(1, CHUNK_SIZE),
            SentFrame::Part(2, CHUNK_SIZE),
            SentFrame::Part(1, 1),
        ];
        assert_eq!(drain(&mut outgoing), expected);
    }

    #[test]
    fn small_frames_and_chunks_do_not_starve_each_other() {
        let (outbox, mut outgoing) = Outbox::new();
        outbox.send_detached(SentFrame::Small(0), 0, Bytes::from(vec![0; 3 * CHUNK_SIZE]), None);
        (1..=200).for_each(|id| outbox.send(SentFrame::Small(id)));
        let order = drain(&mut outgoing);
        let chunks: Vec<usize> = order
            .iter()
            .enumerate()
            .filter(|(_, sent)| matches!(sent, SentFrame::Part(..)))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(chunks, [64, 129, 194]);
    }

    #[test]
    fn withdrawn_message_sends_no_more_chunks() {
        let (outbox, mut outgoing) = Outbox::new();
        outbox.send_detached(SentFrame::Small(1), 1, Bytes::from(vec![0; 3 * CHUNK_SIZE]), None);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..2 {
            assert!(Pin::new(&mut outgoing).poll_next(&mut cx).is_ready());
        }
        assert!(outbox.withdraw(1) && !outbox.withdraw(1));
        assert_eq!(drain(&mut outgoing), []);
    }

    #[tokio::test]
    async fn full_outbox_has_room_again_once_frames_have_gone() {
        let (outbox, mut outgoing) = Outbox::new();
        (0..=ROOM as u64).for_each(|id| outbox.send(SentFrame::Small(id)));
        let mut room = std::pin::pin!(outbox.room());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(room.as_mut().poll(&mut cx).is_pending());
        drain(&mut outgoing);
        room.await;
    }

    #[tokio::test]
    async fn outbox_knows_when_nobody_sends_for_it() {
        let (outbox, outgoing) = Outbox::<SentFrame>::new();
        drop(outgoing);
        outbox.gone().await;
        outbox.room().await;
    }
}
