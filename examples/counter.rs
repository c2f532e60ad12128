//! A counter in a process of its own: made there, sent there, called as if it were here,
//! gone with its proxy.

use oad::Remote as _;

/// Counts.
#[derive(serde::Serialize, serde::Deserialize)]
struct Counter {
    total: i64,
}

#[oad::object]
impl Counter {
    /// Starts at a number.
    fn new(start: i64) -> Self {
        Counter { total: start }
    }

    /// Adds to the total, and gives it.
    fn add(&mut self, n: i64) -> i64 {
        self.total += n;
        self.total
    }

    /// Divides the total; not by zero.
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
    let counter = CounterProxy::new(1).await?; // made in the daemon
    let pid = counter.pid();
    println!("this is process {}, and the counter lives in process {pid}", std::process::id());
    println!("1 + 2 = {}", counter.add(2).await?);
    println!("it is at {}", counter.daemon().endpoint());

    let error = counter.divide(0).await.expect_err("by zero"); // the object's own failure, from there
    println!("{error}");
    println!("and 3 / 3 = {} all the same", counter.divide(3).await?);

    let moved = CounterProxy::spawn(Counter { total: 7 }).await?; // made here, sent there
    println!("7 + 1 = {}, in process {}", moved.add(1).await?, moved.pid());
    println!("{}", moved.shutdown().await?); // ends it now, and tells how it went

    drop(counter); // its process ends by itself
    while std::fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    println!("process {pid} is gone");
    Ok(())
}
