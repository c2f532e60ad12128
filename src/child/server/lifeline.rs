//! The thread that holds the daemon's lifeline: it shakes hands, hears the farewell or
//! the parent's death, and is the watchdog of the ending.
//!
//! It has a runtime of its own and shares nothing with the calls, so that nothing an
//! object does can keep it from its work.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncWrite, BufReader, split};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::child::host::{Drained, Host};
use crate::common::handshake::{
    DaemonMessage, Hello, PROTOCOL_VERSION, ParentMessage, read_frame, read_hello, write_failure,
    write_frame,
};
use crate::common::process::{InheritedLifeline, Wrappers, kill_descendants, kill_self, silence};
use crate::common::transport::{Endpoint, remove_directory};

/// How long a parent may take to say hello. It has the words ready when it starts us.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// The grace of calls when the parent is dead: nobody waits for their answers.
pub(super) const ORPHANED: Duration = Duration::from_millis(500);

/// How long after the last moment for calls the rest of the ending may take, before the
/// watchdog ends the process as it is. The parent's own patience is a little longer.
const WATCHDOG: Duration = Duration::from_millis(250);

/// What the lifeline must know to answer the parent and to end the daemon: or why there
/// is none.
pub(super) type Ready = Result<(Host, Endpoint, Duration), String>;

/// Starts the thread.
pub(super) fn watch(
    lifeline: InheritedLifeline,
    hellos: oneshot::Sender<Hello>,
    ready: oneshot::Receiver<Ready>,
) -> io::Result<()> {
    lifeline.stream.set_nonblocking(true)?;
    let wrappers = lifeline.wrappers();
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        let message = format!("failed to start its async runtime: {error}");
        // Here, because there may be no descriptor left to keep the stream beyond this. The
        // parent may be dead.
        let _ = write_failure(&mut &lifeline.stream, &message);
        io::Error::new(error.kind(), message)
    })?;
    let thread = std::thread::Builder::new().name("oad-lifeline".to_owned());
    thread
        .spawn(move || {
            if let Err(error) = runtime.block_on(hold(lifeline, hellos, ready)) {
                eprintln!("oad: the handshake with the parent failed: {error}");
            }
            wrappers.end_if_orphaned();
            // It returns only if there is nothing to serve.
            std::process::exit(1);
        })
        .map_err(|error| {
            io::Error::new(error.kind(), format!("failed to start a thread: {error}"))
        })?;
    Ok(())
}

async fn hold(
    lifeline: InheritedLifeline,
    hellos: oneshot::Sender<Hello>,
    ready: oneshot::Receiver<Ready>,
) -> io::Result<()> {
    let parent = lifeline.watch_parent();
    let wrappers = lifeline.wrappers();
    let (reader, mut writer) = split(tokio::net::UnixStream::from_std(lifeline.stream)?);
    let mut reader = BufReader::new(reader);
    let hello = match tokio::time::timeout(HELLO_DEADLINE, read_hello(&mut reader)).await?? {
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
    let transport = hello.transport.clone();
    // The receiver is the server, which lives as long as the process.
    let _ = hellos.send(hello);
    let (host, endpoint, grace) = match ready.await {
        Ok(Ok(ready)) => ready,
        Ok(Err(message)) => {
            return write_frame(&mut writer, &DaemonMessage::Failed { message }).await;
        }
        Err(_) => return Ok(()),
    };
    // If the parent is gone, reading tells.
    let _ = write_frame(&mut writer, &ready_at(endpoint)).await;

    let hearing = async {
        let death = async {
            match parent {
                Ok(Some(parent)) => parent.exited().await,
                // It was dead before it could be watched.
                Ok(None) => {}
                // It cannot be watched; the stream tells.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hear(&mut reader, &host) => {}
            () = death => {}
        }
        // The parent is dead, or has let go. What the object prints from now on would go
        // to a closed pipe.
        silence();
        host.ending().request(ORPHANED.min(grace));
        std::future::pending::<()>().await;
    };
    // Whoever stops a service signals all of its processes. Without this, the object
    // would not be dropped.
    let signalled = async {
        signals().await;
        host.ending().request(grace);
        std::future::pending::<()>().await;
    };
    let watchdog = async {
        host.ending().deadline_passed().await;
        tokio::time::sleep(WATCHDOG).await;
    };
    tokio::select! {
        () = hearing => {}
        () = signalled => {}
        () = tell(&mut writer, &host) => {}
        () = watchdog => {}
    }
    end_as_it_is(transport.directory(), &wrappers)
}

/// The answer to a hello.
pub(super) fn ready_at(endpoint: Endpoint) -> DaemonMessage {
    DaemonMessage::Ready { protocol: PROTOCOL_VERSION, pid: std::process::id(), endpoint }
}

/// Hears the parent's farewells, until it has let go.
pub(super) async fn hear(reader: &mut (impl AsyncBufRead + Unpin), host: &Host) {
    while let Ok(Some(ParentMessage::End { grace })) = read_frame(reader).await {
        host.ending().request(grace);
    }
}

/// Tells the parent of the end, first that it has begun and then how it went; never
/// returns. If the parent is gone there is nobody to tell.
pub(super) async fn tell(writer: &mut (impl AsyncWrite + Unpin), host: &Host) {
    let deadline = host.ending().requested().await;
    let grace = deadline.saturating_duration_since(Instant::now());
    let calls = host.calls() as u64;
    let _ = write_frame(writer, &DaemonMessage::Terminating { grace, calls }).await;
    let Drained { abandoned, dropped } = host.ending().drained().await;
    let _ = write_frame(writer, &DaemonMessage::Leaving { abandoned, dropped }).await;
    host.ending().note_told();
    std::future::pending().await
}

/// Waits for one of the signals by which a program is asked to end.
async fn signals() {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let heard = kinds.into_iter().filter_map(|kind| signal(kind).ok()).map(|mut signal| {
        Box::pin(async move {
            signal.recv().await;
        })
    });
    let heard: Vec<_> = heard.collect();
    if heard.is_empty() {
        // None can be heard, so that each ends the process as it does by default.
        std::future::pending::<()>().await;
    }
    futures_util::future::select_all(heard).await;
}

/// The last resort: the ending hangs, in a drop or in a call that cannot be stopped.
fn end_as_it_is(directory: Option<&Path>, wrappers: &Wrappers) -> ! {
    // Nothing is printed: whoever hangs may hold the lock of stderr, or its pipe may be
    // full.
    kill_descendants();
    if let Some(directory) = directory {
        remove_directory(directory);
    }
    wrappers.end_if_orphaned();
    kill_self()
}
