//! Coroutines of Python from Rust: thousands at once, streams, objects of an event loop.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use oad::{PythonProxy, Remote as _};

const SCRIPT: &str = r#"
import asyncio
async def fetch(n):
    await asyncio.sleep(0.1)
    return n * n

async def ticks(count):
    for tick in range(count):
        await asyncio.sleep(0.01)
        yield tick

class Session:
    """Like the session of a client library, it belongs to the event loop."""
    def __init__(self): self.answers = asyncio.Queue()
    def answer(self, text): self.answers.put_nowait(text)
    async def ask(self): return await self.answers.get()
    async def __aenter__(self): return self
    async def __aexit__(self, *error): print("the session is closed")

async def connect(): return Session()"#;

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").await?;
    let script = py.script("client.py", SCRIPT).await?;

    // A coroutine is awaited, because a number is asked for. They all wait at once.
    let start = Instant::now();
    let squares: Vec<u64> =
        try_join_all((0..1000).map(|n| script.call::<u64>("fetch", (n,)))).await?;
    println!("{} squares took {:?}", squares.len(), start.elapsed());

    // An asynchronous generator is a stream.
    let mut ticks = script.call_iter::<u64>("ticks", (3,)).await?;
    while let Some(tick) = ticks.next().await {
        println!("tick {}", tick?);
    }

    // A proxy of what a coroutine returns. It is used on the event loop from then on.
    let session: PythonProxy = script.call("connect", ()).awaited().await?;
    let session: PythonProxy = session.operate("enter", ()).await?; // `async with`
    let (answer, ()) =
        tokio::try_join!(session.call::<String>("ask", ()), session.call::<()>("answer", ("42",)))?;
    println!("the answer is {answer}");

    // A timeout cancels the task.
    let late = session.call::<String>("ask", ()).timeout(Duration::from_millis(100));
    println!("{}", late.await.expect_err("nobody answers"));
    session.operate::<()>("exit", ()).await?;

    println!("{}", script.shutdown().await?);
    Ok(())
}
