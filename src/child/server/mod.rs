//! The daemon's composition root: it assembles the daemon's layers, serves until it is
//! asked to end, and shuts down.
//!
//! The steps are handshake, listen and serve. Every shutdown is the same: refuse new
//! calls, drain within the grace, drop the objects, end their descendants, remove the
//! directory, exit. The watchdog, on the thread that also reads the lifeline, bounds all
//! of it.

mod in_process;
mod lifeline;
mod owner;
mod services;

pub(crate) use in_process::serve_in_process;
#[cfg_attr(not(feature = "tonic"), allow(unreachable_pub))]
pub use services::Services;

use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::process::exit;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
#[cfg(feature = "reflection")]
use tonic::service::RoutesBuilder;
use tonic::transport::Server;
use tonic_health::pb::health_server::HealthServer;
use tower::util::MapResponseLayer;

use crate::child::host::{BLOCKING_THREADS, Drained, Host, record_panic_locations};
use crate::child::server::lifeline::StartResult;
use crate::child::server::owner::{
    Owner, interpreters_cut_short, interpreters_gone, release_interpreters,
};
use crate::child::service::{
    ControlService, HealthService, Logs, MemoryLayer, ObjectsService, ReservedThreads,
    authentication, hold_until_sent, serve_lanes,
};
#[cfg(feature = "python")]
use crate::child::{object::set_python, python};
use crate::common::handshake::{Hello, Transport, write_failure};
use crate::common::process::{FailureChannel, InheritedLifeline, children_gone, kill_descendants};
use crate::common::threads::aside_or_here;
use crate::common::transport::{
    BoundListener, Endpoint, IncomingConnections, LaneOwner, Lock, MAX_METADATA, MemoryBudget,
    Traffic, listen,
};
use crate::common::wire::CHUNK_SIZE;
#[cfg(feature = "reflection")]
use crate::common::wire::DESCRIPTOR_SET;
use crate::common::wire::pb::control_server::ControlServer;
use crate::common::wire::pb::objects_server::ObjectsServer;

/// How long the server must neither write nor wait to write before it counts as idle.
/// Waiting for every connection to close would let an idle client delay the shutdown.
const QUIET_PERIOD: Duration = Duration::from_millis(100);

/// The minimum time for each step after the calls, for when the calls have used up the
/// grace.
const MIN_STEP: Duration = Duration::from_millis(100);

/// The HTTP/2 flow-control windows of a stream and of a connection, in bytes: how much
/// may be in flight unacknowledged.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// How many calls a client may cancel before the server has looked at them.
const PENDING_RESETS: usize = 1024;

/// Serves as a daemon until it is asked to end, then exits the process.
pub(crate) fn run(lifeline: InheritedLifeline, services: Services) -> ! {
    record_panic_locations();
    let report = FailureChannel::of(&lifeline);
    match handshake_and_serve(lifeline, services) {
        Ok(()) => exit(0),
        Err(error) => {
            eprintln!("oad: the daemon failed to serve: {error}");
            if let Some(mut report) = report {
                // The parent may be dead.
                let _ = write_failure(&mut report, &error.to_string());
            }
            exit(1)
        }
    }
}

fn handshake_and_serve(lifeline: InheritedLifeline, services: Services) -> io::Result<()> {
    let (hello_sender, hello) = oneshot::channel();
    let (start_sender, started) = oneshot::channel();
    let parent = lifeline::spawn(lifeline, hello_sender, started)?;
    // Without a hello, the parent is gone, or it speaks another version and has been told
    // so.
    let Ok(hello) = hello.blocking_recv() else {
        parent.wrappers().end_if_orphaned();
        return Ok(());
    };
    let runtime = match runtime(hello.workers.max(1)) {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = start_sender.send(Err(format!("failed to start its async runtime: {error}")));
            // The lifeline thread exits the process once it has reported this.
            loop {
                std::thread::park();
            }
        }
    };
    let result = runtime.block_on(serve(hello, parent.pid(), start_sender, services));
    // Dropping the runtime would wait for stuck calls.
    runtime.shutdown_background();
    parent.wrappers().end_if_orphaned();
    result
}

