//! The thread that holds the daemon's lifeline: it shakes hands, hears the farewell or the parent's death, and is the watchdog of the ending.
//!
//! It has a runtime of its own and shares nothing with the calls, so that nothing an object does can keep it from its work.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{BufReader, split};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::handshake::{Answer, Farewell, Hello, PROTOCOL_VERSION, read_frame, read_hello, write_frame};
use crate::host::Host;
use crate::process::{kill_descendants, kill_self, silence};
use crate::transport::Endpoint;

/// How long a parent may take to say hello. It has the words ready when it starts us.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// The grace of calls when the parent is dead: nobody waits for their answers.
const ORPHANED: Duration = Duration::from_millis(500);

/// How long after the last moment for calls the rest of the ending may take, before the watchdog ends the process as it is. The
/// parent's own patience is a little longer.
const WATCHDOG: Duration = Duration::from_millis(350);

/// What the lifeline must know to answer the parent and to end the daemon: or why there is none.
pub(super) type Ready = Result<(Host, Endpoint, Duration), String>;

/// Starts the thread.
pub(super) fn watch(
    lifeline: UnixStream,
    hellos: oneshot::Sender<Hello>,
    ready: oneshot::Receiver<Ready>,
) -> io::Result<()> {
    lifeline.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("oad-lifeline".to_owned());
    thread.spawn(move || {
        if let Err(error) = runtime.block_on(hold(lifeline, hellos, ready)) {
            eprintln!("oad: the handshake with the parent failed: {error}");
        }
        // It returns only if there is nothing to serve.
        std::process::exit(1);
    })?;
    Ok(())
}

async fn hold(lifeline: UnixStream, hellos: oneshot::Sender<Hello>, ready: oneshot::Receiver<Ready>) -> io::Result<()> {
    let (reader, mut writer) = split(tokio::net::UnixStream::from_std(lifeline)?);
    let mut reader = BufReader::new(reader);
    let hello = match tokio::time::timeout(HELLO_DEADLINE, read_hello(&mut reader)).await?? {
        Some(Ok(hello)) => hello,
        Some(Err(_)) => return write_frame(&mut writer, &Answer::OtherVersion { protocol: PROTOCOL_VERSION }).await,
        None => return Ok(()),
    };
    let directory = hello.directory.clone();
    // The receiver is the server, which lives as long as the process.
    let _ = hellos.send(hello);
    let (host, endpoint, grace) = match ready.await {
        Ok(Ok(ready)) => ready,
        Ok(Err(message)) => return write_frame(&mut writer, &Answer::Failed { message }).await,
        Err(_) => return Ok(()),
    };
    let path = endpoint.path().to_owned();
    let answer = Answer::Ready { protocol: PROTOCOL_VERSION, pid: std::process::id(), endpoint };
    // If the parent is gone, reading tells.
    let _ = write_frame(&mut writer, &answer).await;

    let hearing = async {
        while let Ok(Some(Farewell::End { grace })) = read_frame(&mut reader).await {
            host.ending().request(grace);
        }
        // The parent is dead, or has let go. What the object prints from now on would go to a closed pipe.
        silence();
        host.ending().request(ORPHANED.min(grace));
        std::future::pending::<()>().await;
    };
    let telling = async {
        let deadline = host.ending().requested().await;
        let grace = deadline.saturating_duration_since(Instant::now());
        let _ = write_frame(&mut writer, &Answer::Terminating { grace }).await;
        let abandoned = host.ending().drained().await;
        let _ = write_frame(&mut writer, &Answer::Leaving { abandoned }).await;
        host.ending().note_told();
        std::future::pending::<()>().await;
    };
    let watchdog = async {
        host.ending().deadline_passed().await;
        tokio::time::sleep(WATCHDOG).await;
    };
    tokio::select! {
        () = hearing => {}
        () = telling => {}
        () = watchdog => {}
    }
    end_as_it_is(directory, path)
}

/// The last resort: the ending hangs, in a drop or in a call that cannot be stopped.
fn end_as_it_is(directory: PathBuf, socket: PathBuf) -> ! {
    eprintln!("oad: the daemon did not end in time and is killed by its watchdog");
    kill_descendants();
    // Either may be gone already.
    let _ = std::fs::remove_file(socket);
    let _ = std::fs::remove_dir(directory);
    kill_self()
}
