//! Serves the owner's lane: one thread reads requests, carries them out and writes their
//! responses, without waking another.
//!
//! A method that takes long must not hold up other calls. So the monitor looks at the
//! lanes every millisecond while calls run, and lets another thread read on when a call
//! lasts. Most calls are shorter; for them this costs two stores.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::child::host::Host;
use crate::child::object::panic;
use crate::child::service::assemblies::Assemblies;
use crate::child::service::monitor::{self, Watched};
use crate::child::service::session::{Session, Work};
use crate::common::lane::{FrameBuffer, LaneWriter, MAX_FRAME_OVERHEAD};
use crate::common::park::wait;
use crate::common::transport::{LaneConnection, LaneSocket};
use crate::common::wire::{CHUNK_SIZE, pb};

/// So many threads may be kept by async methods that compute before their first await;
/// the runtime runs more of them. For sync methods, see
/// [`try_in_place_permit`](crate::child::object::try_in_place_permit).
const MAX_THREADS: usize = 64;

/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_secs(10);

/// Serves every lane that the owner opens, until no more can be opened.
pub(crate) async fn serve_lanes(
    host: Host,
    message_limit: usize,
    mut lanes: mpsc::Receiver<LaneConnection>,
) {
    while let Some(connection) = lanes.recv().await {
        if let Err(error) = Lane::start(host.clone(), message_limit, connection) {
            // The connection is closed, which its client notices.
            debug!(%error, "a lane was refused");
        }
    }
}

/// One lane.
struct Lane {
    session: Session,
    socket: LaneSocket,
    writer: Arc<LaneWriter<pb::SessionResponse>>,
    runtime: Runtime,
    slot: Mutex<ReadingSlot>,
    threads: AtomicUsize,
    /// Notified when a spare thread is to read on, and when the lane has ended.
    spare: Condvar,
    /// How many operations have been carried out here.
    calls: AtomicU64,
    /// The number of the operation that the reading thread carries out; 0 if it reads.
    current: AtomicU64,
    /// The daemon has drained, or the client reads no more: requests are not acted on.
    is_unwanted: AtomicBool,
    /// Cancelled when no more requests come.
    read_out: CancellationToken,
}

/// What the reading thread holds, and gives up while it carries out a call.
struct ReadingSlot {
    reading: Option<Reading>,
    /// How many threads wait for something to do.
    spares: usize,
    /// One of them has been told to read.
    is_wanted: bool,
    has_ended: bool,
}

struct Reading {
    buffer: FrameBuffer,
    assemblies: Assemblies,
}

