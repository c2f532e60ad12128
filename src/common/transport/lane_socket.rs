//! The socket of a lane.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg, shutdown, sockopt};

/// How many bytes the socket takes before its writer has to wait for the reader; the
/// kernel doubles it. With less, the two wait for each other too often. With more, a
/// small message waits longer for those that were written before it.
const SEND_BUFFER: usize = 512 * 1024;

/// The socket of a lane. Cheap to clone; the last clone closes it.
#[derive(Clone, Debug)]
pub(crate) struct LaneSocket(Arc<OwnedFd>);

impl LaneSocket {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        // The kernel may allow less. Then a large message wakes its writer more often.
        let _ = sockopt::set_socket_send_buffer_size(&fd, SEND_BUFFER);
        LaneSocket(Arc::new(fd))
    }

    /// Writes as much as there is room for, one slice after the other. It never waits,
    /// and never raises SIGPIPE.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; `BrokenPipe` if the peer has closed.
    pub(crate) fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(&*self.0, slices, &mut SendAncillaryBuffer::default(), flags) {
                Err(Errno::INTR) => {}
                sent => return Ok(sent?),
            }
        }
    }

    /// Waits for bytes and reads as many as there are; 0 means that the peer has closed.
    pub(crate) fn recv(&self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match recv(&*self.0, &mut *room, RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                received => return Ok(received?.0),
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
