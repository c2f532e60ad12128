//! Python objects in any interpreter, with nothing installed there; and the events of
//! their daemons, at a level that can be changed.

use std::io::{IsTerminal as _, stderr};

use oad::value::Slice;
use oad::{Remote as _, Value};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, reload};

#[oad::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // oad reports the life and the output of each daemon by `tracing`: here on stderr.
    let (filter, level) = reload::Layer::new(LevelFilter::INFO);
    let events = fmt::layer().without_time().with_ansi(stderr().is_terminal()).with_writer(stderr);
    tracing_subscriber::registry().with(filter).with(events).init();

    // A `str` that lives in a daemon. The events show when that starts and ends.
    let text = oad::python("builtins", "str").arg("hello, world!").await?;
    println!("{} in process {}", text.str().await?, text.pid());
    let slice = Slice { start: 7.into(), stop: (-1).into(), step: Value::Null };
    let (world, upper): (String, String) =
        (text.get_item(slice).await?, text.call("upper", ()).await?);
    println!("{world}, {upper}, {} characters", text.len().await?);
    println!("{}", text.shutdown().await?);

    // From here on only warnings are shown.
    level.reload(LevelFilter::WARN)?;
    let py = oad::interpreter("python3").await?;
    let notes = py.instance("io", "StringIO").arg("one\ntwo\n").await?;
    let lines: Vec<String> = notes.call("readlines", ()).await?;
    println!("{lines:?} from Python {} in process {}", py.version(), py.pid());
    notes.call::<()>("write", ("three\n",)).await?;
    notes.call::<()>("seek", (0,)).await?;
    let mut rest = notes.iter::<String>().await?;
    while let Some(line) = rest.next().await {
        print!("{}", line?);
    }

    // An exception arrives as data.
    notes.call::<()>("close", ()).await?;
    let error = notes.call::<String>("getvalue", ()).await.expect_err("the file is closed");
    let exception = error.exception().expect("Python raised it");
    println!("{}: {}", exception.type_name(), exception.message());

    // What Python prints does not mix with this program's output. It becomes an event.
    level.reload(LevelFilter::INFO)?;
    let print = py.instance("builtins", "print").arg("this is an event").await?;
    println!("print returned {}", print.str().await?);
    println!("{}", notes.shutdown().await?);
    Ok(())
}
