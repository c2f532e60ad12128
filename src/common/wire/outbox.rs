//! The queue of frames that one end of a session has still to send.

use std::collections::VecDeque;
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

/// The sending half. Frames are added in order, without waiting.
///
/// On the caller's side the queue is bounded by the limit on operations in flight. On the
/// daemon's side the reader waits for [`room`](Outbox::room) before it reads more
/// requests.
#[derive(Debug)]
pub(crate) struct Outbox<F>(Arc<OutboxState<F>>);

/// The frames as the stream that tonic sends. It ends when the outbox is closed and
/// empty.
#[derive(Debug)]
pub(crate) struct FrameStream<F>(Arc<OutboxState<F>>);

#[derive(Debug)]
struct OutboxState<F> {
    queue: Mutex<Queue<F>>,
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
    frames: VecDeque<(F, Option<DetachedMessage>)>,
    /// Messages whose announcement has been sent; they take turns, a chunk each.
    detached: VecDeque<DetachedMessage>,
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
struct DetachedMessage {
    id: u64,
    rest: Pieces,
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
            corked: false,
        });
        let shared =
            Arc::new(OutboxState { queue, room: Notify::new(), gone: CancellationToken::new() });
        (Outbox(Arc::clone(&shared)), FrameStream(shared))
    }

    /// Sends a frame after all that were sent before.
    pub(crate) fn send(&self, frame: F) {
        self.push(frame, None);
    }

    /// Does the same, and runs `queued` once nothing can keep the frame from being sent,
    /// but before it is sent. Whoever reads the frame finds done what `queued` does.
    pub(crate) fn send_after(&self, frame: F, queued: impl FnOnce()) {
        let mut queue = lock(&self.0.queue);
        if queue.closed {
            return;
        }
        queue.frames.push_back((frame, None));
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
        self.push(frame, Some(DetachedMessage { id, rest: message, hold }));
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

    /// Waits until fewer than [`ROOM`] frames wait to be sent.
    pub(crate) async fn room(&self) {
        loop {
            // Created before the check, so that no notification in between is missed.
            let room = self.0.room.notified();
            if lock(&self.0.queue).frames.len() < ROOM {
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

    /// Whether a part of the detached message `id` has not been sent.
    pub(crate) fn is_sending(&self, id: u64) -> bool {
        let queue = lock(&self.0.queue);
        let announced = queue.frames.iter().filter_map(|(_, announced)| announced.as_ref());
        queue.detached.iter().chain(announced).any(|detached| detached.id == id)
    }

    /// Ends the stream when all frames have been sent.
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

impl<F> Queue<F> {
    /// The waker, unless the frames wait for more.
    fn take_waker(&mut self) -> Option<Waker> {
        if self.corked && !self.closed && self.frames.len() < CORKED_FRAMES {
            return None;
        }
        self.waker.take()
    }
}

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
        let data = detached.rest.split_off_front(CHUNK_SIZE);
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

/// The connection is gone, so the unsent frames are dropped.
impl<F> Drop for FrameStream<F> {
    fn drop(&mut self) {
        let unsent = {
            let mut queue = lock(&self.0.queue);
            queue.closed = true;
            // A waker that writes the frames holds this stream in its turn.
            let waker = queue.waker.take();
            (waker, std::mem::take(&mut queue.frames), std::mem::take(&mut queue.detached))
        };
        drop(unsent);
        self.0.room.notify_waiters();
        self.0.gone.cancel();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum SentFrame {
        Small(u64),
        Part(u64, usize),
    }

    impl SessionFrame for SentFrame {
        fn into_chunk(self) -> Result<(u64, Bytes), Self> {
            Err(self)
        }

        fn chunk(id: u64, data: Bytes) -> Self {
            SentFrame::Part(id, data.len())
        }
    }

    fn zeros(len: usize) -> Pieces {
        Bytes::from(vec![0; len]).into()
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
        outbox.send_detached(SentFrame::Small(1), 1, zeros(CHUNK_SIZE + 1), None);
        outbox.send_detached(SentFrame::Small(2), 2, zeros(CHUNK_SIZE), None);
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
        outbox.send_detached(SentFrame::Small(0), 0, zeros(3 * CHUNK_SIZE), None);
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
        outbox.send_detached(SentFrame::Small(1), 1, zeros(3 * CHUNK_SIZE), None);
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
    async fn outbox_knows_when_its_frames_are_no_longer_sent() {
        let (outbox, outgoing) = Outbox::<SentFrame>::new();
        drop(outgoing);
        outbox.gone().await;
        outbox.room().await;
    }
}
