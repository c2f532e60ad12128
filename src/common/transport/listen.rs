//! The connections a daemon accepts.

use std::fs::{Permissions, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::RecvFlags;
use rustix::net::sockopt::socket_peercred;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use crate::common::transport::{Endpoint, IoStream};

/// How many clients may be connected at once; one more waits until another disconnects.
const MAX_CONNECTIONS: usize = 64;

/// The first bytes of every HTTP/2 client (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may take to send it. A silent connection would be held open for ever
/// by the HTTP/2 library.
const PREFACE_DEADLINE: Duration = Duration::from_secs(5);

/// How long to wait after a failed accept. Out of descriptors, the listener stays ready,
/// and accepting at once again would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound listener and its connections.
#[derive(Debug)]
pub(crate) struct BoundListener {
    /// Its address, with the port that the kernel has chosen.
    pub(crate) endpoint: Endpoint,
    pub(crate) incoming: IncomingConnections,
    pub(crate) traffic: Traffic,
}

/// The accepted connections: alive, speaking HTTP/2 and, where the kernel knows it, of
/// this user.
#[derive(Debug)]
pub(crate) struct IncomingConnections(mpsc::Receiver<io::Result<Connection>>);

/// Counts what is written to all connections together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    waiting: AtomicUsize,
}

impl Traffic {
    /// The bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Whether some connection has more to write than its client has read.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
    }
}

/// One accepted connection, which holds its place among [`MAX_CONNECTIONS`].
#[derive(Debug)]
pub(crate) struct Connection {
    stream: IoStream,
    traffic: Traffic,
    /// Whether it is counted among those that wait to write.
    is_waiting: bool,
    _place: OwnedSemaphorePermit,
}

impl BoundListener {
    /// The other end of a connection within this process is the only client. Must be
    /// called where a runtime is current; the task it spawns ends when the
    /// [`IncomingConnections`] is dropped.
    pub(crate) fn to(stream: IoStream) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        let traffic = Traffic::default();
        let place =
            Arc::new(Semaphore::new(1)).try_acquire_owned().expect("nobody else knows of it");
        let connection =
            Connection { stream, traffic: traffic.clone(), is_waiting: false, _place: place };
        tokio::spawn(async move {
            // The server may have ended before this.
            let _ = sender.send(Ok(connection)).await;
            // A server whose clients have all come ends with them.
            sender.closed().await;
        });
        BoundListener {
            endpoint: Endpoint::InProcess,
            incoming: IncomingConnections(receiver),
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
pub(crate) fn listen(endpoint: &Endpoint) -> io::Result<BoundListener> {
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
    let traffic = Traffic::default();
    tokio::spawn(accept_all(listener, sender, traffic.clone()));
    Ok(BoundListener { endpoint, incoming: IncomingConnections(receiver), traffic })
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

async fn accept_all(
    listener: Listener,
    incoming: mpsc::Sender<io::Result<Connection>>,
    traffic: Traffic,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place =
            Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = incoming.closed() => return,
        };
        match accepted {
            Ok(Some(stream)) => {
                let connection = Connection {
                    stream,
                    traffic: traffic.clone(),
                    is_waiting: false,
                    _place: place,
                };
                let incoming = incoming.clone();
                // Each on a task of its own, so that a slow one does not hold up the
                // next; it ends with the deadline.
                tokio::spawn(async move {
                    match tokio::time::timeout(PREFACE_DEADLINE, speaks_http2(&connection.stream))
                        .await
                    {
                        // The server may have ended meanwhile; then the connection is not
                        // wanted.
                        Ok(Ok(true)) => drop(incoming.send(Ok(connection)).await),
                        _ => debug!("a client was turned away: it did not speak HTTP/2"),
                    }
                });
            }
            Ok(None) => warn!("a client was turned away: it belongs to another user"),
            Err(error) => {
                warn!(%error, "a client could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_same_user(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &IoStream) -> io::Result<bool> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        let mut preface = [0; PREFACE.len()];
        let peeked = stream.try_io(Interest::READABLE, |socket| {
            let (_, len) = rustix::net::recv(socket, &mut preface, RecvFlags::PEEK)?;
            if len == PREFACE.len() || len == 0 || preface[..len] != PREFACE[..len] {
                return Ok(preface == *PREFACE);
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

// === impl Connection ===

impl Connection {
    fn note(&mut self, written: &Poll<io::Result<usize>>) {
        let counts = &self.traffic.0;
        if let Poll::Ready(Ok(bytes)) = written {
            counts.written.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        match (self.is_waiting, written.is_pending()) {
            (false, true) => _ = counts.waiting.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = counts.waiting.fetch_sub(1, Ordering::Relaxed),
            _ => {}
        }
        self.is_waiting = written.is_pending();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_waiting {
            self.traffic.0.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
