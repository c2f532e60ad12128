//! Writing to sockets without SIGPIPE.
//!
//! The standard library and tokio write with write(2) and writev(2), which raise SIGPIPE
//! if the peer has closed. A program ignores it only until somebody sets it to its
//! default: the object of a daemon may, and some command line tools do. So every socket
//! of oad's is written with sendmsg(2), which takes a flag.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpStream, UnixStream};

/// A socket that a runtime watches.
pub(super) trait WatchedSocket: AsFd {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn try_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize>;
}

/// The writing half of a Unix socket.
#[derive(Debug)]
pub(crate) struct SocketWriter(OwnedWriteHalf);

/// Writes as much as there is room for, or waits for room.
pub(super) fn poll_send(
    socket: &impl WatchedSocket,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(cx))?;
        match socket.try_write(|| send(socket.as_fd(), slices, SendFlags::DONTWAIT)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// Writes to a socket; never raises SIGPIPE.
///
/// # Errors
///
/// `BrokenPipe` if the peer has closed, and any other error of sendmsg(2).
pub(super) fn send(
    socket: BorrowedFd<'_>,
    slices: &[IoSlice<'_>],
    flags: SendFlags,
) -> io::Result<usize> {
    /// The kernel's limit on the slices of one call.
    const MAX_SLICES: usize = 1024;
    let slices = &slices[..slices.len().min(MAX_SLICES)];
    loop {
        let flags = flags | SendFlags::NOSIGNAL;
        match sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

// === impl WatchedSocket ===

impl WatchedSocket for UnixStream {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        UnixStream::poll_write_ready(self, cx)
    }

    fn try_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}

impl WatchedSocket for TcpStream {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        TcpStream::poll_write_ready(self, cx)
    }

    fn try_write(&self, write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
        self.try_io(Interest::WRITABLE, write)
    }
}

// === impl SocketWriter ===

impl SocketWriter {
    pub(crate) fn new(half: OwnedWriteHalf) -> Self {
        SocketWriter(half)
    }

    /// The whole socket.
    pub(crate) fn socket(&self) -> &UnixStream {
        self.0.as_ref()
    }
}

impl AsyncWrite for SocketWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_send(self.socket(), cx, &[IoSlice::new(buf)])
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn more_than_the_socket_holds_arrives_whole() {
        let (ours, mut theirs) = UnixStream::pair().expect("there are descriptors");
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            let (_reader, writer) = ours.into_split();
            SocketWriter::new(writer).write_all(&sent).await
        });
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).await.expect("it ends");
        writing.await.expect("it does not panic").expect("it is read");
        assert!(received == expected);
    }

    #[tokio::test]
    async fn closed_peer_is_an_error() {
        let (ours, theirs) = UnixStream::pair().expect("there are descriptors");
        drop(theirs);
        let (_reader, writer) = ours.into_split();
        let error = SocketWriter::new(writer).write_all(b"x").await.expect_err("it is closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
