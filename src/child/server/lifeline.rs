//! The daemon's lifeline thread: it performs the handshake, notices when the parent asks
//! for the end or dies, and acts as the watchdog of the shutdown.
//!
//! The thread has its own runtime and shares nothing with the calls, so an object cannot
//! stop it from working.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::child::host::Host;
#[cfg(feature = "python")]
use crate::child::python;
use crate::child::server::owner::{Owner, OwnerWriter, read_requests};
use crate::common::handshake::{
    DaemonMessage, Hello, PROTOCOL_VERSION, frame_bytes, read_hello, write_failure, write_frame,
};
use crate::common::process::{
    FailureChannel, InheritedLifeline, Parent, kill_descendants, kill_self, own_pid_namespace,
    silence,
};
use crate::common::transport::{DescriptorReader, Endpoint, Lock, SocketWriter, send_descriptors};

/// How long the parent may take to send its hello, which it has ready before it starts
/// the daemon.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The grace for running calls when the parent is dead: nobody is waiting for their
/// responses.
pub(super) const ORPHANED_GRACE: Duration = Duration::from_millis(500);

/// How long the rest of the shutdown may take after the deadline for calls. Then the
/// watchdog kills the process. The parent waits slightly longer than this.
const WATCHDOG: Duration = Duration::from_millis(250);

/// What the lifeline thread needs to report that the daemon is ready and to end it, or
/// the reason why the daemon could not start.
pub(super) type StartResult = Result<(Host, Owner, Endpoint, Duration), String>;

/// Starts the lifeline thread, and returns the parent.
pub(super) fn spawn(
    lifeline: InheritedLifeline,
    hello_sender: oneshot::Sender<Hello>,
    started: oneshot::Receiver<StartResult>,
) -> io::Result<Parent> {
    lifeline.stream.set_nonblocking(true)?;
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("failed to start its async runtime: {error}");
            // Reported here, because there may be no descriptor left to keep the stream
            // for later. The parent may be dead.
            let _ = write_failure(&mut FailureChannel::from(lifeline), &message);
            return Err(io::Error::new(error.kind(), message));
        }
    };
    let (stream, parent) = {
        let _entered = runtime.enter();
        let stream = UnixStream::from_std(lifeline.stream)?;
        let parent = Parent::of(&stream)?;
        (stream, parent)
    };
    let of_thread = parent.clone();
    let thread = std::thread::Builder::new().name("oad-lifeline".to_owned());
    thread
        .spawn(move || {
            if let Err(error) = runtime.block_on(run(stream, &of_thread, hello_sender, started)) {
                eprintln!("oad: handshake with the parent failed: {error}");
            }
            of_thread.wrappers().end_if_orphaned();
            // `run` only returns if the daemon never started to serve.
            std::process::exit(1);
        })
        .map_err(|error| {
            io::Error::new(error.kind(), format!("failed to start a thread: {error}"))
        })?;
    Ok(parent)
}

async fn run(
    lifeline: UnixStream,
    parent: &Parent,
    hello_sender: oneshot::Sender<Hello>,
    started: oneshot::Receiver<StartResult>,
) -> io::Result<()> {
    let watched = parent.watch();
    let (reader, writer) = lifeline.into_split();
    let mut writer = SocketWriter::new(writer);
    let mut reader = BufReader::new(DescriptorReader::new(reader));
    let hello = match tokio::time::timeout(HELLO_TIMEOUT, read_hello(&mut reader)).await?? {
        Some(Ok(hello)) => hello,
        Some(Err(_)) => {
            return write_frame(
                &mut writer,
                &DaemonMessage::OtherVersion { protocol: PROTOCOL_VERSION },
            )
            .await;
        }
        None => return Ok(()),
    };
    #[cfg(feature = "python")]
    for build in &hello.agents {
        python::keep_given_agent(build, reader.get_mut().take_descriptor());
    }
    // It tells the daemon's directory from another one at its path. If it cannot be had,
    // the parent removes the directory, or a sweep.
    let directory = hello.transport.directory().and_then(|path| Lock::take(path).ok());
    // Cannot fail: the receiver is the server, which lives as long as the process.
    let _ = hello_sender.send(hello);
    let (host, owner, endpoint, grace) = match started.await {
        Ok(Ok(started)) => started,
        Ok(Err(message)) => {
            return write_frame(&mut writer, &DaemonMessage::Failed { message }).await;
        }
        Err(_) => return Ok(()),
    };
    // If the parent is gone, the next read fails.
    let _ = write_frame(&mut writer, &ready_message(endpoint)).await;

    let reading = async {
        let death = async {
            match watched {
                Ok(Some(parent)) => parent.exited().await,
                // The parent died before it could be watched.
                Ok(None) => {}
                // The parent cannot be watched. The lifeline still closes when it dies.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = read_requests(&mut reader, &host) => {}
            () = death => {}
        }
        // The parent is dead or has closed its end. From now on the object's output would
        // go to a closed pipe.
        silence();
        host.ending().request(ORPHANED_GRACE.min(grace));
        std::future::pending::<()>().await;
    };
    // A service manager signals every process of a service. Without this handler the
    // signal would kill the daemon before its objects are dropped.
    let signals = async {
        termination_signal().await;
        host.ending().request(grace);
        std::future::pending::<()>().await;
    };
    let watchdog = async {
        host.ending().deadline_passed().await;
        tokio::time::sleep(WATCHDOG).await;
    };
    tokio::select! {
        () = reading => {}
        () = signals => {}
        () = owner.report(&mut writer) => {}
        () = watchdog => {}
    }
    kill_everything(directory.as_ref(), parent)
}

/// Returns the response to a hello.
pub(super) fn ready_message(endpoint: Endpoint) -> DaemonMessage {
    let (pid, pid_namespace) = (std::process::id(), own_pid_namespace());
    DaemonMessage::Ready { protocol: PROTOCOL_VERSION, pid, pid_namespace, endpoint }
}

/// The first byte of a frame takes the descriptors along.
impl OwnerWriter for SocketWriter {
    async fn tell(&mut self, message: &DaemonMessage, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        if !descriptors.is_empty() {
            let mut line = frame_bytes(message)?;
            let sent = send_descriptors(self.socket(), &line, &descriptors).await?;
            line.drain(..sent);
            return self.write_all(&line).await;
        }
        write_frame(self, message).await
    }
}

/// Waits for one of the signals that ask a program to end.
async fn termination_signal() {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let received = kinds.into_iter().filter_map(|kind| signal(kind).ok()).map(|mut signal| {
        Box::pin(async move {
            signal.recv().await;
        })
    });
    let received: Vec<_> = received.collect();
    if received.is_empty() {
        // No handler could be installed, so each signal keeps its default effect.
        std::future::pending::<()>().await;
    }
    futures_util::future::select_all(received).await;
}

/// Kills the process because the shutdown is stuck, in a drop or in a call that cannot be
/// stopped.
fn kill_everything(directory: Option<&Lock>, parent: &Parent) -> ! {
    // Nothing is printed: the stuck thread may hold the lock of stderr, or its pipe may
    // be full.
    kill_descendants();
    if let Some(directory) = directory {
        // There is nobody to report a failure to.
        let _ = directory.remove_directory();
    }
    parent.wrappers().end_if_orphaned();
    kill_self()
}
