//! Serves the owner's lane: one thread reads requests, carries them out and writes their
//! responses, without waking another.
//!
//! A method that takes long must not hold up other calls. So the monitor looks at the
//! lanes every millisecond while calls run, and lets another thread read on when a call
//! lasts. Most calls are shorter; for them this costs two stores.

use std::ffi::CStr;
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
use crate::common::error::{Error, ErrorKind};
use crate::common::lane::{FrameBuffer, LaneWriter, MAX_FRAME_OVERHEAD};
use crate::common::park::wait;
use crate::common::threads::note_started;
use crate::common::transport::{LaneConnection, LaneSocket};
use crate::common::wire::{CHUNK_SIZE, pb};

/// So many threads may be kept by async methods that compute before their first await;
/// the runtime runs more of them. For sync methods, see
/// [`try_in_place_permit`](crate::child::object::try_in_place_permit).
const MAX_THREADS: usize = 64;

/// How long a thread without work is kept.
const IDLE: Duration = Duration::from_secs(10);

/// The threads of the first lane, one that reads and one to spare. They are started
/// before the daemon reports that it is ready: a daemon that cannot start them does not
/// start.
#[derive(Debug)]
pub(crate) struct ReservedThreads([std::sync::mpsc::Sender<Arc<Lane>>; 2]);

impl ReservedThreads {
    /// # Errors
    ///
    /// If one of them, or the monitor, cannot be started.
    pub(crate) fn start() -> io::Result<Self> {
        monitor::start()?;
        Ok(ReservedThreads([reserve_thread()?, reserve_thread()?]))
    }
}

fn reserve_thread() -> io::Result<std::sync::mpsc::Sender<Arc<Lane>>> {
    let (sender, lane) = std::sync::mpsc::channel::<Arc<Lane>>();
    let thread = thread::Builder::new().name(SPARE.to_owned());
    thread.spawn(move || {
        if let Ok(lane) = lane.recv() {
            lane.work();
        }
    })?;
    Ok(sender)
}

/// The name of a thread that waits for something to do; one that reads, or carries out a
/// call, is `oad-lane`.
const SPARE: &str = "oad-spare";

fn name_thread(name: &CStr) {
    // It is for whoever looks at the process.
    let _ = rustix::thread::set_name(name);
}

/// Serves every lane that the owner opens, until no more can be opened.
pub(crate) async fn serve_lanes(
    host: Host,
    message_limit: usize,
    mut lanes: mpsc::Receiver<LaneConnection>,
    mut reserved: Option<ReservedThreads>,
) {
    while let Some(connection) = lanes.recv().await {
        if let Err(error) = Lane::start(host.clone(), message_limit, connection, reserved.take()) {
            // The connection is closed, which its client notices.
            debug!(%error, "a lane was refused");
        }
    }
}

/// One lane.
pub(crate) struct Lane {
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

fn no_thread() -> Error {
    Error::new(ErrorKind::Limit, "failed to start a thread that reads on while this call runs")
        .advise("raise the limit on threads (`ulimit -u`, `pids.max`), or make fewer calls at once")
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
    fn start(
        host: Host,
        message_limit: usize,
        connection: LaneConnection,
        reserved: Option<ReservedThreads>,
    ) -> io::Result<()> {
        let LaneConnection { socket, traffic, .. } = &connection;
        let (socket, traffic) = (socket.clone(), traffic.clone());
        let runtime = Runtime::current();
        let (session, responses) = Session::new(host, message_limit, true, None);
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
        match reserved {
            Some(ReservedThreads(threads)) => {
                for thread in threads {
                    lane.threads.fetch_add(1, Ordering::Relaxed);
                    // It waits for this.
                    let _ = thread.send(Arc::clone(&lane));
                }
            }
            None => {
                lane.start_thread()?;
                lane.start_thread()?;
            }
        }
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
        let thread = thread::Builder::new().name(SPARE.to_owned());
        self.threads.fetch_add(1, Ordering::Relaxed);
        let started = thread.spawn(move || lane.work());
        note_started(started.is_ok());
        if started.is_err() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
        started.map(drop)
    }

    /// What a thread of this lane does.
    fn work(self: Arc<Self>) {
        name_thread(c"oad-lane");
        self.run();
        self.threads.fetch_sub(1, Ordering::Relaxed);
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
    fn carry_out(self: &Arc<Self>, work: Work, reading: Reading) {
        let has_spare = self.has_spare();
        self.slot().reading = Some(reading);
        if !has_spare {
            return match work {
                Work::Now(ready) => self.session.refuse_now(ready, &no_thread()),
                Work::Later(work) => drop(self.runtime.spawn(work)),
            };
        }
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

    /// Whether a thread can read on while this one carries out a call.
    fn has_spare(self: &Arc<Self>) -> bool {
        /// A thread that has just answered a call needs a moment until it is to spare.
        const TRIES: usize = 5;
        (0..TRIES).any(|number| {
            if number > 0 {
                thread::sleep(Duration::from_millis(1));
            }
            self.slot().spares > 0 || self.start_thread().is_ok()
        })
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
        name_thread(c"oad-spare");
        loop {
            slot.spares += 1;
            (slot, _) = self
                .spare
                .wait_timeout_while(slot, IDLE, |slot| !slot.is_wanted && !slot.has_ended)
                .unwrap_or_else(PoisonError::into_inner);
            slot.spares -= 1;
            if slot.has_ended {
                return None;
            }
            if slot.is_wanted {
                slot.is_wanted = false;
                name_thread(c"oad-lane");
                return slot.reading.take();
            }
            // One spare thread stays: when it is needed, none may be left to be started.
            if slot.spares > 0 {
                return None;
            }
        }
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
