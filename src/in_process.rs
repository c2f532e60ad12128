//! A daemon within the process of its parent: both wings in one process, connected by
//! memory only.

use std::io;

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::child::host::BLOCKING_THREADS;
use crate::child::server::{Services, serve_within};
use crate::common::transport::IoStream;
use crate::parent::daemon::{InProcess, Spawn};

impl<P> Spawn<P> {
    /// Runs the daemon within this process: without another process, a socket or a file,
    /// and without `oad::init()` or `oad::test_daemon!`. It is for unit tests, and for
    /// programs that cannot be started again, such as a plugin. Proxies, calls, errors
    /// and the end are the same; the object lives on two threads of oad's own, which end
    /// with it.
    ///
    /// It does not have the advantages of another process:
    ///
    /// - an object that aborts, exits or overflows its stack ends this process;
    /// - a sync call that does not return cannot be killed.
    ///   [`Daemon::shutdown`](crate::Daemon::shutdown) returns after the grace and
    ///   reports it as [`abandoned`](crate::ShutdownReport::abandoned); its thread and
    ///   its object stay until it returns;
    /// - processes that the object starts are not ended for it;
    /// - there is no exit status:
    ///   [`ShutdownReport::status`](crate::ShutdownReport::status) is `None`, and
    ///   [`Daemon::pid`](crate::Daemon::pid) is that of this process;
    /// - nothing else can connect to it: [`Daemon::socket`](crate::Daemon::socket) is
    ///   `None`. `oad.v1.Control/Logs` has no events, because the object's events are
    ///   this program's.
    ///
    /// Settings of a process, from [`executable`](Spawn::executable) to
    /// [`localhost`](Spawn::localhost), have no effect. The first such daemon sets a
    /// panic hook that records the location of a panic and calls the previous hook.
    ///
    /// ```
    /// # struct Counter { total: i64 }
    /// # #[oad::object] impl Counter {
    /// #     fn new(start: i64) -> Self { Counter { total: start } }
    /// #     fn add(&mut self, n: i64) -> i64 { self.total += n; self.total }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> oad::Result<()> {
    /// use oad::Remote as _;
    ///
    /// let counter = CounterProxy::new(1).in_process().await?;
    /// assert_eq!(counter.add(2).await?, 3);
    /// assert_eq!(counter.pid(), std::process::id());
    /// # Ok(()) }
    /// ```
    pub fn in_process(self) -> Self {
        self.in_process_with(|services| services)
    }

    /// Does the same as [`in_process`](Spawn::in_process), with gRPC services of your own
    /// beside oad's, as with [`init_with`](crate::init_with).
    pub fn in_process_with(self, add: impl FnOnce(Services) -> Services + Send + 'static) -> Self {
        self.started_by(Box::new(move |workers| start(add, workers)))
    }
}

/// Starts the server; returns the other ends of its lifeline and of its connection too.
fn start(
    add: impl FnOnce(Services) -> Services + Send + 'static,
    workers: usize,
) -> io::Result<(InProcess, IoStream, IoStream)> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("oad-in-process")
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    let (lifeline, server_lifeline) = IoStream::pair();
    let (connection, server_connection) = IoStream::pair();
    let ended = CancellationToken::new();
    let end_guard = ended.clone().drop_guard();
    runtime.spawn(async move {
        let _end_guard = end_guard;
        // A failure is reported on the lifeline, or by its end.
        let _ = serve_within(server_lifeline, server_connection, add(Services::default())).await;
    });
    Ok((InProcess::new(runtime, ended), lifeline, connection))
}
