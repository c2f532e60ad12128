//! A Python script in a process of its own: its names are attributes, its generators are
//! streams, its failures are told with their tracebacks.

use std::time::Duration;

use oad::{PythonProxy, Remote as _};

const SCRIPT: &str = r#"
rate = 7

class Basket:
    """Holds what is to be bought."""
    def __init__(self, owner):
        self.owner, self.nets = owner, []
    def __len__(self):
        return len(self.nets)
    def put(self, net, *, times=1):
        if net < 0:
            raise ValueError(f"nothing costs {net}")
        self.nets += [net] * times
    def gross(self):
        return (net * (100 + rate) / 100 for net in self.nets)

def forever():
    while True: pass
"#;

#[oad::main]
async fn main() -> oad::Result<()> {
    let script = oad::python_script("prices.py", SCRIPT).await?;
    let basket: PythonProxy = script.call("Basket", ("Ada",)).await?;
    basket.call::<()>("put", (10,)).await?;
    basket.call::<()>("put", (25,)).keyword("times", 2).await?;
    println!("{} has {} things", basket.getattr::<String>("owner").await?, basket.len().await?);

    script.setattr("rate", 20).await?;
    let mut gross = basket.call_iter::<f64>("gross", ()).await?;
    while let Some(price) = gross.next().await {
        println!("{}", price?);
    }

    let error = basket.call::<()>("put", (-1,)).await.expect_err("it is refused");
    println!(
        "{error}\n{}",
        error.exception().and_then(|exception| exception.traceback()).unwrap_or_default()
    );

    // Python code is interrupted when its deadline has passed, and the object goes on.
    let error = script
        .call::<()>("forever", ())
        .timeout(Duration::from_millis(100))
        .await
        .expect_err("it is late");
    println!("{error}");
    println!("{}; {}", basket.describe().await?.documentation(), script.shutdown().await?);
    Ok(())
}