/// tokio panics where it cannot start the threads of a runtime.
fn runtime(workers: usize) -> io::Result<Runtime> {
    let panicked = |panic: Box<dyn std::any::Any + Send>| {
        let message = panic.downcast_ref::<String>().cloned();
        io::Error::other(message.unwrap_or_else(|| "tokio panicked".to_owned()))
    };
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(workers)
            .max_blocking_threads(BLOCKING_THREADS)
            .enable_all()
            .build()
    };
    let runtime = std::panic::catch_unwind(build).map_err(panicked)??;
    // If there is one such thread, tokio does not panic later when it cannot start
    // another.
    let (keep, kept) = std::sync::mpsc::channel::<()>();
    let wait = move || {
        // The name is for whoever looks at the process.
        let _ = rustix::thread::set_name(c"oad-reserve");
        kept.recv()
    };
    let spawn = || drop(runtime.spawn_blocking(wait));
    if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(spawn)) {
        runtime.shutdown_background();
        return Err(panicked(panic));
    }
    // It stays as long as the process.
    std::mem::forget(keep);
    Ok(runtime)
}

async fn serve(
    hello: Hello,
    parent_pid: u32,
    start_sender: oneshot::Sender<StartResult>,
    services: Services,
) -> io::Result<()> {
    // Held to the end. Without the lock, another process could clean up the directory if
    // the parent dies first. Failing to take it is not worth failing the start.
    let lock = hello.transport.directory().and_then(|path| Lock::take(path).ok());
    let host = new_host(&hello);
    let requested = match &hello.transport {
        Transport::Unix { directory } => Endpoint::in_directory(directory),
        Transport::Localhost { .. } => Endpoint::any_port(),
        Transport::InProcess => Endpoint::InProcess,
    };
    let control = ControlService::new(host.clone(), hello.grace, parent_pid, Logs::on_demand());
    let (stop, stopped) = oneshot::channel::<()>();
    let owner =
        LaneOwner { pid: parent_pid, token: hello.transport.token().cloned(), lane: hello.lane };
    let reserved = match hello.lane.then(ReservedThreads::start).transpose() {
        Ok(reserved) => reserved,
        Err(error) => {
            // As below.
            let _ = start_sender.send(Err(format!("failed to start a thread: {error}")));
            return std::future::pending().await;
        }
    };
    let memory = MemoryBudget::new(hello.message_limit);
    let listening = listen(&requested, owner, memory).and_then(|listener| {
        let BoundListener { endpoint, incoming, lanes, traffic } = listener;
        tokio::spawn(serve_lanes(host.clone(), hello.message_limit, lanes, reserved));
        let server = build_server(&host, &hello, control, services, incoming, async {
            drop(stopped.await)
        })?;
        Ok((server, traffic, endpoint))
    });
    let (server, traffic, endpoint) = match listening {
        Ok(listening) => listening,
        Err(error) => {
            let message = format!("failed to listen on {requested}: {error}");
            // The lifeline thread exits the process once it has reported this.
            let _ = start_sender.send(Err(message));
            return std::future::pending().await;
        }
    };
    let server = tokio::spawn(server);
    // Cannot fail: the lifeline thread lives as long as the process.
    let owner = Owner::of(&host, hello.doors);
    let _ = start_sender.send(Ok((host.clone(), owner, endpoint, hello.grace)));

    // Daemons that the objects started end on their own, within their own time.
    shut_down(&host, server, &traffic, stop, children_gone()).await;
    kill_descendants();
    if let Some(lock) = lock {
        // The parent reports what is left of it.
        let _ = lock.remove_directory();
    }
    Ok(())
}

/// Returns the host of a daemon, which can make Rust and Python objects.
fn new_host(hello: &Hello) -> Host {
    #[cfg(feature = "python")]
    {
        set_python(&python::Python);
        python::begin(hello.daemon, hello.grace);
    }
    Host::new(hello.daemon, hello.depth_limit, hello.message_limit)
}

