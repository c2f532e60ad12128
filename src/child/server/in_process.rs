//! The same server embedded in a process that is more than a daemon.
//!
//! It follows the same protocol on the lifeline as a daemon process. Deliberately absent:
//! everything that needs its own process, such as signals, the watchdog, ending
//! descendants, and the exit.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::{BufReader, WriteHalf, split};
use tokio::sync::oneshot;

use crate::child::host::record_panic_locations;
use crate::child::server::lifeline::{ORPHANED_GRACE, ready_message};
use crate::child::server::owner::{Owner, OwnerWriter, interpreters_gone, read_requests};
use crate::child::server::{Services, build_server, new_host, shut_down};
use crate::child::service::{ControlService, Logs};
use crate::common::handshake::{DaemonMessage, read_hello, write_frame};
use crate::common::transport::{BoundListener, IoStream};

/// No descriptors are passed within a process.
impl OwnerWriter for WriteHalf<IoStream> {
    async fn tell(&mut self, message: &DaemonMessage, _: Vec<OwnedFd>) -> io::Result<()> {
        write_frame(self, message).await
    }
}

/// Serves one client until the lifeline asks it to end.
///
/// # Errors
///
/// Returns an error if the handshake fails.
pub(crate) async fn serve_in_process(
    lifeline: IoStream,
    connection: IoStream,
    services: Services,
) -> io::Result<()> {
    record_panic_locations();
    let (reader, mut writer) = split(lifeline);
    let mut reader = BufReader::new(reader);
    let Some(Ok(hello)) = read_hello(&mut reader).await? else { return Ok(()) };
    let host = new_host(&hello);
    let BoundListener { endpoint, incoming, traffic, .. } = BoundListener::to(connection);
    let control =
        ControlService::new(host.clone(), hello.grace, std::process::id(), Logs::disabled());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = match build_server(&host, &hello, control, services, incoming, async {
        drop(stopped.await)
    }) {
        Ok(server) => tokio::spawn(server),
        Err(error) => {
            let message = format!("failed to serve: {error}");
            return write_frame(&mut writer, &DaemonMessage::Failed { message }).await;
        }
    };
    write_frame(&mut writer, &ready_message(endpoint)).await?;

    let reading = async {
        read_requests(&mut reader, &host).await;
        // The last handle on the daemon was dropped.
        host.ending().request(ORPHANED_GRACE.min(hello.grace));
        pending().await
    };
    tokio::select! {
        () = shut_down(&host, server, &traffic, stop, interpreters_gone(&host)) => {}
        () = reading => {}
        () = Owner::of(&host, hello.doors).report(&mut writer) => {}
    }
    Ok(())
}
