//! Several Python calls at once in one interpreter, on threads.

use std::time::Duration;

use oad::Remote as _;

const SCRIPT: &str = r#"
import queue
orders = queue.Queue()

def next_order():
    return orders.get()

def place(order):
    orders.put(order)

def thread():
    import threading
    return threading.current_thread().name
"#;

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").threads(4).await?;
    let shop = py.script("shop.py", SCRIPT).await?;

    // Two calls wait in Python, and others go on.
    let cooks = async {
        tokio::try_join!(
            shop.call::<String>("next_order", ()),
            shop.call::<String>("next_order", ()),
        )
    };
    let guests = async {
        shop.call::<()>("place", ("soup",)).await?;
        shop.call::<()>("place", ("bread",)).await
    };
    let (orders, ()) = tokio::try_join!(cooks, guests)?;
    println!("the cooks have {orders:?}");

    // A timeout interrupts its own call, wherever that runs.
    let late = shop.call::<String>("next_order", ()).timeout(Duration::from_millis(100));
    println!("{}", late.await.expect_err("nobody orders any more"));

    // Objects are made on the main thread. Calls run there if they ask for it.
    println!("by default on a thread of the pool: {}", shop.call::<String>("thread", ()).await?);
    let main: String = shop.call("thread", ()).on_main_thread().await?;
    println!("on request on {main}");

    println!("{}", shop.shutdown().await?);
    Ok(())
}
