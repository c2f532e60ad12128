//! The three ways in which a daemon ends, and what its caller learns.

use std::time::Duration;

use oad::Remote as _;

/// Works for a given time.
struct Worker;

#[oad::object]
impl Worker {
    fn new() -> Self {
        Worker
    }

    /// A sync method cannot be stopped.
    fn work(&self, time: Duration) -> Duration {
        std::thread::sleep(time);
        time
    }
}

#[oad::main]
async fn main() -> oad::Result<()> {
    // oad reports the life of each daemon as events; here they go to stderr.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();

    // 1. `shutdown` while a call runs. The call finishes first.
    let worker = WorkerProxy::new().await?;
    let call = tokio::spawn(worker.work(Duration::from_millis(300)));
    tokio::task::yield_now().await; // the call is sent
    let report = worker.shutdown().await?;
    let worked = call.await.expect("the task does not panic")?;
    println!("worked for {worked:?}; {report}; clean: {}", report.is_clean());

    // A call that takes longer than the grace period is cut off.
    let worker = WorkerProxy::new().grace(Duration::from_millis(100)).await?;
    let call = tokio::spawn(worker.work(Duration::from_secs(3600)));
    tokio::task::yield_now().await;
    println!("{}", worker.shutdown().await?);
    println!("{}", call.await.expect("the task does not panic").expect_err("it was cut off"));

    // 2. Dropping the last proxy.
    let worker = WorkerProxy::new().await?;
    let pid = worker.pid();
    drop(worker);
    while std::fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("process {pid} is gone");

    // 3. The end of the parent, for whatever reason: here `main` returns during a call.
    let worker = WorkerProxy::new().await?;
    tokio::spawn(worker.work(Duration::from_secs(3600)));
    println!("process {} will end soon after this one", worker.pid());
    Ok(())
}
