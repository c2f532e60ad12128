//! The connections a daemon accepts.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::common::transport::admission::{Admission, Places};
use crate::common::transport::connection::Connection;
use crate::common::transport::lane_preface::{PREFACE as LANE_PREFACE, accept_preface};
use crate::common::transport::{Endpoint, IoStream, LaneSocket, MemoryBudget, Token, Traffic};

/// How many clients may be connected at once. One more takes the place of the oldest that
/// has not proven that it may be here, or else waits until another disconnects.
const MAX_CONNECTIONS: usize = 64;

/// The first bytes of every HTTP/2 client (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may take to send it, and on localhost the token too. A silent
/// connection would be held open for ever by the HTTP/2 library.
const ADMISSION_DEADLINE: Duration = Duration::from_secs(2);

/// The same until the parent is in: on a loaded machine it may be slow, and it does not
/// come again.
const PARENT_DEADLINE: Duration = Duration::from_secs(60);

/// How long to wait after a failed accept. Out of descriptors, the listener stays ready,
/// and accepting at once again would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener and its connections.
#[derive(Debug)]
pub(crate) struct BoundListener {
    /// Its address, with the port that the kernel has chosen.
    pub(crate) endpoint: Endpoint,
    pub(crate) incoming: IncomingConnections,
    /// The lanes that the owner opens.
    pub(crate) lanes: mpsc::Receiver<LaneConnection>,
    pub(crate) traffic: Traffic,
}

/// The owner of a daemon, who may open a lane.
#[derive(Clone, Debug)]
pub(crate) struct LaneOwner {
    /// The parent's pid, as the kernel reports it of the lifeline; 0 if the parent is
    /// outside of this process's PID namespace.
    pub(crate) pid: u32,
    /// Required on localhost, where the kernel does not report who connects.
    pub(crate) token: Option<Token>,
    /// Whether it will open a lane.
    pub(crate) lane: bool,
}

/// A lane that the owner has opened. It holds its place among [`MAX_CONNECTIONS`].
#[derive(Debug)]
pub(crate) struct LaneConnection {
    pub(crate) socket: LaneSocket,
    pub(crate) traffic: Traffic,
    _place: OwnedSemaphorePermit,
}

/// The accepted connections: alive, speaking HTTP/2 and, where the kernel knows it, of
/// this user.
#[derive(Debug)]
pub(crate) struct IncomingConnections(mpsc::Receiver<io::Result<Connection>>);

impl BoundListener {
    /// The other end of a connection within this process is the only client. Must be
    /// called where a runtime is current; the task it spawns ends when the
    /// [`IncomingConnections`] is dropped.
    pub(crate) fn to(stream: IoStream) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let traffic = Traffic::default();
        let place =
            Arc::new(Semaphore::new(1)).try_acquire_owned().expect("nobody else knows of it");
        let connection = Connection::in_process(stream, traffic.clone(), place);
        tokio::spawn(async move {
            // The server may have ended before this.
            let _ = sender.send(Ok(connection)).await;
            // A server whose clients have all come ends with them.
            sender.closed().await;
        });
        BoundListener {
            endpoint: Endpoint::InProcess,
            incoming: IncomingConnections(receiver),
            lanes: mpsc::channel(1).1,
            traffic,
        }
    }
}

/// Listens at `endpoint` and accepts on a task that ends when the [`IncomingConnections`]
/// is dropped.
///
/// # Errors
///
/// Any error of `bind`; a path must not exist yet.
pub(crate) fn listen(
    endpoint: &Endpoint,
    owner: LaneOwner,
    memory: MemoryBudget,
) -> io::Result<BoundListener> {
    let (listener, endpoint) = match endpoint {
        Endpoint::Unix(path) => {
            let listener = UnixListener::bind(path)?;
            // Only this user can enter the directory; this protects the socket even if
            // the directory's mode is changed.
            set_permissions(path, Permissions::from_mode(0o600))?;
            (Listener::Unix(listener), endpoint.clone())
        }
        Endpoint::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            let bound = Endpoint::Tcp(listener.local_addr()?);
            (Listener::Tcp(listener), bound)
        }
        Endpoint::InProcess => return Err(io::ErrorKind::Unsupported.into()),
    };
    let (sender, receiver) = mpsc::channel(1);
    let (lane_sender, lanes) = mpsc::channel(1);
    let traffic = Traffic::default();
    let door = Door {
        owner,
        memory,
        traffic: traffic.clone(),
        lanes: lane_sender,
        incoming: sender,
        places: Arc::new(Places::new(MAX_CONNECTIONS)),
        has_lane: Arc::default(),
    };
    let reserve = reserve_descriptors()?;
    tokio::spawn(accept_all(listener, door, reserve));
    Ok(BoundListener { endpoint, incoming: IncomingConnections(receiver), lanes, traffic })
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// `None`: the client is another user.
    async fn accept(&self) -> io::Result<Option<IoStream>> {
        match self {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(is_same_user(&stream).then_some(IoStream::Unix(stream)))
            }
            // The kernel does not tell the user of a TCP client; the token does.
            Listener::Tcp(listener) => {
                listener.accept().await.and_then(|(stream, _)| IoStream::from_tcp(stream)).map(Some)
            }
        }
    }
}

/// Where accepted connections go, by what they speak.
#[derive(Clone)]
struct Door {
    owner: LaneOwner,
    memory: MemoryBudget,
    traffic: Traffic,
    lanes: mpsc::Sender<LaneConnection>,
    incoming: mpsc::Sender<io::Result<Connection>>,
    places: Arc<Places>,
    has_lane: Arc<AtomicBool>,
}