impl Lane {
    fn start(host: Host, message_limit: usize, connection: LaneConnection) -> io::Result<()> {
        let LaneConnection { socket, traffic, .. } = &connection;
        let (socket, traffic) = (socket.clone(), traffic.clone());
        let runtime = Runtime::current();
        let (session, responses) = Session::new(host, message_limit, true);
        let writer = LaneWriter::start(socket.clone(), responses, runtime.clone(), Some(traffic));
        let limit = message_limit.max(CHUNK_SIZE).saturating_add(MAX_FRAME_OVERHEAD);
        let reading = Reading { buffer: FrameBuffer::new(limit), assemblies: session.assemblies() };
        let slot =
            ReadingSlot { reading: Some(reading), spares: 0, is_wanted: false, has_ended: false };
        let lane = Arc::new(Lane {
            session,
            socket,
            writer,
            runtime,
            slot: Mutex::new(slot),
            threads: AtomicUsize::new(0),
            spare: Condvar::new(),
            calls: AtomicU64::new(0),
            current: AtomicU64::new(0),
            is_unwanted: AtomicBool::new(false),
            read_out: CancellationToken::new(),
        });
        let open = lane.session.open();
        monitor::watch(&(Arc::clone(&lane) as Arc<dyn Watched>))?;
        lane.start_thread()?;
        tokio::spawn(async move {
            tokio::select! {
                () = lane.session.unwanted() => {
                    lane.is_unwanted.store(true, Ordering::Relaxed);
                    // The last responses go out. A client that has read them closes.
                    lane.session.end();
                    lane.read_out.cancelled().await;
                }
                () = lane.read_out.cancelled() => {}
            }
            drop((open, connection));
        });
        Ok(())
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let lane = Arc::clone(self);
        let thread = thread::Builder::new().name("oad-lane".to_owned());
        self.threads.fetch_add(1, Ordering::Relaxed);
        let started = thread.spawn(move || {
            lane.run();
            lane.threads.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    /// Reads and carries out requests; while another thread reads, waits to take over.
    fn run(self: &Arc<Self>) {
        let _entered = self.runtime.enter();
        while let Some(mut reading) = self.take_reading() {
            match self.next(&mut reading) {
                Ok(Some(_)) if self.is_unwanted.load(Ordering::Relaxed) => {
                    self.slot().reading = Some(reading);
                }
                Ok(Some(request)) => match self.session.handle(request, &mut reading.assemblies) {
                    None => self.slot().reading = Some(reading),
                    Some(work) => self.carry_out(work, reading),
                },
                Ok(None) => return self.finish(reading, true),
                Err(error) => {
                    debug!(%error, "a lane was broken off");
                    return self.finish(reading, false);
                }
            }
        }
    }

    fn next(&self, reading: &mut Reading) -> io::Result<Option<pb::SessionRequest>> {
        if !reading.buffer.has_frame() {
            self.writer.uncork();
            wait(self.session.room());
        }
        loop {
            if let Some(request) = reading.buffer.next(reading.assemblies.arriving())? {
                // More responses will follow this one soon.
                if reading.buffer.has_frame() {
                    self.writer.cork();
                } else {
                    self.writer.uncork();
                }
                return Ok(Some(request));
            }
            let Reading { buffer, assemblies } = reading;
            match self.socket.recv(buffer.room(assemblies.arriving()))? {
                0 => return Ok(None),
                len => buffer.note_read(len, assemblies.arriving()),
            }
        }
    }

    /// Carries out an operation as far as possible without waiting, while another thread
    /// may read on. The runtime does the rest.
    fn carry_out(&self, work: Work, reading: Reading) {
        self.slot().reading = Some(reading);
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.current.store(call, Ordering::SeqCst);
        monitor::note_call();
        // Panics of objects are caught further in. One of oad's own costs this operation
        // only.
        let left = panic::catch(|| match work {
            Work::Now(ready) => self.session.run_now(ready),
            Work::Later(work) if self.threads.load(Ordering::Relaxed) > MAX_THREADS => Some(work),
            Work::Later(mut work) => {
                let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                polled.is_pending().then_some(work)
            }
        });
        // If it has changed, another thread reads.
        let _ = self.current.compare_exchange(call, 0, Ordering::Relaxed, Ordering::Relaxed);
        if let Ok(Some(work)) = left {
            self.runtime.spawn(work);
        }
    }

    /// Waits for the turn to read; `None` if there is nothing to do any more.
    fn take_reading(&self) -> Option<Reading> {
        let mut slot = self.slot();
        if slot.has_ended {
            return None;
        }
        if let Some(reading) = slot.reading.take() {
            return Some(reading);
        }
        slot.spares += 1;
        let (mut slot, _) = self
            .spare
            .wait_timeout_while(slot, IDLE, |slot| !slot.is_wanted && !slot.has_ended)
            .unwrap_or_else(PoisonError::into_inner);
        slot.spares -= 1;
        if !slot.is_wanted || slot.has_ended {
            return None;
        }
        slot.is_wanted = false;
        slot.reading.take()
    }

    /// No more requests come.
    fn finish(self: &Arc<Self>, reading: Reading, is_complete: bool) {
        self.writer.uncork();
        drop(reading);
        let lane = Arc::clone(self);
        self.runtime.spawn(async move {
            if is_complete {
                lane.session.complete().await;
            }
            lane.session.end();
            lane.slot().has_ended = true;
            lane.spare.notify_all();
            lane.read_out.cancel();
        });
    }

    fn slot(&self) -> MutexGuard<'_, ReadingSlot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched for Lane {
    fn current_call(&self) -> u64 {
        self.current.load(Ordering::SeqCst)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn hand_over(self: Arc<Self>, call: u64) {
        // What it had answered before is not kept back.
        self.writer.uncork();
        let has_spare = {
            let mut slot = self.slot();
            slot.is_wanted = slot.spares > 0 && slot.reading.is_some();
            slot.is_wanted || slot.reading.is_none()
        };
        if has_spare {
            self.spare.notify_one();
        } else if let Err(error) = self.start_thread() {
            // The monitor tries again at its next look.
            debug!(%error, "no thread could be started to read on");
            return;
        }
        let _ = self.current.compare_exchange(call, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}
