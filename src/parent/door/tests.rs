//! Large answers: what may happen while they are decoded.

use std::io::{ErrorKind as IoErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use bytes::Bytes;
use tokio::runtime::Handle as Runtime;
use uuid::Uuid;

use super::*;
use crate::common::agent::Frame;
use crate::common::definition::InterpreterFacts;
use crate::common::error::{ErrorKind, KillReason};
use crate::common::value::Value;
use crate::parent::client::{Limits, Response};

/// A door, the agent's ends of its sockets, and why the interpreter was killed.
struct Opened {
    door: AgentDoor,
    requests: UnixStream,
    urgent: UnixStream,
    killed: Arc<Mutex<Option<KillReason>>>,
}

fn open() -> Opened {
    let pair = || UnixStream::pair().expect("there are descriptors");
    let ((our_requests, requests), (our_urgent, urgent)) = (pair(), pair());
    let killed = Arc::<Mutex<Option<KillReason>>>::default();
    let noted = Arc::clone(&killed);
    let settings = DoorSettings {
        daemon: Uuid::from_u128(1),
        interpreter: 1,
        facts: InterpreterFacts {
            pid: 1,
            version: "3".to_owned(),
            executable: "python".to_owned(),
        },
        kind: DoorKind { kill_when_stuck: Some(Duration::from_millis(1)), has_threads: false },
        limits: Limits { message: 1 << 20, depth: 32 },
        runtime: Runtime::current(),
        keeper: Runtime::current(),
        kill: Box::new(move |reason| *noted.lock().expect("nobody panics") = Some(reason)),
    };
    let sockets = [our_requests, our_urgent].map(|socket| {
        socket.set_nonblocking(true).expect("it is a socket");
        socket.into()
    });
    let client = open_door(settings, sockets).expect("it opens");
    urgent.set_nonblocking(true).expect("it is a socket");
    Opened { door: AgentDoor::new(client, ()), requests, urgent, killed }
}

/// The answer to a request: text of so many bytes.
fn answer(id: u64, len: u32) -> Bytes {
    let id = u32::try_from(id).expect("it is small").to_le_bytes();
    let value = [b"u".as_slice(), &len.to_le_bytes(), &vec![b'x'; len as usize]].concat();
    [b"(\x03\0\0\0i".as_slice(), &id, b"u\x05\0\0\0value", &value].concat().into()
}

impl Opened {
    fn call(&self, timeout: Option<Duration>) -> Submitted {
        let request = AgentRequest::describe(1);
        self.door.submit(&request, Expected::Value, timeout).expect("it is sent")
    }

    /// What happens when the last byte of a large answer arrives.
    fn begin_answer(&self, id: u64) {
        assert_eq!(self.door.0.client.pending().begin_answer(id), Some(Expected::Value));
    }

    fn is_pending(&self, id: u64) -> bool {
        self.door.0.client.pending().with(id, |_| ()).is_some()
    }

    fn assert_not_interrupted(&mut self) {
        let read = self.urgent.read(&mut [0; 64]);
        assert_eq!(read.expect_err("nothing was sent").kind(), IoErrorKind::WouldBlock);
        assert!(self.killed.lock().expect("nobody panics").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_fails_a_call_whose_answer_is_being_decoded() {
    let mut opened = open();
    let waiting = opened.call(Some(Duration::from_secs(5)));
    let id = waiting.id();
    opened.begin_answer(id);
    let error = waiting.await.expect_err("it is too late");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let expected = "no response within 5s; the call has returned, but its large response was not \
                    read in time";
    assert_eq!(error.to_string(), expected);
    // It does not run, so nobody is interrupted or killed for it.
    tokio::time::sleep(Duration::from_secs(60)).await;
    opened.assert_not_interrupted();
    assert!(opened.is_pending(id));
    opened.door.0.client.decode(id, &Frame::from(answer(id, 3)), Expected::Value);
    assert!(!opened.is_pending(id));
}

#[tokio::test(start_paused = true)]
async fn dropped_call_whose_answer_is_being_decoded_is_not_interrupted() {
    let mut opened = open();
    let waiting = opened.call(None);
    let id = waiting.id();
    opened.begin_answer(id);
    drop(waiting);
    tokio::time::sleep(Duration::from_secs(60)).await;
    opened.assert_not_interrupted();
    assert!(opened.is_pending(id));
    // The next one is the first that runs.
    let next = opened.call(None);
    assert!(opened.door.0.client.is_running(next.id()) && !opened.door.0.client.is_running(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn second_answer_while_the_first_is_decoded_is_a_protocol_error() {
    for len in [3, 1 << 19] {
        let mut opened = open();
        let waiting = opened.call(None);
        let id = waiting.id();
        opened.begin_answer(id);
        let second = answer(id, len);
        let size = u32::try_from(second.len()).expect("it is short").to_le_bytes();
        opened.requests.write_all(&[&size, &*second].concat()).expect("it is read");
        let error = waiting.await.expect_err("nothing can be believed");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let killed = async {
            while opened.killed.lock().expect("nobody panics").is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), killed).await.expect("it is killed");
        let reason = opened.killed.lock().expect("nobody panics").take();
        assert_eq!(reason, Some(KillReason::Malformed));
    }
}

#[tokio::test]
async fn large_answer_is_delivered() {
    let mut opened = open();
    let waiting = opened.call(None);
    let answer = answer(waiting.id(), 1 << 19);
    let size = u32::try_from(answer.len()).expect("it is short").to_le_bytes();
    let writing = std::thread::spawn(move || {
        opened.requests.write_all(&[&size, &*answer].concat()).expect("it is read");
        opened
    });
    match waiting.await.expect("it is answered") {
        Response::Returned(Value::Text(text)) => assert_eq!(text.len(), 1 << 19),
        other => panic!("{other:?}"),
    }
    writing.join().expect("it is written");
}
