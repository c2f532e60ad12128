//! The daemon's composition root: it puts the right stair together, serves until it is told to end, and ends.
//!
//! Handshake, listen, serve; then the one ending: no more calls, drain within the grace, drop the objects, end their descendants, remove the
//! directory, exit. The watchdog thread that also reads the lifeline bounds all of it.

mod lifeline;

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::transport::Server;
use tonic_health::server::health_reporter;

use crate::handshake::Hello;
use crate::host::{Host, note_panic_locations};
use crate::process::kill_descendants;
use crate::service::{ControlService, ObjectsService};
use crate::transport::{Endpoint, listen};
use crate::wire::DESCRIPTOR_SET;
use crate::wire::pb::control_server::ControlServer;
use crate::wire::pb::objects_server::{ObjectsServer, SERVICE_NAME};

/// How long the connections may take to send what is left once the last call has been answered. A silent client would take for ever.
const FLUSH: Duration = Duration::from_millis(100);

/// How long objects may take to drop at the least, when the calls have used the grace up.
const DROP_AT_LEAST: Duration = Duration::from_millis(100);

/// The flow-control windows of a stream and of a connection, in bytes: what may be under way without being asked for.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Serves as a daemon until it is told to end, and ends the process.
pub(crate) fn run(lifeline: UnixStream) -> ! {
    note_panic_locations();
    let served = Builder::new_multi_thread().worker_threads(2).enable_all().build().and_then(|runtime| {
        let served = runtime.block_on(serve(lifeline));
        // Not dropped: it would wait for calls that are stuck.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("oad: this daemon could not serve: {error}");
            exit(1)
        }
    }
}

async fn serve(lifeline: UnixStream) -> io::Result<()> {
    let (hellos, hello) = oneshot::channel();
    let (readies, ready) = oneshot::channel();
    lifeline::watch(lifeline, hellos, ready)?;
    // No hello: the parent is gone, or speaks another version and has been told.
    let Ok(hello) = hello.await else { return Ok(()) };

    let host = Host::new(hello.daemon, hello.depth_limit);
    let endpoint = Endpoint::in_directory(&hello.directory);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = match server(&host, &hello, &endpoint, async { drop(stopped.await) }) {
        Ok(server) => server,
        Err(error) => {
            let message = format!("it cannot listen on {endpoint}: {error}");
            // The lifeline's thread ends the process once the parent has been told.
            let _ = readies.send(Err(message));
            return std::future::pending().await;
        }
    };
    let server = tokio::spawn(server);
    // The lifeline's thread lives as long as the process.
    let _ = readies.send(Ok((host.clone(), endpoint.clone(), hello.grace)));

    let deadline = host.ending().requested().await;
    tokio::select! {
        () = host.drained() => {}
        () = host.ending().deadline_passed() => {}
    }
    let left = deadline.saturating_duration_since(tokio::time::Instant::now()).max(DROP_AT_LEAST);
    let objects = host.clone();
    // What takes longer ends with the process.
    let _ = timeout(left, tokio::task::spawn_blocking(move || objects.drop_objects())).await;
    host.ending().tell_drained(host.calls() as u64);
    // Whoever has ended the server has its answer; whoever waits for it would see it only by its end.
    let _ = stop.send(());
    let _ = tokio::join!(timeout(FLUSH, server), timeout(FLUSH, host.ending().told()));
    kill_descendants();
    remove(&hello, &endpoint);
    Ok(())
}

/// Puts the services together and listens; the future serves until `stop`, and then until every connection is idle.
fn server(
    host: &Host,
    hello: &Hello,
    endpoint: &Endpoint,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static> {
    // A frame of the session or a unary message: the limit, and what stands around a value.
    let message_limit = hello.message_limit.saturating_add(64 * 1024);
    let objects = ObjectsServer::new(ObjectsService::new(host.clone(), hello.message_limit))
        .max_decoding_message_size(message_limit)
        .max_encoding_message_size(message_limit);
    let parent_pid = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    let control = ControlServer::new(ControlService::new(host.clone(), hello.grace, parent_pid));
    let (health, health_service) = health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection_v1 = reflection().build_v1().map_err(io::Error::other)?;
    let reflection_v1alpha = reflection().build_v1alpha().map_err(io::Error::other)?;

    let incoming = listen(endpoint)?;
    let router = Server::builder()
        // tonic turns both of these guards off unless they are set (RUSTSEC-2024-0003 tells what the second is for).
        .max_concurrent_streams(256)
        .http2_max_local_error_reset_streams(Some(1024))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(256 * 1024)
        .add_service(objects)
        .add_service(control)
        .add_service(health_service)
        .add_service(reflection_v1)
        .add_service(reflection_v1alpha);
    let ending = host.clone();
    tokio::spawn(async move {
        health.set_service_status(SERVICE_NAME, tonic_health::ServingStatus::Serving).await;
        ending.ending().requested().await;
        for name in ["", SERVICE_NAME] {
            health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
        }
    });
    Ok(router.serve_with_incoming_shutdown(incoming, stop))
}

/// Removes the socket and its directory. The parent does it too; either may be first.
fn remove(hello: &Hello, endpoint: &Endpoint) {
    let _ = fs::remove_file(endpoint.path());
    let _ = fs::remove_dir(&hello.directory);
}
