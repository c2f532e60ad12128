//! Python objects in any interpreter, with nothing installed there; and what their daemons tell of themselves.

use std::io::IsTerminal as _;

use oad::value::Slice;
use oad::{Proxy, Remote as _, Value};

#[oad::main]
async fn main() -> oad::Result<()> {
    // Daemons tell of their lives, and of what they print, by `tracing`: `cargo run --example hello warn` for less of it.
    let level = std::env::args().nth(1).map_or(Ok(tracing::Level::INFO), |level| level.parse());
    let events = tracing_subscriber::fmt().with_max_level(level.expect("the argument is a level, such as `warn`"));
    events.without_time().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).init();

    // A `str` that lives in a daemon: printed, sliced, disposed of.
    let text = oad::python("builtins", "str").arg("hello, world!").await?;
    println!("{} in process {}", text.text().await?, text.pid());
    let world: String = text.item(Slice { start: 7.into(), stop: (-1).into(), step: Value::Null }).await?;
    let shouted: String = text.call("upper", ()).await?;
    println!("{world}, {shouted}, {} characters", text.length().await?);
    println!("{}", text.shutdown().await?);

    // A `StringIO`, which is made there and stays there.
    let notes: Proxy = oad::python("io", "StringIO").arg("one\ntwo\n").await?;
    let lines: Vec<String> = notes.call("readlines", ()).await?;
    println!("{lines:?}");
    notes.call::<usize>("write", ("three\n",)).await?;
    notes.call::<u64>("seek", (0,)).await?;
    let mut rest = notes.iterate::<String>().await?;
    while let Some(line) = rest.next().await {
        print!("{}", line?);
    }

    // Its failures are its own, with their tracebacks.
    notes.call::<()>("close", ()).await?;
    let error = notes.call::<String>("getvalue", ()).await.expect_err("it is closed");
    let exception = error.exception().expect("Python raised it");
    println!("{}: {}", exception.type_name(), exception.message());

    // Without a word the interpreter is the `python3` of PATH. Any other is named by its path, here by that one's own.
    let sys = oad::python_module("sys").within(notes.daemon()).await?;
    let program: String = sys.get("executable").await?;
    let chosen = oad::python_module("sys").interpreter(&program).await?;
    drop((notes, sys)); // the last proxies of that daemon: it ends
    println!("{program} is {}", chosen.get::<String>("version").await?.replace('\n', ""));

    // What it prints is no part of this program's own output. It is told as an event.
    let print = oad::python("builtins", "print").arg("this is an event").within(chosen.daemon()).await?;
    println!("print gave {}", print.text().await?);
    println!("{}", chosen.shutdown().await?);
    Ok(())
}
