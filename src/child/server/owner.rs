//! What the parent is told and asks for on the lifeline once the daemon runs.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::AsyncBufRead;
use tokio::time::Instant;

use crate::child::host::{Drained, Host};
#[cfg(feature = "python")]
use crate::child::python;
use crate::common::handshake::{DaemonMessage, ParentMessage, read_frame};

/// The parent, as the daemon deals with it.
pub(super) struct Owner {
    host: Host,
    /// What it is to be told of the interpreters.
    #[cfg(feature = "python")]
    messages: tokio::sync::mpsc::UnboundedReceiver<python::OwnerMessage>,
}

/// Tells the parent something.
pub(super) trait OwnerWriter {
    /// Write errors are ignored: if the parent is gone, there is nobody to tell.
    async fn tell(&mut self, message: &DaemonMessage, descriptors: Vec<OwnedFd>) -> io::Result<()>;
}

impl Owner {
    pub(super) fn of(host: &Host, has_doors: bool) -> Self {
        #[cfg(not(feature = "python"))]
        let _ = has_doors;
        Owner {
            host: host.clone(),
            #[cfg(feature = "python")]
            messages: python::tell_owner(host.daemon(), has_doors),
        }
    }

    /// Tells the parent of its interpreters, and of the shutdown, first that it has begun
    /// and then how it went. Never returns. If the parent is gone, there is nobody to
    /// tell.
    pub(super) async fn report(mut self, writer: &mut impl OwnerWriter) {
        let host = self.host.clone();
        let deadline = tokio::select! {
            () = self.tell_of_interpreters(writer) => pending().await,
            deadline = host.ending().requested() => deadline,
        };
        let grace = deadline.saturating_duration_since(Instant::now());
        let calls = host.calls() as u64;
        let terminating = DaemonMessage::Terminating { grace, calls };
        let _ = writer.tell(&terminating, Vec::new()).await;
        let Drained { abandoned, dropped, cut_short } = tokio::select! {
            () = self.tell_of_interpreters(writer) => pending().await,
            drained = host.ending().drained() => drained,
        };
        let leaving = DaemonMessage::Leaving { abandoned, dropped, cut_short };
        let _ = writer.tell(&leaving, Vec::new()).await;
        host.ending().set_reported();
        pending().await
    }

    #[cfg(feature = "python")]
    async fn tell_of_interpreters(&mut self, writer: &mut impl OwnerWriter) {
        while let Some((message, descriptors)) = self.messages.recv().await {
            let _ = writer.tell(&message, descriptors).await;
        }
        pending().await
    }

    #[cfg(not(feature = "python"))]
    async fn tell_of_interpreters(&mut self, _: &mut impl OwnerWriter) {
        pending().await
    }
}

/// Does what the parent asks for until it closes its end of the lifeline.
pub(super) async fn read_requests(reader: &mut (impl AsyncBufRead + Unpin), host: &Host) {
    // Held from the first door on, until the parent reports that it is done.
    #[cfg(feature = "python")]
    let mut direct_calls = None;
    while let Ok(Some(message)) = read_frame(reader).await {
        match message {
            ParentMessage::End { grace } => host.ending().request(grace),
            #[cfg(feature = "python")]
            ParentMessage::OpenDoor { interpreter } => {
                direct_calls.get_or_insert_with(|| host.direct_calls());
                python::open_door(host.daemon(), interpreter);
            }
            #[cfg(feature = "python")]
            ParentMessage::CloseDoor { interpreter } => {
                python::close_door(host.daemon(), interpreter);
            }
            #[cfg(feature = "python")]
            ParentMessage::KillInterpreter { interpreter, reason } => {
                python::kill_interpreter(host.daemon(), interpreter, reason);
            }
            #[cfg(feature = "python")]
            ParentMessage::Drained => direct_calls = None,
            // There are no interpreters.
            #[cfg(not(feature = "python"))]
            _ => {}
        }
    }
}

/// Lets go of the interpreters that the parent holds, because the daemon ends.
pub(super) fn release_interpreters(host: &Host) {
    #[cfg(feature = "python")]
    python::close_doors(host.daemon(), host.ending().remaining());
    #[cfg(not(feature = "python"))]
    let _ = host;
}

/// Waits until the interpreters of a daemon have ended.
#[cfg_attr(not(feature = "python"), allow(unused_variables))]
pub(super) fn interpreters_gone(host: &Host) -> impl Future<Output = ()> + Send + use<> {
    #[cfg(feature = "python")]
    let ends = python::interpreter_ends(host.daemon());
    async move {
        #[cfg(feature = "python")]
        ends.gone().await;
    }
}

/// Returns what counts the interpreters that cannot end in order.
#[cfg_attr(not(feature = "python"), allow(unused_variables))]
pub(super) fn interpreters_cut_short(host: &Host) -> impl Fn() -> u64 + Send + use<> {
    #[cfg(feature = "python")]
    let ends = python::interpreter_ends(host.daemon());
    move || {
        #[cfg(feature = "python")]
        return ends.cut_short();
        #[cfg(not(feature = "python"))]
        0
    }
}
