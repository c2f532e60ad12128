//! Streams that the caller sends.

use super::*;

#[tokio::test]
async fn method_takes_a_stream() {
    let library = library().await;
    assert_eq!(library.sum(Stream::iter(0..10_000)).await.expect("it answers"), 49_995_000);
    assert_eq!(
        library.blocking_sum(Stream::new(stream::iter(0..1000))).await.expect("it answers"),
        499_500
    );
    assert_eq!(library.sum(Stream::iter([])).await.expect("it answers"), 0);
    let doubled = library.doubled(Stream::iter(1..=500)).await;
    assert_eq!(all(doubled).await, (1..=500).map(|number| number * 2).collect::<Vec<u64>>());
    let merged = all(library.merge(Stream::iter(0..300), Stream::iter(1000..)).await).await;
    assert_eq!((merged.len(), merged[299]), (300, (299, 1299)));
    let sum: u64 =
        library.as_proxy().call("sum", (Stream::iter([1u64, 2]),)).await.expect("it answers");
    assert_eq!(sum, 3);
}

#[tokio::test]
async fn producer_of_an_upload_waits_and_ends_with_the_call() {
    let library = library().await;
    let (made, dropped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counted =
        || Stream::iter(Counted { next: 0, made: made.clone(), dropped: dropped.clone() });
    // The method takes one, and drops the rest.
    assert_eq!(library.first_of(counted()).await.expect("it answers"), Some(1));
    until(async || dropped.load(Ordering::SeqCst) == 1).await;
    assert!(made.load(Ordering::SeqCst) <= 64 + 1, "{made:?}");
    // The call is dropped.
    let mut endless = Box::pin(library.sum(counted()));
    assert!(futures_util::poll!(endless.as_mut()).is_pending());
    until(async || {
        made.load(Ordering::SeqCst) > 200 || futures_util::poll!(endless.as_mut()).is_ready()
    })
    .await;
    drop(endless);
    until(async || dropped.load(Ordering::SeqCst) == 2).await;
    // The stream is kept beyond the call.
    library.store(counted()).await.expect("it answers");
    let error = loop {
        match library.stored().await {
            Ok(Some(_)) => {}
            other => break other.expect_err("it ends with its call"),
        }
    };
    assert!(error.to_string().contains("the call that received the stream has ended"), "{error}");
    until(async || dropped.load(Ordering::SeqCst) == 3).await;
}

#[tokio::test]
async fn failing_producer_is_told() {
    let library = library().await;
    let panics =
        Stream::iter((0..10u64).map(|number| if number == 5 { panic!("here") } else { number }));
    let error = library.sum(panics).await.expect_err("the caller's iterator panicked");
    assert!(error.to_string().contains("the caller's iterator panicked"), "{error}");
    let panics = Stream::new(
        stream::iter(0..10u64).map(|number| if number == 5 { panic!("here") } else { number }),
    );
    let error = library.sum(panics).await.expect_err("the caller's stream panicked");
    assert!(error.to_string().contains("the caller's stream panicked"), "{error}");
    let stream = Stream::iter([1u64]);
    let twice = library
        .as_proxy()
        .call::<u64>("merge", (&stream, &stream))
        .await
        .expect_err("it is one stream");
    assert!(twice.to_string().contains("the stream was passed to a call already"), "{twice}");
    assert!(serde_json::to_value(Stream::iter([1])).is_err());
}
