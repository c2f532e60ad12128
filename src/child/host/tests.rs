//! The host without the wire: order, overlap, and release.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::common::value::Value;

/// How many `Notes` have been dropped.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Notes(Vec<u8>);

#[oad::object]
impl Notes {
    fn new() -> Self {
        Notes(Vec::new())
    }

    async fn add(&mut self, note: u8) -> Vec<u8> {
        tokio::task::yield_now().await;
        self.0.push(note);
        self.0.clone()
    }

    fn all(&self) -> Vec<u8> {
        self.0.clone()
    }

    async fn take(self) -> Vec<u8> {
        std::future::pending::<()>().await;
        self.0.clone()
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

fn arguments(values: Vec<Value>) -> std::future::Ready<Result<CallArgs>> {
    ready(Ok((values, Vec::new())))
}

async fn make_notes(host: &Host, session: Option<SessionId>) -> Handle {
    let definition = Definition::constructed("Notes", "new");
    let Created { handle, handles, .. } =
        host.create(session, definition, arguments(Vec::new())).await.expect("it is made");
    handles.keep();
    handle
}

fn host() -> Host {
    Host::new(Uuid::new_v4(), crate::common::value::MAX_DEPTH, 1 << 20)
}

#[tokio::test]
async fn calls_run_in_the_order_of_the_calls_not_of_the_polls() {
    let host = host();
    make_notes(&host, None).await;
    let calls: Vec<_> = (0..200)
        .map(|note| {
            host.call(
                Caller::default(),
                None,
                Operation::call("add"),
                arguments(vec![Value::Int(note)]),
            )
        })
        .collect();
    let all = host.call(Caller::default(), None, Operation::call("all"), arguments(Vec::new()));
    // The reader is polled first and the writers in reverse order, each on its own task.
    let all = tokio::spawn(all);
    let calls: Vec<_> = calls.into_iter().rev().map(tokio::spawn).collect();
    for call in calls {
        call.await.expect("it does not panic").expect("it answers");
    }
    let expected: Vec<Value> = (0..200).map(Value::Int).collect();
    assert_eq!(all.await.expect("it does not panic").expect("it answers").value, expected.into());
}

#[tokio::test]
async fn object_is_released_by_count_or_with_its_session_but_the_root_stays() {
    let host = host();
    let session = host.new_session();
    let root = make_notes(&host, Some(session)).await;
    let second = make_notes(&host, Some(session)).await;
    let third = make_notes(&host, None).await;
    host.release(None, &third, 1).expect("it is there");
    assert_eq!(
        host.release(None, &third, 1).expect_err("it is gone").kind(),
        ErrorKind::NoSuchObject
    );
    host.release_session(session);
    assert_eq!(
        host.describe(Some(second)).expect_err("it is gone").kind(),
        ErrorKind::NoSuchObject
    );
    let left: Vec<_> = host.objects().await.into_iter().map(|(handle, ..)| handle).collect();
    assert_eq!(left, std::slice::from_ref(&root));
    let strange = Handle::new(Uuid::new_v4(), root.id());
    assert_eq!(
        host.describe(Some(strange)).expect_err("it is another's").kind(),
        ErrorKind::NoSuchObject
    );
}

#[tokio::test]
async fn object_whose_handle_nobody_received_is_released() {
    let host = host();
    let made = host
        .create(
            Some(host.new_session()),
            Definition::constructed("Notes", "new"),
            arguments(Vec::new()),
        )
        .await;
    assert_eq!(host.objects().await.len(), 1);
    // As a timeout that passed meanwhile would.
    drop(made.expect("it is made"));
    assert!(host.objects().await.is_empty());
}

#[tokio::test]
async fn dropping_a_call_that_took_its_object_releases_it() {
    let host = host();
    make_notes(&host, None).await;
    let call = tokio::spawn(host.call(
        Caller::default(),
        None,
        Operation::call("take"),
        arguments(Vec::new()),
    ));
    tokio::task::yield_now().await;
    call.abort();
    assert!(call.await.expect_err("it was aborted").is_cancelled());
    assert!(host.objects().await.is_empty());
    assert_eq!(
        host.call(Caller::default(), None, Operation::call("all"), arguments(Vec::new()))
            .await
            .expect_err("it is gone")
            .kind(),
        ErrorKind::NoSuchObject
    );
}

#[tokio::test]
async fn ending_refuses_new_calls_and_waits_for_running_ones() {
    let host = host();
    make_notes(&host, None).await;
    let call =
        host.call(Caller::default(), None, Operation::call("add"), arguments(vec![Value::Int(1)]));
    host.ending().request(std::time::Duration::from_secs(60));
    let late = host.call(Caller::default(), None, Operation::call("all"), arguments(Vec::new()));
    assert_eq!(late.await.expect_err("it is too late").kind(), ErrorKind::Closed);
    let mut drained = std::pin::pin!(host.drained());
    assert!(futures_util::poll!(drained.as_mut()).is_pending());
    call.await.expect("it was in time");
    drained.await;
    let before = DROPPED.load(Ordering::SeqCst);
    host.drop_objects();
    assert!(DROPPED.load(Ordering::SeqCst) > before);
}
