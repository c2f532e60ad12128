//! The three ways in which a daemon ends, and what a caller hears.

use std::time::Duration;

use oad::Remote as _;

/// Works for as long as it is told.
struct Worker;

#[oad::object]
impl Worker {
    fn new() -> Self {
        Worker
    }

    /// A sync method, which nobody can stop.
    fn work(&self, time: Duration) -> Duration {
        std::thread::sleep(time);
        time
    }
}

#[oad::main]
async fn main() -> oad::Result<()> {
    // Its life is told as events; here they go to stderr.
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();

    // 1. It is told to end, while a call runs: the call is finished first.
    let worker = WorkerProxy::new().await?;
    let call = tokio::spawn(worker.work(Duration::from_millis(300)));
    tokio::task::yield_now().await; // the call is sent
    let ended = worker.shutdown().await?;
    println!(
        "worked for {:?}; {ended}; clean: {}",
        call.await.expect("it does not panic")?,
        ended.is_clean()
    );

    // The call takes longer than the grace: it is cut off, and says so.
    let worker = WorkerProxy::new().grace(Duration::from_millis(100)).await?;
    let call = tokio::spawn(worker.work(Duration::from_secs(3600)));
    tokio::task::yield_now().await;
    println!("{}", worker.shutdown().await?);
    println!("{}", call.await.expect("it does not panic").expect_err("it was cut off"));

    // 2. Its last proxy is dropped.
    let worker = WorkerProxy::new().await?;
    let pid = worker.pid();
    drop(worker);
    while std::fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("process {pid} is gone");

    // 3. Its parent ends, however: this one now returns from `main`, with a daemon at
    //    work.
    let worker = WorkerProxy::new().await?;
    tokio::spawn(worker.work(Duration::from_secs(3600)));
    println!("process {} will be gone soon after this one", worker.pid());
    Ok(())
}
