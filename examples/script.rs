//! A Python script in its own process: its names are attributes, its generators are
//! streams, and its exceptions have tracebacks.

use std::time::Duration;

use oad::{PythonProxy, Remote as _};

const SCRIPT: &str = r#"
rate = 7

class Basket:
    """Holds goods until they are bought."""
    def __init__(self, owner):
        self.owner, self.nets = owner, []
    def __len__(self):
        return len(self.nets)
    def put(self, net, *, times=1):
        if net < 0:
            raise ValueError(f"{net} is not a price")
        self.nets += [net] * times
    def gross(self):
        return (net * (100 + rate) / 100 for net in self.nets)

def forever():
    while True: pass
"#;

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").await?;
    let script = py.script("prices.py", SCRIPT).await?;
    let basket: PythonProxy = script.call("Basket", ("Ada",)).await?;
    basket.call::<()>("put", (10,)).await?;
    basket.call::<()>("put", (25,)).keyword("times", 2).await?;
    println!("{} has {} things", basket.getattr::<String>("owner").await?, basket.len().await?);

    script.setattr("rate", 20).await?;
    let mut gross = basket.call_iter::<f64>("gross", ()).await?;
    while let Some(price) = gross.next().await {
        println!("{}", price?);
    }

    let error = basket.call::<()>("put", (-1,)).await.expect_err("the price is negative");
    let exception = error.exception().expect("Python raised it");
    println!("{error}\n{}", exception.traceback().unwrap_or_default());

    // A timeout interrupts Python code. The object can still be used.
    let forever = script.call::<()>("forever", ()).timeout(Duration::from_millis(100));
    println!("{}", forever.await.expect_err("the loop is endless"));
    println!("{}; {}", basket.describe().await?.documentation(), script.shutdown().await?);
    Ok(())
}
