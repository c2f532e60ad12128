//! Python objects in any interpreter, with nothing installed there.

use oad::{Proxy, Remote as _};

#[oad::main]
async fn main() -> oad::Result<()> {
    // A `str` that lives in a daemon.
    let text = oad::python("builtins", "str").arg("hello, world!").await?;
    println!("{} in process {}", text.text().await?, text.pid());
    let first: String = text.item(0).await?;
    let shouted: String = text.call("upper", ()).await?;
    println!("{first}… {shouted}, {} characters", text.length().await?);
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
    Ok(())
}
