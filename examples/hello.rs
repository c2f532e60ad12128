//! Python objects in any interpreter, with nothing installed there; and what their
//! daemons tell of themselves, as much as one wants to hear.

use std::io::{IsTerminal as _, stderr};

use oad::value::Slice;
use oad::{PythonProxy, Remote as _, Value};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

#[oad::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Daemons tell of their lives, and of what they print, by `tracing`: here on stderr,
    // at a level that can be changed.
    let (filter, level) = reload::Layer::new(LevelFilter::INFO);
    let events = fmt::layer().without_time().with_ansi(stderr().is_terminal()).with_writer(stderr);
    tracing_subscriber::registry().with(filter).with(events).init();

    // A `str` that lives in a daemon: printed, sliced, disposed of. The events tell its
    // start and its end.
    let text = oad::python("builtins", "str").arg("hello, world!").await?;
    println!("{} in process {}", text.str().await?, text.pid());
    let world: String =
        text.get_item(Slice { start: 7.into(), stop: (-1).into(), step: Value::Null }).await?;
    println!(
        "{world}, {}, {} characters",
        text.call::<String>("upper", ()).await?,
        text.len().await?
    );
    println!("{}", text.shutdown().await?);

    // From here on only warnings: of this daemon's life nothing is told.
    level.reload(LevelFilter::WARN)?;
    let notes: PythonProxy = oad::python("io", "StringIO").arg("one\ntwo\n").await?; // made there, stays there
    let lines: Vec<String> = notes.call("readlines", ()).await?;
    println!("{lines:?}");
    notes.call::<()>("write", ("three\n",)).await?;
    notes.call::<()>("seek", (0,)).await?;
    let mut rest = notes.iter::<String>().await?;
    while let Some(line) = rest.next().await {
        print!("{}", line?);
    }

    // Its failures are its own, with their tracebacks.
    notes.call::<()>("close", ()).await?;
    let error = notes.call::<String>("getvalue", ()).await.expect_err("it is closed");
    let exception = error.exception().expect("Python raised it");
    println!("{}: {}", exception.type_name(), exception.message());

    // Without a word the interpreter is the `python3` of PATH. Any other is named by its
    // path, here by that one's own.
    let sys = oad::python_module("sys").within(notes.daemon()).await?;
    let program: String = sys.getattr("executable").await?;
    println!("{}", notes.shutdown().await?);
    level.reload(LevelFilter::INFO)?; // and all is told again
    let chosen = oad::python_module("sys").interpreter(&program).await?;
    println!("{program} is {}", chosen.getattr::<String>("version").await?.replace('\n', ""));

    // What it prints is no part of this program's own output. It is told as an event.
    let print =
        oad::python("builtins", "print").arg("this is an event").within(chosen.daemon()).await?;
    println!("print gave {}", print.str().await?);
    println!("{}", chosen.shutdown().await?);
    Ok(())
}
