//! Clients that misbehave: they send something other than HTTP/2, or nothing.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use oad::Remote as _;

use crate::TallyProxy;

fn socket(proxy: &impl oad::Remote) -> PathBuf {
    proxy.daemon().socket().expect("it listens at one").to_owned()
}

#[tokio::test]
async fn clients_that_close_in_the_middle_of_the_preface_do_no_harm() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    for _ in 0..8 {
        let mut client = UnixStream::connect(socket(&tally)).expect("it listens");
        client.write_all(b"PRI").expect("it is taken");
        client.shutdown(Shutdown::Write).expect("it is open");
        client.set_read_timeout(Some(Duration::from_secs(1))).expect("it can be set");
        let read = client.read(&mut [0; 8]);
        let is_closed = matches!(&read, Ok(0))
            || read.as_ref().is_err_and(|error| error.raw_os_error() == Some(104));
        assert!(is_closed, "it is closed at once: {read:?}");
    }
    assert_eq!(tally.add(1, None).await.expect("others are served"), (2, None));
}

#[tokio::test]
async fn silent_client_does_not_delay_shutdown() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let silent = UnixStream::connect(socket(&tally)).expect("it listens");
    let ended = tally.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < Duration::from_secs(1), "{ended}");
    drop(silent);
}

#[tokio::test]
async fn client_that_sends_only_the_preface_does_not_delay_shutdown() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let mut client = UnixStream::connect(socket(&tally)).expect("it listens");
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it is taken");
    // The reply shows that the daemon has accepted the connection.
    let len = client.read(&mut [0; 9]).expect("it answers");
    assert!(len > 0, "it sends its settings");
    let ended = tally.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < Duration::from_secs(1), "{ended}");
}

#[tokio::test]
async fn client_with_another_protocol_is_disconnected() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let mut client = UnixStream::connect(socket(&tally)).expect("it listens");
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    client.set_read_timeout(Some(Duration::from_secs(5))).expect("it can be set");
    assert!(matches!(client.read(&mut [0; 64]), Ok(0) | Err(_)), "it gets no response");
    assert_eq!(tally.add(1, None).await.expect("others are served"), (2, None));
}
