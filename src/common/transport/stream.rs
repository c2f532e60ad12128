//! A connection of any kind.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};

use crate::common::transport::socket_writer::poll_send;

/// A connection of any kind.
#[derive(Debug)]
pub(crate) enum IoStream {
    Unix(UnixStream),
    Tcp(TcpStream),
    /// Within this process.
    Duplex(DuplexStream),
}

/// How much one end within a process may write before the other has read it, in bytes:
/// about what a Unix socket holds.
const DUPLEX_BUFFER: usize = 256 * 1024;

impl IoStream {
    /// Sends a small frame at once, without waiting for the acknowledgement of the one
    /// before.
    pub(super) fn from_tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(IoStream::Tcp(stream))
    }

    /// Both ends of a connection within this process.
    pub(crate) fn pair() -> (Self, Self) {
        let (one, other) = tokio::io::duplex(DUPLEX_BUFFER);
        (IoStream::Duplex(one), IoStream::Duplex(other))
    }

    /// The socket itself, which blocks and belongs to no runtime.
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        match self {
            IoStream::Unix(stream) => {
                let stream = stream.into_std()?;
                stream.set_nonblocking(false)?;
                Ok(stream.into())
            }
            IoStream::Tcp(stream) => {
                let stream = stream.into_std()?;
                stream.set_nonblocking(false)?;
                Ok(stream.into())
            }
            IoStream::Duplex(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            IoStream::Unix(stream) => stream.ready(interest).await,
            IoStream::Tcp(stream) => stream.ready(interest).await,
            IoStream::Duplex(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Has its socket looked at, as tokio's `try_io`.
    pub(super) fn try_io<T>(
        &self,
        interest: Interest,
        look: impl FnOnce(BorrowedFd<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        match self {
            IoStream::Unix(stream) => stream.try_io(interest, || look(stream.as_fd())),
            IoStream::Tcp(stream) => stream.try_io(interest, || look(stream.as_fd())),
            IoStream::Duplex(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl AsyncRead for IoStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            IoStream::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            IoStream::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            IoStream::Duplex(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for IoStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            IoStream::Unix(stream) => poll_send(stream, cx, &[io::IoSlice::new(buf)]),
            IoStream::Tcp(stream) => poll_send(stream, cx, &[io::IoSlice::new(buf)]),
            IoStream::Duplex(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            IoStream::Unix(stream) => poll_send(stream, cx, bufs),
            IoStream::Tcp(stream) => poll_send(stream, cx, bufs),
            IoStream::Duplex(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            IoStream::Unix(stream) => stream.is_write_vectored(),
            IoStream::Tcp(stream) => stream.is_write_vectored(),
            IoStream::Duplex(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            IoStream::Unix(stream) => Pin::new(stream).poll_flush(cx),
            IoStream::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            IoStream::Duplex(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            IoStream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            IoStream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            IoStream::Duplex(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
