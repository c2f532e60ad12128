//! One accepted connection that speaks HTTP/2: its place, its proof, its budgets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::transport::server::Connected;
use tracing::debug;

use crate::common::transport::admission::Admission;
use crate::common::transport::frame_budget::{FrameBudget, Verdict};
use crate::common::transport::traffic::WaitingToWrite;
use crate::common::transport::{ClientMemory, IoStream, Traffic};

/// One accepted connection, which holds its place among those of all clients.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: IoStream,
    traffic: Traffic,
    /// Held while it is counted among those that wait to write.
    waiting: Option<WaitingToWrite>,
    peer: Peer,
    /// `None` within this process, whose only client is trusted.
    budget: Option<FrameBudget>,
    unproven: Option<Unproven>,
    /// It has sent so much that nothing more is read until it has proven that it may be
    /// here. A request that does may be among what it has sent.
    must_prove: bool,
    /// Whether a request is enough of a proof, because the kernel knows the client.
    is_known: bool,
    _place: OwnedSemaphorePermit,
}

/// The client of a connection, as the services know it: among the extensions of each
/// request.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) admission: Admission,
    /// What the daemon holds for it; `None` if it is trusted.
    pub(crate) memory: Option<ClientMemory>,
}

/// What ends a connection whose client has proven nothing.
#[derive(Debug)]
struct Unproven {
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// A client within this process.
    pub(super) fn in_process(
        stream: IoStream,
        traffic: Traffic,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Connection {
            stream,
            traffic,
            waiting: None,
            peer: Peer { admission: Admission::proven(), memory: None },
            budget: None,
            unproven: None,
            must_prove: false,
            is_known: true,
            _place: place,
        }
    }

    /// A client that must show the token until the deadline; without one, the kernel
    /// knows its user, and it only has to make a request before its place is wanted. If
    /// it is not trusted, what the daemon holds for it is counted.
    pub(super) fn new(
        stream: IoStream,
        traffic: Traffic,
        (place, admission): (OwnedSemaphorePermit, Admission),
        deadline: Option<Instant>,
        memory: Option<ClientMemory>,
    ) -> Self {
        let unproven = Unproven {
            evicted: Box::pin(admission.evicted()),
            deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
        };
        Connection {
            stream,
            traffic,
            waiting: None,
            peer: Peer { admission, memory },
            budget: Some(FrameBudget::new()),
            unproven: Some(unproven),
            must_prove: false,
            is_known: deadline.is_none(),
            _place: place,
        }
    }

    /// Fails if the client has lost its place. Checked wherever the connection is polled,
    /// because the HTTP/2 library does not read while it cannot write.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.peer.memory.as_ref().is_some_and(|memory| memory.is_evicted(cx.waker())) {
            return Err(turned_away("the daemon held too much for it"));
        }
        let Some(unproven) = &mut self.unproven else { return Ok(()) };
        if self.peer.admission.is_proven() {
            self.unproven = None;
            return Ok(());
        }
        if unproven.evicted.as_mut().poll(cx).is_ready() {
            return Err(turned_away("another client wanted its place"));
        }
        let deadline = unproven.deadline.as_mut();
        match deadline.is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            true => Err(turned_away("it did not send the token in time")),
            false => Ok(()),
        }
    }

    fn note_received(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Connection { peer: Peer { admission, .. }, budget, is_known, .. } = self;
        let Some(budget) = budget else { return Ok(()) };
        let on_request = || {
            if *is_known {
                admission.prove();
            }
        };
        match budget.receive(bytes, on_request, || admission.is_proven()) {
            Verdict::GoOn => Ok(()),
            // The token is checked on another task. The deadline bounds the wait.
            Verdict::ProveFirst if !*is_known => {
                self.must_prove = true;
                Ok(())
            }
            Verdict::ProveFirst | Verdict::Close => {
                Err(turned_away("it sent too many frames that are not calls"))
            }
        }
    }

    fn note_written(&mut self, bufs: &[io::IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.traffic.note_written(*bytes);
            let mut left = *bytes;
            for buf in bufs {
                let part = left.min(buf.len());
                left -= part;
                if let Some(budget) = &mut self.budget {
                    budget.send(&buf[..part]);
                }
            }
        }
        match (&self.waiting, written.is_pending()) {
            (None, true) => self.waiting = Some(self.traffic.wait()),
            (Some(_), false) => self.waiting = None,
            _ => {}
        }
    }
}

fn turned_away(why: &'static str) -> io::Error {
    debug!(why, "a client was turned away");
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.must_prove {
            if !self.peer.admission.is_proven_or_wakes(cx.waker()) {
                return Poll::Pending;
            }
            self.must_prove = false;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note_received(&buf.filled()[before..])?;
        if read.is_pending() {
            self.peer.admission.read_turns().note();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_written(&[io::IoSlice::new(buf)], &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_written(bufs, &written);
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
