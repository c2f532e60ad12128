//! Many streams at once, and the limits that they share.

use super::*;

#[tokio::test]
async fn large_items_go_beside_small_calls() {
    let library = library().await;
    let mut parts = library.large(20, 3_000_000).window(2).await.expect("it opens");
    let mut count = 0;
    while let Some(part) = parts.next().await {
        let part = part.expect("it comes");
        assert!(part.len() == 3_000_000 && part.iter().all(|byte| *byte == count));
        count += 1;
        library.made().await.expect("it answers meanwhile");
    }
    assert_eq!(count, 20);
    let sizes = [10, 3_000_000, 20, 200_000, 0];
    let parts = Stream::iter(sizes.map(|size| oad::value::Bytes::from(vec![1; size])));
    assert_eq!(library.sizes(parts).await.expect("it answers"), sizes);
}

#[tokio::test]
async fn item_beyond_the_limit_fails_its_stream_and_no_other() {
    let library = LibraryProxy::new().message_limit(1 << 20).await.expect("a daemon can be made");
    let mut fine = library.endless().await.expect("it opens");
    let error = all_or_error(library.large(3, 1 << 20).await).await.expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let parts = Stream::iter([oad::value::Bytes::from(vec![1; 1 << 20])]);
    let error = library.sizes(parts).await.expect_err("it is too large");
    assert!(error.to_string().contains("the limit is 1048576"), "{error}");
    fine.next().await.expect("there are more").expect("it comes");
}

#[tokio::test]
async fn many_streams_at_once_do_not_mix() {
    let library = library().await;
    let gate = Arc::new(Notify::new());
    let readers: Vec<_> = (0..100)
        .map(|_| {
            let (library, gate) = (library.clone(), gate.clone());
            tokio::spawn(async move {
                let mut numbers = library.endless().await.expect("it opens");
                gate.notified().await;
                for expected in 1..=300 {
                    assert_eq!(
                        numbers.next().await.expect("there are more").expect("it comes"),
                        expected
                    );
                }
            })
        })
        .collect();
    until(async || library.made().await.expect("it answers") == 6400).await;
    gate.notify_waiters();
    for reader in readers {
        reader.await.expect("its items are its own");
    }
    until(async || library.dropped().await.expect("it answers") == 100).await;
}

#[tokio::test]
async fn iterators_that_wait_do_not_hold_up_others() {
    let library = library().await;
    let mut gated = Vec::new();
    for _ in 0..100 {
        gated.push(library.gated().timeout(Duration::from_secs(60)).await.expect("it opens"));
    }
    until(async || library.waiting_at_gate().await.expect("it answers") == 100).await;
    let lines = library.lines().timeout(Duration::from_secs(10)).await;
    assert_eq!(all(lines).await, ["one", "two", "three"]);
    library.open_gate().await.expect("it answers");
    for stream in gated {
        assert_eq!(all(Ok(stream)).await, [1]);
    }
}

#[tokio::test]
async fn streams_are_read_in_sync_code_wherever_it_runs() {
    let mut inner = Stream::iter([1u64, 2, 3]);
    let mut next = move || inner.blocking_next()?.ok();
    let mut outer = Stream::new(stream::poll_fn(move |_| std::task::Poll::Ready(next())));
    assert_eq!(outer.blocking_next().expect("there is one").expect("it comes"), 1);
}

#[tokio::test]
async fn stream_that_is_always_ready_goes_out_however_large_the_window() {
    let library = library().await;
    let ready = library
        .always_ready()
        .window(u32::MAX)
        .timeout(Duration::from_secs(10))
        .await
        .expect("it opens");
    assert!(ready.take(1000).all(async |item| item.is_ok()).await);
    library.made().await.expect("it answers");
}

#[tokio::test]
async fn objects_in_items_that_nobody_reads_are_released() {
    let library = library().await;
    let left = async || library.daemon().objects().await.expect("it answers").len();
    for _ in 0..50 {
        let mut call = Box::pin(library.words());
        assert!(futures_util::poll!(call.as_mut()).is_pending());
        // The stream and its items come before this answer, or soon after.
        until(async || library.made().await.is_ok() && left().await == 4).await;
        library.made().await.expect("it answers");
        drop(call);
        until(async || left().await == 1).await;
    }
    let words = library.words().await.expect("it opens");
    assert_eq!(library.lengths(words).await.expect("they are there"), [3, 3, 5]);
    until(async || left().await == 1).await;
}

#[tokio::test]
async fn small_items_pass_a_small_limit() {
    let library =
        LibraryProxy::new().in_process().message_limit(1000).await.expect("a daemon can be made");
    let large = library
        .large(100, 300)
        .await
        .expect("it opens")
        .collect::<Vec<_>>()
        .await
        .expect("each is small");
    assert_eq!(large.len(), 100);
    let parts = Stream::iter((0..100).map(|_| oad::value::Bytes::from(vec![0; 300])));
    assert_eq!(library.sizes(parts).await.expect("each is small"), [300; 100]);
}
