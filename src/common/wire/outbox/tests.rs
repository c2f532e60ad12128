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
async fn outbox_has_no_room_while_too_many_bytes_wait() {
    let (outbox, mut outgoing) = Outbox::with_room(2 * CHUNK_SIZE, None);
    outbox.send_sized(SentFrame::Small(1), CHUNK_SIZE);
    outbox.room().await;
    outbox.send_detached(SentFrame::Small(2), 2, zeros(CHUNK_SIZE), None);
    let mut room = std::pin::pin!(outbox.room());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(room.as_mut().poll(&mut cx).is_pending());
    assert!(Pin::new(&mut outgoing).poll_next(&mut cx).is_ready());
    room.await;

    outbox.send_sized(SentFrame::Small(3), CHUNK_SIZE);
    let mut room = std::pin::pin!(outbox.room());
    assert!(room.as_mut().poll(&mut cx).is_pending());
    assert!(outbox.withdraw(2), "it has not been sent");
    room.await;
    drain(&mut outgoing);
    assert_eq!(lock(&outbox.0.queue).bytes, 0);
}

#[test]
fn outbox_knows_which_messages_it_is_sending() {
    let (outbox, mut outgoing) = Outbox::new();
    outbox.send_detached(SentFrame::Small(1), 1, zeros(CHUNK_SIZE + 1), None);
    outbox.send_detached(SentFrame::Small(1), 1, zeros(1), None);
    outbox.send_detached(SentFrame::Small(2), 2, zeros(1), None);
    assert!(outbox.is_sending(1) && outbox.is_sending(2) && !outbox.is_sending(3));
    assert!(outbox.withdraw(2) && !outbox.is_sending(2));
    assert!(outbox.withdraw(1) && outbox.is_sending(1), "there is another one");
    drain(&mut outgoing);
    assert!(!outbox.is_sending(1) && !outbox.withdraw(1));
}

#[derive(Debug, Default)]
struct TakenBytes(std::sync::atomic::AtomicUsize);

impl FrameMemory for TakenBytes {
    fn take(&self, bytes: usize) {
        self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn memory_of_frames_is_counted_until_they_are_sent_or_dropped() {
    let taken = Arc::<TakenBytes>::default();
    let bytes = || taken.0.load(std::sync::atomic::Ordering::Relaxed);
    let (outbox, mut outgoing) = Outbox::with_room(usize::MAX, Some(taken.clone()));
    outbox.send_sized(SentFrame::Small(1), 1000);
    outbox.send_after(SentFrame::Small(2), 10, || {});
    assert_eq!(bytes(), 1010 + 2 * FRAME_WEIGHT);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut outgoing).poll_next(&mut cx).is_ready());
    assert_eq!(bytes(), 10 + FRAME_WEIGHT);
    drop(outgoing);
    assert_eq!(bytes(), 0);
    outbox.send_sized(SentFrame::Small(3), 1000);
    outbox.send_after(SentFrame::Small(4), 10, || panic!("it is not sent"));
    assert_eq!(bytes(), 0);
}

#[tokio::test]
async fn outbox_knows_when_its_frames_are_no_longer_sent() {
    let (outbox, outgoing) = Outbox::<SentFrame>::new();
    drop(outgoing);
    outbox.gone().await;
    outbox.room().await;
}
