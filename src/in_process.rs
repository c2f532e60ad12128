//! A daemon without a process of its own: both wings in one process, and nothing but
//! memory between them.

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
    /// Runs the daemon within this process.
    ///
    /// There is no second process, no socket and no file, and neither `oad::init()` nor
    /// `oad::test_daemon!` is needed. Proxies, calls, errors and the shutdown report are
    /// the same. The objects live on two threads of oad, which end with them.
    ///
    /// Use it in unit tests that are not about the process. Use it in production too, for
    /// Python objects in a library or plugin that cannot call `oad::init()`: an
    /// interpreter is a process of its own in any case. When the program exits normally,
    /// its interpreters and the processes that they have started are killed, if they have
    /// not ended before. When a signal kills the program, the kernel kills the
    /// interpreters only.
    ///
    /// Rust objects lose what another process is for:
    ///
    /// - An object that aborts, exits or overflows its stack ends this process.
    /// - A sync call that does not return cannot be killed.
    ///   [`Daemon::shutdown`](crate::Daemon::shutdown) returns after the grace period and
    ///   reports the call as [`abandoned`](crate::ShutdownReport::abandoned). Its thread
    ///   and its object stay until it returns.
    /// - oad does not end the processes that a Rust object starts.
    /// - There is no exit status:
    ///   [`ShutdownReport::status`](crate::ShutdownReport::status) is `None`, and
    ///   [`Daemon::pid`](crate::Daemon::pid) is the id of this process.
    /// - No other program can connect: [`Daemon::socket`](crate::Daemon::socket) is
    ///   `None`. `oad.v1.Control/Logs` reports nothing, because the object's events are
    ///   events of this program.
    ///
    /// Settings of a process, from [`executable`](Spawn::executable) to `localhost`, have
    /// no effect. The first such daemon installs a panic hook that records where a panic
    /// happened, and then calls the previous hook.
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

    /// Does the same as [`in_process`](Spawn::in_process), with gRPC services of your own
    /// beside oad's, as with [`init_with`](crate::init_with).
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
        let _ =
            serve_in_process(server_lifeline, server_connection, add(Services::default())).await;
    });
    Ok((InProcess::new(runtime, ended), lifeline, connection))
}
