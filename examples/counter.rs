//! A counter in its own process: created there or sent there, called as if it were local,
//! and gone with its proxy.

use oad::Remote as _;

/// Counts.
#[derive(serde::Serialize, serde::Deserialize)]
struct Counter {
    total: i64,
}

#[oad::object]
impl Counter {
    /// Starts at `start`.
    fn new(start: i64) -> Self {
        Counter { total: start }
    }

    /// Adds to the total and returns it.
    fn add(&mut self, n: i64) -> i64 {
        self.total += n;
        self.total
    }

    /// Divides the total. Division by zero is an error.
    fn divide(&mut self, by: i64) -> Result<i64, String> {
        self.total = self
            .total
            .checked_div(by)
            .ok_or_else(|| format!("{} cannot be divided by {by}", self.total))?;
        Ok(self.total)
    }
}

#[oad::main]
async fn main() -> oad::Result<()> {
    let counter = CounterProxy::new(1).await?; // created in the daemon
    let pid = counter.pid();
    println!("this is process {}, and the counter lives in process {pid}", std::process::id());
    println!("1 + 2 = {}", counter.add(2).await?);
    println!("its daemon listens at {}", counter.daemon().endpoint());

    let error = counter.divide(0).await.expect_err("division by zero"); // the object failed
    println!("{error}");
    println!("it can still be used: 3 / 3 = {}", counter.divide(3).await?);

    let moved = CounterProxy::spawn(Counter { total: 7 }).await?; // created here, sent there
    println!("7 + 1 = {}, in process {}", moved.add(1).await?, moved.pid());
    println!("{}", moved.shutdown().await?); // ends the process now, and reports how

    drop(counter); // ends the process, too
    while std::fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    println!("process {pid} is gone");
    Ok(())
}
