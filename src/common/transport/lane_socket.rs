//! The socket of a lane.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, shutdown};

/// The socket of a lane. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub(crate) struct LaneSocket(Arc<OwnedFd>);

impl LaneSocket {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        LaneSocket(Arc::new(fd))
    }

    /// Writes as much as there is room for. It never waits, and never raises SIGPIPE.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; `BrokenPipe` if the peer has closed.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&*self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    /// Waits for bytes and appends them to `buffer`, up to its capacity; 0 means that the
    /// peer has closed.
    pub(crate) fn recv(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match recv(&*self.0, spare_capacity(buffer), RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                received => return Ok(received?.1),
            }
        }
    }

    /// Says that nothing more is written. The socket may be closed already.
    pub(crate) fn close_writing(&self) {
        let _ = shutdown(&*self.0, rustix::net::Shutdown::Write);
    }

    /// Ends all reading and writing, also of a thread that waits in [`recv`](Self::recv).
    pub(crate) fn close(&self) {
        let _ = shutdown(&*self.0, rustix::net::Shutdown::Both);
    }

    /// Another descriptor of the same socket.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

impl AsFd for LaneSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