impl Door {
    /// Turns away a client that is silent, or whose place is wanted.
    async fn admit_in_time(
        self,
        stream: IoStream,
        place: (OwnedSemaphorePermit, Admission),
    ) -> io::Result<()> {
        let deadline = Instant::now() + self.patience(&stream);
        let evicted = place.1.evicted();
        tokio::select! {
            admitted = timeout_at(deadline, self.admit(stream, place, deadline)) => {
                admitted.unwrap_or_else(|_| Err(io::Error::other("it was silent")))
            }
            () = evicted => Err(io::Error::other("another client wanted its place")),
        }
    }

    /// How long a client may take to be admitted.
    fn patience(&self, stream: &IoStream) -> Duration {
        let is_expected = self.owner.lane && !self.has_lane.load(Ordering::Acquire);
        let is_parent = match stream {
            IoStream::Unix(_) => self.is_owner(stream).unwrap_or(false),
            // It may be the parent.
            _ => is_expected || !self.places.has_let_in(),
        };
        if is_parent { PARENT_DEADLINE } else { ADMISSION_DEADLINE }
    }

    async fn admit(
        self,
        stream: IoStream,
        place: (OwnedSemaphorePermit, Admission),
        deadline: Instant,
    ) -> io::Result<()> {
        let traffic = self.traffic.clone();
        match first_bytes(&stream).await? {
            preface if preface == *PREFACE => {
                let is_owner = self.is_owner(&stream)?;
                if is_owner {
                    place.1.prove();
                }
                let memory = (!is_owner).then(|| self.memory.client());
                let deadline = self.owner.token.is_some().then_some(deadline);
                let connection = Connection::new(stream, traffic, place, deadline, memory);
                // The server may have ended meanwhile; then the connection is not wanted.
                let _ = self.incoming.send(Ok(connection)).await;
            }
            preface if preface == *LANE_PREFACE => {
                let socket = LaneSocket::new(self.admit_owner(stream).await?.into_fd()?);
                let (place, admission) = place;
                admission.prove();
                self.has_lane.store(true, Ordering::Release);
                // As above.
                let _ = self.lanes.send(LaneConnection { socket, traffic, _place: place }).await;
            }
            _ => return Err(io::Error::other("it spoke neither HTTP/2 nor oad's lane")),
        }
        Ok(())
    }

    /// Lets the parent in: the kernel says who it is, or the token does.
    async fn admit_owner(&self, mut stream: IoStream) -> io::Result<IoStream> {
        let presented = accept_preface(&mut stream).await?;
        let is_owner = match &self.owner.token {
            Some(token) => token.is_in(&presented),
            None => self.is_owner(&stream)?,
        };
        match is_owner {
            true => Ok(stream),
            false => Err(io::Error::other("a lane is for the daemon's parent alone")),
        }
    }

    /// Whether the kernel knows the client to be the parent.
    fn is_owner(&self, stream: &IoStream) -> io::Result<bool> {
        let IoStream::Unix(stream) = stream else { return Ok(false) };
        let peer = stream.peer_cred()?.pid();
        Ok(peer.is_some_and(|peer| u32::try_from(peer) == Ok(self.owner.pid)))
    }
}

async fn accept_all(listener: Listener, door: Door, reserve: Vec<OwnedFd>) {
    let mut reserve = Some(reserve);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = door.incoming.closed() => return,
        };
        match accepted {
            Ok(Some(stream)) => {
                let place = tokio::select! {
                    place = door.places.take() => place,
                    () = door.incoming.closed() => return,
                };
                let door = door.clone();
                // Each on its own task, so that a slow client does not hold up the next.
                tokio::spawn(async move {
                    if let Err(why) = door.admit_in_time(stream, place).await {
                        debug!(%why, "a client was turned away");
                    }
                });
            }
            Ok(None) => warn!("a client was turned away: it belongs to another user"),
            // The parent comes first, and must get in.
            Err(error) if is_out_of_descriptors(&error) && reserve.take().is_some() => {}
            Err(error) => {
                warn!(%error, "a client could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Descriptors for the parent's connections, so that a daemon that is ready can accept
/// them.
fn reserve_descriptors() -> io::Result<Vec<OwnedFd>> {
    /// Two sockets, and one more to wait for room in the lane's.
    const RESERVE: usize = 3;
    let null = || rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    Ok((0..RESERVE).map(|_| null()).collect::<Result<_, _>>()?)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::MFILE | Errno::NFILE))
}

fn is_same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

/// Returns the first bytes without taking them, as soon as they can only be one of the
/// prefaces.
async fn first_bytes(stream: &IoStream) -> io::Result<[u8; PREFACE.len()]> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        let mut preface = [0; PREFACE.len()];
        let peeked = stream.try_io(Interest::READABLE, |socket| {
            let (_, len) = rustix::net::recv(socket, &mut preface, RecvFlags::PEEK)?;
            let is_part_of = |whole: &[u8; PREFACE.len()]| preface[..len] == whole[..len];
            if len == PREFACE.len() || len == 0 {
                return Ok(preface);
            }
            if !is_part_of(PREFACE) && !is_part_of(LANE_PREFACE) {
                return Ok(preface);
            }
            // A part of it has arrived. `WouldBlock` makes the runtime wait for the rest.
            Err(io::ErrorKind::WouldBlock.into())
        });
        match peeked {
            // Once the client has closed, the stream is ready for ever, and no more
            // comes.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !ready.is_read_closed() => {}
            result => return result,
        }
    }
}

// === impl Incoming ===

impl tokio_stream::Stream for IncomingConnections {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
