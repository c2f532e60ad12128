//! Writes a lane, on the thread of whoever sends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Buf as _, Bytes};
use prost::Message;
use tokio::net::unix::pipe;
use tokio::runtime::Handle as Runtime;
use tokio_stream::Stream as _;
use tracing::debug;

use crate::common::lane::chunk_head::ChunkHead;
use crate::common::lane::frame::{encode, encode_chunk_head};
use crate::common::transport::{LaneSocket, Traffic};
use crate::common::wire::{FrameStream, Outbox, SessionFrame};

/// How many bytes of frames are put together before they are written.
const BATCH: usize = 128 * 1024;

/// The bytes of chunks from this size on are written from where they lie.
const MIN_UNCOPIED: usize = 8 * 1024;

/// After so many bytes, which take about 0.4 ms, the writer lets other work of its thread
/// go first.
const AT_ONCE: usize = 2 * 1024 * 1024;

/// A buffer that has grown larger than this is given back when it is empty.
const KEPT_BUFFER: usize = 1024 * 1024;

/// Writes the frames of an outbox to a lane.
///
/// It is the outbox's waker: whoever puts a frame in writes it at once, without waking
/// another thread. Only when the socket is full does a task of `runtime` wait for room.
pub(crate) struct LaneWriter<F> {
    socket: LaneSocket,
    runtime: Runtime,
    traffic: Option<Traffic>,
    state: Mutex<Writing<F>>,
    /// How many have asked for frames to be written since the last time all were. Whoever
    /// asks first writes, and goes on until nobody has asked meanwhile.
    asked: AtomicUsize,
    outbox: Outbox<F>,
}

struct Writing<F> {
    /// `None` once the socket is closed, or all has been written.
    frames: Option<Pin<Box<FrameStream<F>>>>,
    bytes: Vec<u8>,
    /// How many of `bytes` have been written.
    written: usize,
    /// The bytes of a chunk whose head is the end of `bytes`.
    chunk: Bytes,
    /// A task waits for room in the socket.
    is_waiting: bool,
}

impl<F: SessionFrame + Message> LaneWriter<F> {
    /// Starts to write what is and comes into the outbox of `frames`. It ends with that.
    pub(crate) fn start(
        socket: LaneSocket,
        frames: FrameStream<F>,
        runtime: Runtime,
        traffic: Option<Traffic>,
    ) -> Arc<Self> {
        let outbox = frames.outbox();
        let state = Writing {
            frames: Some(Box::pin(frames)),
            bytes: Vec::new(),
            written: 0,
            chunk: Bytes::new(),
            is_waiting: false,
        };
        let writer = Arc::new(LaneWriter {
            socket,
            runtime,
            traffic,
            state: Mutex::new(state),
            asked: AtomicUsize::new(0),
            outbox,
        });
        writer.write();
        writer
    }

    /// Keeps frames back, so that several are written at once; see [`Outbox::cork`].
    pub(crate) fn cork(&self) {
        self.outbox.cork();
    }

    /// Writes the frames that were kept back, and later ones at once.
    pub(crate) fn uncork(&self) {
        self.outbox.uncork();
    }

    fn write(self: &Arc<Self>) {
        if self.asked.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        loop {
            let asked = self.asked.load(Ordering::Acquire);
            self.write_all();
            if self.asked.compare_exchange(asked, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
        }
    }

    fn write_all(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let mut state = self.state();
        // Dropping the frames runs code of others, outside the lock.
        let (mut dropped, mut written_here) = (None, 0);
        while !state.is_waiting {
            let is_last = state.fill(&mut cx);
            if state.is_empty() {
                state.reset();
                if is_last && let Some(frames) = state.frames.take() {
                    dropped = Some(frames);
                    self.socket.close_writing();
                }
                break;
            }
            let slices = [IoSlice::new(&state.bytes[state.written..]), IoSlice::new(&state.chunk)];
            match self.socket.send(&slices) {
                Ok(written) => {
                    state.note_written(written);
                    written_here += written;
                    if let Some(traffic) = &self.traffic {
                        traffic.note_written(written);
                    }
                    // A peer that reads as fast as this writes would keep the thread.
                    if written_here >= AT_ONCE {
                        self.write_later(&mut state);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.write_later(&mut state);
                }
                Err(error) => {
                    debug!(%error, "a lane was broken off");
                    state.reset();
                    dropped = state.frames.take();
                    break;
                }
            }
        }
        drop(state);
        drop(dropped);
    }

    fn write_later(self: &Arc<Self>, state: &mut Writing<F>) {
        state.is_waiting = true;
        let waiting = Arc::clone(self);
        self.runtime.spawn(async move { waiting.wait_for_room().await });
    }

    async fn wait_for_room(self: Arc<Self>) {
        let waiting = self.traffic.as_ref().map(Traffic::wait);
        // A descriptor of its own, registered for writing alone and only now; see
        // `LaneReader` for why it is a pipe's.
        let room = self.socket.duplicate().and_then(pipe::Sender::from_owned_fd_unchecked);
        match room {
            Ok(room) => {
                // If it fails so does the next write, which says why.
                let _ = room.writable().await;
            }
            Err(error) => {
                // No descriptor is left: the lane cannot go on, but others can.
                debug!(%error, "a lane was broken off");
                self.socket.close();
            }
        }
        drop(waiting);
        self.state().is_waiting = false;
        self.write();
    }

    fn state(&self) -> MutexGuard<'_, Writing<F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: SessionFrame + Message> Writing<F> {
    /// Encodes frames until there is enough to write; returns whether no more will come.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(frames) = &mut self.frames else { return true };
        // What has been written makes room, before the buffer grows.
        if self.written >= BATCH {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        // The bytes of a chunk are written before anything else is encoded.
        while self.chunk.is_empty() && self.bytes.len() - self.written < BATCH {
            match frames.as_mut().poll_next(cx) {
                Poll::Ready(Some(frame)) => match frame.into_chunk() {
                    Ok((id, data)) if data.len() >= MIN_UNCOPIED => {
                        encode_chunk_head(ChunkHead { id, len: data.len() }, &mut self.bytes);
                        self.chunk = data;
                    }
                    Ok((id, data)) => encode(&F::chunk(id, data), &mut self.bytes),
                    Err(frame) => encode(&frame, &mut self.bytes),
                },
                Poll::Ready(None) => return true,
                Poll::Pending => return false,
            }
        }
        false
    }

    fn is_empty(&self) -> bool {
        self.written == self.bytes.len() && self.chunk.is_empty()
    }

    fn note_written(&mut self, len: usize) {
        let of_frames = len.min(self.bytes.len() - self.written);
        self.written += of_frames;
        self.chunk.advance(len - of_frames);
        if self.chunk.is_empty() {
            // Otherwise it keeps its message alive.
            self.chunk = Bytes::new();
        }
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.chunk = Bytes::new();
        if self.bytes.capacity() > KEPT_BUFFER {
            self.bytes = Vec::new();
        }
    }
}

impl<F: SessionFrame + Message> Wake for LaneWriter<F> {
    fn wake(self: Arc<Self>) {
        self.write();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.write();
    }
}

impl<F> std::fmt::Debug for LaneWriter<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneWriter").field("socket", &self.socket).finish_non_exhaustive()
    }
}
