//! Descriptors that travel over a Unix socket with the bytes of a frame.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;

/// How many descriptors come with one frame at most.
const MAX_DESCRIPTORS: usize = 4;

/// Sends the beginning of some bytes with descriptors, and returns how many bytes that
/// is.
///
/// # Cancel safety
///
/// If the future is dropped before it completes, nothing was sent.
pub(crate) async fn send_descriptors(
    stream: &UnixStream,
    bytes: &[u8],
    descriptors: &[OwnedFd],
) -> io::Result<usize> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(|fd| fd.as_fd()).collect();
    stream.async_io(Interest::WRITABLE, || send_with(stream, bytes, &borrowed)).await
}

/// Does the same with one system call.
pub(crate) fn send_with(
    socket: impl AsFd,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Reads a Unix socket, and keeps the descriptors that arrive with the bytes.
#[derive(Debug)]
pub(crate) struct DescriptorReader {
    stream: OwnedReadHalf,
    received: VecDeque<OwnedFd>,
}

impl DescriptorReader {
    pub(crate) fn new(stream: OwnedReadHalf) -> Self {
        DescriptorReader { stream, received: VecDeque::new() }
    }

    /// Takes the next descriptor that has arrived.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.received.pop_front()
    }
}

impl AsyncRead for DescriptorReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let DescriptorReader { stream, received } = &mut *self;
        let stream: &UnixStream = (*stream).as_ref();
        loop {
            ready!(stream.poll_read_ready(cx))?;
            let receive = || {
                let mut space =
                    [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let bytes = &mut [IoSliceMut::new(buffer.initialize_unfilled())];
                let message = recvmsg(stream, bytes, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                for arrived in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(descriptors) = arrived {
                        received.extend(descriptors);
                    }
                }
                Ok(message.bytes)
            };
            match stream.try_io(Interest::READABLE, receive) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn descriptors_arrive_with_their_bytes() {
        let (ours, theirs) = UnixStream::pair().expect("there are descriptors");
        let (one, other) = std::os::unix::net::UnixStream::pair().expect("there are descriptors");
        let sent = send_descriptors(&ours, b"here", &[one.into()]).await.expect("it has room");
        assert_eq!(sent, 4);
        let mut reader = DescriptorReader::new(theirs.into_split().0);
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).await.expect("they have been sent");
        assert_eq!(&bytes, b"here");
        let received = reader.take_descriptor().expect("it came with them");
        assert!(reader.take_descriptor().is_none());
        let mut received = std::os::unix::net::UnixStream::from(received);
        received.write_all(b"through").expect("it is open");
        drop(received);
        let text = std::io::read_to_string(other).expect("it ends");
        assert_eq!(text, "through");
    }
}
