//! Calls: values, order, overlap, timeouts, cancellation, failures.

use std::time::{Duration, Instant};

use oad::{ErrorKind, Remote as _, Value};
use support::lab::LabProxy;

mod support;

oad::test_daemon!();

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A busy daemon may take longer than one call's timeout to answer.
async fn until_it_answers(lab: &LabProxy) {
    for _ in 0..30 {
        if lab.log().timeout(SECOND).await.is_ok() {
            return;
        }
    }
    panic!("the daemon does not answer");
}

async fn lab() -> LabProxy {
    LabProxy::new().await.expect("a daemon can be made")
}

#[tokio::test]
async fn shared_calls_overlap() {
    let lab = lab().await;
    let start = Instant::now();
    let (first, second) = tokio::join!(lab.block(SECOND), lab.block(SECOND));
    first.and(second).expect("they return");
    assert!(start.elapsed() < millis(1900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn exclusive_calls_go_one_at_a_time_and_in_order() {
    let lab = lab().await;
    let start = Instant::now();
    let calls = (0..20).map(|n| lab.note(n.to_string(), millis(50)));
    let logs = futures_util::future::join_all(calls).await;
    assert!(start.elapsed() >= millis(1000), "{:?}", start.elapsed());
    let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for (n, log) in logs.into_iter().enumerate() {
        assert_eq!(log.expect("it returns"), expected[..=n]);
    }
}

#[tokio::test]
async fn small_call_behind_a_large_one_keeps_its_order() {
    let lab = lab().await;
    let large = "x".repeat(8 << 20);
    let (first, second) =
        tokio::join!(lab.note(large, Duration::ZERO), lab.note("small".into(), Duration::ZERO));
    assert_eq!(first.expect("it returns").len(), 1);
    assert_eq!(second.expect("it returns")[1], "small");
}

#[tokio::test]
async fn busy_object_delays_neither_others_nor_the_shutdown() {
    let lab = lab().await;
    let other =
        LabProxy::new().within(lab.daemon()).await.expect("the daemon takes a second object");
    assert_eq!(lab.pid(), other.pid());
    let busy: Vec<_> = (0..4).map(|_| tokio::spawn(lab.spin(SECOND * 60))).collect();
    until_it_answers(&lab).await;
    let start = Instant::now();
    assert_eq!(other.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    let ended = lab.shutdown().await.expect("it ends");
    assert!(start.elapsed() < millis(3500), "{ended}: {:?}", start.elapsed());
    assert!(!ended.is_clean(), "{ended}");
    assert_eq!((ended.calls(), ended.abandoned()), (Some(4), Some(4)));
    for call in busy {
        let error = call.await.expect("it does not panic").expect_err("it was cut off");
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
}

#[tokio::test]
async fn dropped_call_is_cancelled_at_its_await() {
    let lab = lab().await;
    for (what, finishes) in [("cancelled", false), ("kept", true)] {
        let call = match finishes {
            false => lab.wait(what.into(), millis(300)),
            true => lab.wait_to_the_end(what.into(), millis(300)),
        };
        let call = tokio::spawn(call);
        let began = format!("{what} began");
        while !lab.log().await.expect("it answers").contains(&began) {}
        call.abort();
        let ended = format!("{what} ended");
        let start = Instant::now();
        while !lab.log().await.expect("it answers").contains(&ended) {
            assert!(start.elapsed() < SECOND * 5, "it never ends");
        }
        let log = lab.log().await.expect("it answers");
        assert_eq!(log.contains(&format!("{what} finished")), finishes, "{log:?}");
    }
}

#[tokio::test]
async fn timeout_has_its_own_kind_and_cancels_the_call() {
    let lab = lab().await;
    let start = Instant::now();
    let error = lab
        .wait_alone("long".into(), SECOND * 60)
        .timeout(millis(100))
        .await
        .expect_err("it takes a minute");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    let message = error.to_string();
    let expected =
        format!("calling Lab.wait_alone on daemon {} (Lab): no response within 100ms", lab.pid());
    assert!(message.starts_with(&expected), "{message}");
    assert_eq!(
        lab.log().timeout(SECOND).await.expect("it is free again"),
        ["long began", "long ended"]
    );
}

#[tokio::test]
async fn timeout_of_a_sync_call_frees_the_caller_while_the_object_is_busy() {
    let lab = lab().await;
    let error =
        lab.note("busy".into(), SECOND).timeout(millis(50)).await.expect_err("it takes a second");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let start = Instant::now();
    assert_eq!(
        lab.note("next".into(), Duration::ZERO).await.expect("its turn comes"),
        ["busy", "next"]
    );
    assert!(start.elapsed() > millis(500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn queued_call_is_removed_when_dropped() {
    let lab = lab().await;
    let busy = tokio::spawn(lab.note("busy".into(), millis(300)));
    tokio::task::yield_now().await;
    let waiting = lab.note("dropped".into(), Duration::ZERO).timeout(millis(50)).await;
    assert_eq!(waiting.expect_err("it waits longer").kind(), ErrorKind::Timeout);
    busy.await.expect("it does not panic").expect("it returns");
    assert_eq!(
        lab.note("last".into(), Duration::ZERO).await.expect("it returns"),
        ["busy", "last"]
    );
}

#[tokio::test]
async fn panic_is_an_exception_and_the_object_stays_usable() {
    let lab = lab().await;
    let sync = lab.panic("sync trouble".into()).await.expect_err("it panics");
    let later = lab.panic_later("async trouble".into()).await.expect_err("it panics");
    for (error, message, line) in
        [(sync, "sync trouble", "lab.rs:"), (later, "async trouble", "lab.rs:")]
    {
        let exception = error.exception().expect("it has an exception");
        assert!(exception.is_panic() && error.is_exception(), "{error:?}");
        assert_eq!(exception.message(), message);
        assert!(exception.location().is_some_and(|location| location.contains(line)), "{error:?}");
    }
    assert_eq!(lab.echo(Value::Null).await.expect("it is usable"), Value::Null);
}

#[tokio::test]
async fn large_message_fails_one_call_and_no_other() {
    let lab = LabProxy::new().message_limit(1 << 20).await.expect("a daemon can be made");
    let large = oad::value::Bytes::from(vec![0; 1 << 20]);
    let answer = lab.bytes(2 << 20);
    let (sent, returned, small) =
        tokio::join!(lab.len(&large), answer, lab.len(&vec![0; 1000].into()));
    let error = sent.expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("bytes, and the limit is 1048576; raise `message_limit`"),
        "{error}"
    );
    assert_eq!(returned.expect_err("it is too large").kind(), ErrorKind::TooLarge);
    assert_eq!(small.expect("it is small"), 1000);
    assert_eq!(lab.bytes(900_000).await.expect("it is within the limit").len(), 900_000);
}

#[tokio::test]
async fn large_argument_does_not_delay_small_calls_on_another_object() {
    let lab = lab().await;
    let other =
        LabProxy::new().within(lab.daemon()).await.expect("the daemon takes a second object");
    let large = oad::value::Bytes::from(vec![0; 64 << 20]);
    let sending = tokio::spawn(lab.len(&large));
    let mut during = Vec::new();
    while !sending.is_finished() {
        let start = Instant::now();
        other.echo(Value::Null).await.expect("it answers");
        during.push(start.elapsed());
    }
    assert_eq!(sending.await.expect("it does not panic").expect("it arrives"), 64 << 20);
    println!(
        "{} small calls while 64 MiB went, median {:?}",
        during.len(),
        support::median(during.clone())
    );
    assert!(during.len() >= 10, "only {} calls ran meanwhile", during.len());
}

#[tokio::test]
async fn too_deep_is_refused_before_it_is_sent() {
    let lab = LabProxy::new().depth_limit(5).await.expect("a daemon can be made");
    let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::Tuple(vec![value]));
    assert_eq!(lab.echo(nested(5)).await.expect("it is allowed"), nested(5));
    let error = lab.echo(nested(6)).await.expect_err("it is too deep");
    assert_eq!(error.kind(), ErrorKind::TooDeep);
    assert_eq!(
        lab.echo(nested(1_000)).await.expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
}

#[tokio::test]
async fn ten_thousand_calls_in_flight_all_return() {
    let lab = lab().await;
    let calls = (0..10_000).map(|n| lab.echo(Value::Int(n)));
    for (n, answer) in (0..).zip(futures_util::future::join_all(calls).await) {
        assert_eq!(answer.expect("it returns"), Value::Int(n));
    }
}

#[tokio::test]
async fn values_go_there_and_back_exactly() {
    let lab = lab().await;
    let values = vec![
        Value::Float(-0.0),
        Value::Float(f64::from_bits(0x7ff8_0000_dead_beef)),
        Value::from(u128::MAX),
        Value::Tuple(vec![Value::Some(Box::new(Value::Null)), Value::Text("\0é".into())]),
        Value::Map(vec![(Value::Int(2), Value::Null), (Value::Int(1), Value::Bool(true))]),
        vec![Value::Int(3); 300_000].into(),
    ];
    for value in values {
        assert_eq!(lab.echo(value.clone()).await.expect("it returns"), value);
    }
}

#[tokio::test]
async fn failing_constructor_ends_the_daemon_before_its_error_returns() {
    let before = support::children(std::process::id());
    let error = LabProxy::failing("no luck".into()).await.expect_err("it fails");
    assert_eq!(error.exception().map(oad::Exception::message), Some("no luck"));
    let message = error.to_string();
    assert!(
        message.starts_with("making Lab on daemon ") && message.ends_with("no luck"),
        "{message}"
    );
    let pid: u32 = message
        .split_whitespace()
        .nth(4)
        .and_then(|pid| pid.parse().ok())
        .expect("it names the pid");
    assert_eq!(
        support::state(pid),
        None,
        "the process is gone, not merely ending; children before: {before:?}"
    );
}

#[tokio::test]
async fn slow_constructor_has_its_own_timeout() {
    let error = LabProxy::slowly(SECOND * 60)
        .create_timeout(millis(100))
        .await
        .expect_err("it takes a minute");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    LabProxy::slowly(millis(100)).create_timeout(SECOND * 60).await.expect("it is in time");
}

#[tokio::test]
async fn large_response_that_is_ready_in_time_is_not_lost_at_shutdown() {
    for _ in 0..3 {
        let lab = lab().await;
        let answer = tokio::spawn(lab.bytes(64 << 20));
        tokio::task::yield_now().await;
        let ended = lab.shutdown().await.expect("it ends");
        assert_eq!(answer.await.expect("it does not panic").expect("it arrives").len(), 64 << 20);
        assert!(ended.is_clean(), "{ended}");
    }
}

#[tokio::test]
async fn limit_below_a_frame_holds_too() {
    let lab = LabProxy::new().message_limit(1000).await.expect("a daemon can be made");
    for len in [1001, 70_000, 200_000] {
        assert_eq!(lab.bytes(len).await.expect_err("it is too large").kind(), ErrorKind::TooLarge);
        let argument = vec![0; len].into();
        assert_eq!(
            lab.len(&argument).await.expect_err("it is too large").kind(),
            ErrorKind::TooLarge
        );
    }
    assert_eq!(lab.bytes(900).await.expect("it is within the limit").len(), 900);
}

#[tokio::test]
async fn exception_arrives_whatever_its_size() {
    let why = "w".repeat(60_000);
    let error = LabProxy::failing(why.clone()).message_limit(100_000).await.expect_err("it fails");
    let exception = error.exception().expect("it has an exception");
    assert_eq!((exception.message(), exception.get::<String>()), (why.as_str(), None));
    assert_eq!(exception.shortened().collect::<Vec<_>>(), ["value"]);
    assert!(format!("{error:?}").contains("shortened to fit the message limit: value"));
    let lab = LabProxy::new().message_limit(1000).await.expect("a daemon can be made");
    let error = lab.panic_at_length(5_000_000).await.expect_err("it panics");
    let exception = error.exception().expect("it has an exception");
    assert!(exception.is_panic() && exception.message().starts_with("ppp"), "{error}");
    assert!(
        exception.message().ends_with(" bytes more)") && exception.message().len() > 1000,
        "{error}"
    );
    assert_eq!(lab.bytes(900).await.expect("it is usable").len(), 900);
}

#[tokio::test]
async fn cancelled_call_does_not_consume_the_object() {
    let lab = lab().await;
    let busy = tokio::spawn(lab.note("busy".into(), millis(300)));
    tokio::task::yield_now().await;
    let error =
        lab.clone().consume(String::new()).timeout(millis(50)).await.expect_err("it waits longer");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    busy.await.expect("it does not panic").expect("it returns");
    assert_eq!(lab.echo(Value::Int(1)).await.expect("it is there"), Value::Int(1));
    assert_eq!(lab.clone().consume("12".into()).await.expect("it returns"), 3);
    assert_eq!(lab.log().await.expect_err("it has ended").kind(), ErrorKind::NoSuchObject);
}

#[test]
fn timeout_needs_neither_the_callers_runtime_nor_that_of_the_connection() {
    let idle =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let lab = idle.block_on(lab());
    let start = Instant::now();
    let error = futures_executor::block_on(lab.block(SECOND * 60).timeout(millis(100)))
        .expect_err("nobody drives it");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(start.elapsed() < SECOND * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn hundreds_of_blocked_calls_do_not_delay_other_objects() {
    let lab = lab().await;
    let other =
        LabProxy::new().within(lab.daemon()).await.expect("the daemon takes a second object");
    let blocked: Vec<_> = (0..600).map(|_| tokio::spawn(lab.block(SECOND * 60))).collect();
    until_it_answers(&lab).await;
    for n in 0..100 {
        assert_eq!(
            other.echo(Value::Int(n)).timeout(SECOND * 5).await.expect("it answers"),
            Value::Int(n)
        );
    }
    let ended = lab.shutdown().await.expect("it ends");
    assert_eq!((ended.calls(), ended.abandoned()), (Some(600), Some(600)), "{ended}");
    drop(blocked);
}

#[tokio::test]
async fn sync_method_may_block_on_a_future() {
    let lab = lab().await;
    assert_eq!(lab.block_on_a_future(millis(20)).await.expect("it returns"), 7);
}

#[tokio::test]
async fn timeout_holds_while_a_large_response_arrives() {
    let lab = lab().await;
    for _ in 0..3 {
        let start = Instant::now();
        let error = lab.bytes(200 << 20).timeout(millis(60)).await.expect_err("it takes longer");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(start.elapsed() < SECOND * 2, "{:?}", start.elapsed());
    }
    assert_eq!(lab.bytes(300_000).await.expect("it answers").len(), 300_000);
}
