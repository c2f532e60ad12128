//! The daemon's composition root: it puts the right stair together, serves until it is
//! told to end, and ends.
//!
//! Handshake, listen, serve; then the one ending: no more calls, drain within the grace,
//! drop the objects, end their descendants, remove the directory, exit. The watchdog
//! thread that also reads the lifeline bounds all of it.

mod lifeline;
mod services;
mod within;

pub use services::Services;
pub(crate) use within::serve_within;

use std::future::Future;
use std::io;
use std::process::exit;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;

use crate::child::host::{BLOCKING_THREADS, Drained, Host, note_panic_locations};
use crate::child::object::set_python;
use crate::child::python;
use crate::child::server::lifeline::Ready;
use crate::child::service::{ControlService, HealthService, Logs, ObjectsService, authentication};
use crate::common::handshake::{Hello, Transport, write_failure};
use crate::common::process::{FailureChannel, InheritedLifeline, children_gone, kill_descendants};
use crate::common::transport::{
    BoundListener, Endpoint, IncomingConnections, Lock, Traffic, listen, remove_directory,
};
use crate::common::wire::pb::control_server::ControlServer;
use crate::common::wire::pb::objects_server::ObjectsServer;
use crate::common::wire::{CHUNK_SIZE, DESCRIPTOR_SET};

/// How long no connection need write, or wait to write, to be taken for silent. A silent
/// client would keep its connection for ever.
const FLUSH: Duration = Duration::from_millis(100);

/// How long each step after the calls may take at the least, when the calls have used the
/// grace up.
const AT_LEAST: Duration = Duration::from_millis(100);

/// The flow-control windows of a stream and of a connection, in bytes: what may be under
/// way without being asked for.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Serves as a daemon until it is told to end, and ends the process.
pub(crate) fn run(lifeline: InheritedLifeline, services: Services) -> ! {
    note_panic_locations();
    let wrappers = lifeline.wrappers();
    let report = FailureChannel::of(&lifeline);
    let served = served(lifeline, services);
    wrappers.end_if_orphaned();
    match served {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("oad: the daemon failed: {error}");
            if let Some(mut report) = report {
                // The parent may be dead.
                let _ = write_failure(&mut report, &error.to_string());
            }
            exit(1)
        }
    }
}

fn served(lifeline: InheritedLifeline, services: Services) -> io::Result<()> {
    let parent_pid = lifeline.parent_pid();
    let (hellos, hello) = oneshot::channel();
    let (readies, ready) = oneshot::channel();
    lifeline::watch(lifeline, hellos, ready)?;
    // No hello: the parent is gone, or speaks another version and has been told.
    let Ok(hello) = hello.blocking_recv() else { return Ok(()) };
    let runtime = match runtime(hello.workers.max(1)) {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = readies.send(Err(format!("failed to start its async runtime: {error}")));
            // The lifeline's thread ends the process once the parent has been told.
            loop {
                std::thread::park();
            }
        }
    };
    let served = runtime.block_on(serve(hello, parent_pid, readies, services));
    // Not dropped: it would wait for calls that are stuck.
    runtime.shutdown_background();
    served
}

/// tokio panics where it cannot start the threads of a runtime.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build()
    };
    std::panic::catch_unwind(build).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        Err(io::Error::other(message.unwrap_or_else(|| "tokio panicked".to_owned())))
    })
}

async fn serve(
    hello: Hello,
    parent_pid: u32,
    readies: oneshot::Sender<Ready>,
    services: Services,
) -> io::Result<()> {
    // Held to the end; without it the directory could be swept away if the parent dies
    // first. It is not worth failing for.
    let _lock = hello.transport.directory().map(Lock::take);
    let host = host(&hello);
    let wanted = match &hello.transport {
        Transport::Unix { directory } => Endpoint::in_directory(directory),
        Transport::Localhost { .. } => Endpoint::any_port(),
        Transport::InProcess => Endpoint::InProcess,
    };
    let control = ControlService::new(host.clone(), hello.grace, parent_pid, Logs::install());
    let (stop, stopped) = oneshot::channel::<()>();
    let listening = listen(&wanted).and_then(|BoundListener { endpoint, incoming, traffic }| {
        let server =
            server(&host, &hello, control, services, incoming, async { drop(stopped.await) })?;
        Ok((server, traffic, endpoint))
    });
    let (server, traffic, endpoint) = match listening {
        Ok(listening) => listening,
        Err(error) => {
            let message = format!("it cannot listen on {wanted}: {error}");
            // The lifeline's thread ends the process once the parent has been told.
            let _ = readies.send(Err(message));
            return std::future::pending().await;
        }
    };
    let server = tokio::spawn(server);
    // The lifeline's thread lives as long as the process.
    let _ = readies.send(Ok((host.clone(), endpoint, hello.grace)));

    // Daemons that the objects had made end with them, in their own time.
    end(&host, server, &traffic, stop, children_gone()).await;
    kill_descendants();
    if let Some(directory) = hello.transport.directory() {
        remove_directory(directory);
    }
    Ok(())
}