/// Shuts down everything except processes and the directory: waits for the request to
/// end, then for each step, with a bound. `others` is awaited after the objects are
/// dropped.
async fn shut_down<T>(
    host: &Host,
    mut server: JoinHandle<T>,
    traffic: &Traffic,
    stop: oneshot::Sender<()>,
    others: impl Future<Output = ()>,
) {
    host.ending().requested().await;
    let was_busy = host.is_busy();
    // Calls that run longer than this end with the process.
    tokio::select! {
        () = host.drained() => {}
        () = host.ending().deadline_passed() => {}
    }
    // Asked for now, because the interpreters are forgotten with the objects.
    let interpreters_cut_short = interpreters_cut_short(host);
    let interpreters_gone = interpreters_gone(host);
    let remaining = || host.ending().remaining().max(MIN_STEP);
    let dropped = timeout(remaining(), drop_objects(host.clone())).await.unwrap_or(false);
    // An interpreter counts as ended a moment after its process has been reaped.
    let ended = async { tokio::join!(others, interpreters_gone) };
    let _ = timeout(remaining(), ended).await;
    let (abandoned, cut_short) = (host.calls() as u64, interpreters_cut_short());
    host.ending().set_drained(Drained { abandoned, dropped, cut_short });
    // The response to `Shutdown` is already on its way; clients that watch the server
    // only see that it stops.
    let _ = stop.send(());
    // The parent must learn that this is an orderly shutdown. The watchdog bounds the
    // wait if the parent does not read.
    let _ = timeout(remaining(), host.ending().reported()).await;
    // The last responses may be large and their readers slow. Without calls there is
    // nothing to wait for.
    if was_busy {
        let _ = timeout(remaining(), host.sessions_closed()).await;
    }
    loop {
        let before = traffic.written();
        let is_closed = timeout(QUIET_PERIOD, &mut server).await.is_ok();
        // A connection with nothing to write is idle; one that waits to write has a slow
        // reader.
        let is_quiet = traffic.written() == before && !traffic.is_waiting();
        if is_closed || is_quiet || host.ending().remaining().is_zero() {
            break;
        }
    }
}

/// Drops the objects and returns whether that finished. If no thread can be started, this
/// one waits for it, and the watchdog bounds that.
async fn drop_objects(host: Host) -> bool {
    let dropping = aside_or_here(move || {
        release_interpreters(&host);
        host.drop_objects();
    });
    dropping.await.is_some()
}

/// Assembles the services. The returned future serves incoming connections until `stop`,
/// then until every connection is idle.
fn build_server(
    host: &Host,
    hello: &Hello,
    control: ControlService,
    services: Services,
    incoming: IncomingConnections,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static> {
    // The largest frame of a session or unary message: the limit plus the fields around a
    // value.
    let message_limit = hello.message_limit.max(CHUNK_SIZE).saturating_add(64 * 1024);
    let objects = ObjectsServer::new(ObjectsService::new(host.clone(), hello.message_limit))
        .max_decoding_message_size(message_limit)
        .max_encoding_message_size(message_limit);
    let (mut routes, names, descriptors) = services.into_parts();
    let health = HealthServer::new(HealthService::new(host.clone(), names.into()));
    #[cfg(feature = "reflection")]
    add_reflection(&mut routes, &descriptors)?;
    #[cfg(not(feature = "reflection"))]
    drop(descriptors);

    routes.add_service(objects).add_service(ControlServer::new(control)).add_service(health);
    let router = Server::builder()
        // tonic disables both of these limits unless they are set (for the second, see
        // RUSTSEC-2024-0003).
        .max_concurrent_streams(256)
        // The default of 20 ends the connection of a client that cancels many calls at
        // once.
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(1024))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(256 * 1024)
        .http2_max_header_list_size(MAX_METADATA)
        .layer(authentication(hello.transport.token().cloned()))
        .layer(MapResponseLayer::new(hold_until_sent))
        .layer(MemoryLayer)
        .add_routes(routes.routes());
    Ok(router.serve_with_incoming_shutdown(incoming, stop))
}

/// Adds the reflection service, in both of its versions, which knows oad's services and
/// those of `descriptors`.
#[cfg(feature = "reflection")]
fn add_reflection(routes: &mut RoutesBuilder, descriptors: &[&'static [u8]]) -> io::Result<()> {
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        descriptors
            .iter()
            .fold(builder, |builder, set| builder.register_encoded_file_descriptor_set(set))
    };
    let v1 = reflection().build_v1().map_err(io::Error::other)?;
    let v1alpha = reflection().build_v1alpha().map_err(io::Error::other)?;
    routes.add_service(v1).add_service(v1alpha);
    Ok(())
}
