//! A daemon without a process of its own, for unit tests: both stairs in one process, and
//! nothing but memory between them.

use std::io;

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use crate::child::host::BLOCKING_THREADS;
use crate::child::server::{Services, serve_in_process};
use crate::common::transport::IoStream;
use crate::parent::daemon::{InProcess, Spawn};
#[cfg(feature = "python")]
use crate::parent::proxy::PythonBuilder;

impl<P> Spawn<P> {
    /// Makes the daemon within this process, for unit tests: no other process, no socket,
    /// no file, and neither `oad::init()` nor `oad::test_daemon!` is needed. Proxies,
    /// calls, errors and the end are the same; the object lives on two threads of oad's
    /// own, which go with it.
    ///
    /// What it cannot give is what another process is for:
    ///
    /// - an object that aborts, exits or overflows its stack takes this process along;
    /// - a sync call that does not return cannot be killed.
    ///   [`Daemon::shutdown`](crate::Daemon::shutdown) comes back after the grace and
    ///   reports it [`abandoned`](crate::ShutdownReport::abandoned); its thread and its
    ///   object stay until it returns;
    /// - processes that the object starts are its own to end;
    /// - there is no exit status:
    ///   [`ShutdownReport::status`](crate::ShutdownReport::status) is `None`, and
    ///   [`Daemon::pid`](crate::Daemon::pid) is this process's;
    /// - nobody else can reach it: [`Daemon::socket`](crate::Daemon::socket) is `None`.
    ///   Its `oad.v1.Control/Logs` tells nothing: the object's events are this program's.
    ///
    /// What is set for a process, from [`executable`](Spawn::executable) to
    /// [`localhost`](Spawn::localhost), means nothing then. The first such daemon sets a
    /// panic hook that notes where a panic was and goes on to the one that was set
    /// before.
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
        self.started_by(Box::new(|workers| start(|services| services, workers)))
    }

    /// As [`in_process`](Spawn::in_process), with gRPC services of your own beside oad's,
    /// as by [`init_with`](crate::init_with).
    #[cfg(feature = "tonic")]
    pub fn in_process_with(self, add: impl FnOnce(Services) -> Services + Send + 'static) -> Self {
        self.started_by(Box::new(move |workers| start(add, workers)))
    }
}

#[cfg(feature = "python")]
impl<P> PythonBuilder<P> {
    /// Runs the daemon inside this process; the interpreter is a process of its own as
    /// ever. See [`Spawn::in_process`].
    ///
    /// A program that only makes Python objects needs no `oad::init()` this way.
    pub fn in_process(self) -> Self {
        self.change(Spawn::in_process)
    }
}

/// Starts the server; gives the other ends of its lifeline and of its connection too.
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
    let (lifeline, its_lifeline) = IoStream::pair();
    let (connection, its_connection) = IoStream::pair();
    let ended = CancellationToken::new();
    let telling = ended.clone().drop_guard();
    runtime.spawn(async move {
        let _telling = telling;
        // What fails is told on the lifeline, or by its end.
        let _ = serve_in_process(its_lifeline, its_connection, add(Services::default())).await;
    });
    Ok((InProcess::new(runtime, ended), lifeline, connection))
}