/// The host of a daemon, which makes Rust objects and Python ones.
fn host(hello: &Hello) -> Host {
    set_python(python::make);
    Host::new(hello.daemon, hello.depth_limit, hello.message_limit)
}

/// The one ending, but for processes and the directory: waits for the request, and then
/// for each thing that is to end, for as long as it may take; `others` when the objects
/// have gone.
async fn end<T>(
    host: &Host,
    mut server: JoinHandle<T>,
    traffic: &Traffic,
    stop: oneshot::Sender<()>,
    others: impl Future<Output = ()>,
) {
    host.ending().requested().await;
    let was_busy = host.is_busy();
    // Calls that run too long end with the process.
    tokio::select! {
        () = host.drained() => {}
        () = host.ending().deadline_passed() => {}
    }
    let left = || host.ending().left().max(AT_LEAST);
    let dropped = timeout(left(), drop_objects(host.clone())).await.unwrap_or(false);
    let _ = timeout(left(), others).await;
    host.ending().tell_drained(Drained { abandoned: host.calls() as u64, dropped });
    // Whoever has ended the server has its answer; whoever waits for it would see it only
    // by its end.
    let _ = stop.send(());
    // The parent must know that this end is in order. The watchdog bounds it, should the
    // parent not listen.
    let _ = timeout(left(), host.ending().told()).await;
    // The last answers may be large, and their readers slow. Where nobody waits for any
    // there is no need to wait for a client either.
    if was_busy {
        let _ = timeout(left(), host.sessions_closed()).await;
    }
    loop {
        let before = traffic.written();
        let is_closed = timeout(FLUSH, &mut server).await.is_ok();
        // A connection that has nothing to write is silent; one that waits to write has a
        // slow reader.
        let is_quiet = traffic.written() == before && !traffic.is_waiting();
        if is_closed || is_quiet || host.ending().left().is_zero() {
            break;
        }
    }
}

/// Drops the objects, not on a thread of the pool, all of which may be taken by calls
/// that are stuck. Gives whether it came to its end.
async fn drop_objects(host: Host) -> bool {
    let (dropped, all_dropped) = oneshot::channel();
    let dropping = std::thread::Builder::new().name("oad-drop".to_owned()).spawn(move || {
        host.drop_objects();
        // Nobody waits any more if it has taken too long.
        let _ = dropped.send(());
    });
    dropping.is_ok() && all_dropped.await.is_ok()
}

/// Puts the services together; the future serves what comes in until `stop`, and then
/// until every connection is idle.
fn server(
    host: &Host,
    hello: &Hello,
    control: ControlService,
    services: Services,
    incoming: IncomingConnections,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static> {
    // A frame of the session or a unary message: the limit, and what stands around a
    // value.
    let message_limit = hello.message_limit.max(CHUNK_SIZE).saturating_add(64 * 1024);
    let objects = ObjectsServer::new(ObjectsService::new(host.clone(), hello.message_limit))
        .max_decoding_message_size(message_limit)
        .max_encoding_message_size(message_limit);
    let (mut routes, names, descriptors) = services.into_parts();
    let health = HealthServer::new(HealthService::new(host.clone(), names.into()));
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        descriptors
            .iter()
            .fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set))
    };
    let reflection_v1 = reflection().build_v1().map_err(io::Error::other)?;
    let reflection_v1alpha = reflection().build_v1alpha().map_err(io::Error::other)?;

    routes.add_service(objects).add_service(ControlServer::new(control)).add_service(health);
    routes.add_service(reflection_v1).add_service(reflection_v1alpha);
    let router = Server::builder()
        // tonic turns both of these guards off unless they are set (RUSTSEC-2024-0003
        // tells what the second is for).
        .max_concurrent_streams(256)
        .http2_max_local_error_reset_streams(Some(1024))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(256 * 1024)
        .layer(authentication(hello.transport.token().cloned()))
        .add_routes(routes.routes());
    Ok(router.serve_with_incoming_shutdown(incoming, stop))
}
