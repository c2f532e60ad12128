//! When the objects that methods return are released.

use std::time::Duration;

use oad::{ErrorKind, Remote as _, Stream};

use crate::{BankProxy, MeterProxy, bank, living, until_living};

#[tokio::test]
async fn object_is_dropped_with_its_last_proxy_and_last_shared() {
    let bank = bank().await;
    let temporary = bank.temporary().await.expect("it answers");
    let twin = temporary.clone();
    assert_eq!(living(&bank).await, 2);
    drop(temporary);
    assert_eq!(twin.deposit(1).await.expect("it lives"), 1);
    bank.keep(Some(twin.clone())).await.expect("it answers");
    drop(twin);
    // The handle is released; the bank still holds the object.
    until_living(&bank, 1).await;
    bank.keep(None).await.expect("it answers");
}

#[tokio::test]
async fn ten_thousand_handles_leave_an_empty_table() {
    let bank = bank().await;
    bank.open("Ada").await.expect("it opens");
    let mut proxies = Vec::new();
    for _ in 0..10_000 {
        proxies.push(bank.temporary().await.expect("it answers"));
    }
    assert_eq!(living(&bank).await, 10_001);
    drop(proxies);
    until_living(&bank, 1).await;
    // One object many times, in one large response.
    let many = bank.wide(10_000).await.expect("it answers");
    assert_eq!((many.len(), living(&bank).await), (10_000, 2));
    drop(many);
    until_living(&bank, 1).await;
}

#[tokio::test]
async fn unread_responses_leave_no_objects() {
    let bank = bank().await;
    bank.open("Ada").await.expect("it opens");
    for _ in 0..50 {
        let call = bank.slowly().timeout(Duration::from_millis(50));
        // Either the response or the timeout may come first.
        drop(call.await);
        let mut call = Box::pin(bank.wide(5000));
        let polled = futures_util::poll!(call.as_mut());
        assert!(polled.is_pending(), "{polled:?}");
        tokio::task::yield_now().await;
        drop(call);
    }
    until_living(&bank, 1).await;
    // A value that the caller keeps for a while, and results of the wrong type.
    let value: oad::Value = bank.as_proxy().call("temporary", ()).await.expect("it answers");
    assert!(matches!(value, oad::Value::Handle(_)));
    assert_eq!(living(&bank).await, 2, "the value keeps it");
    drop(value);
    let error = bank.as_proxy().call::<String>("temporary", ()).await.expect_err("it is not text");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let error =
        bank.as_proxy().call::<MeterProxy>("temporary", ()).await.expect_err("it is not a meter");
    assert!(
        error.to_string().ends_with("the object is a `shared::Account`, not a `shared::Meter`"),
        "{error}"
    );
    assert_eq!(bank.fails_with_one().await.expect_err("it is too deep").kind(), ErrorKind::TooDeep);
    until_living(&bank, 1).await;
}

#[tokio::test]
async fn objects_in_sent_items_belong_to_the_caller() {
    let bank = BankProxy::new()
        .in_process()
        .message_limit(1024 * 1024)
        .await
        .expect("a daemon can be made");
    let mut items = bank.account_and_blob(2 * 1024 * 1024).await.expect("it opens");
    let (account, _) = items.next().await.expect("there is one").expect("it comes");
    let error = items.next().await.expect("the failure").expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(account.expect("it has the right type").deposit(1).await.expect("it lives"), 1);
    until_living(&bank, 1).await;
    let mut items = bank.account_too_deep().await.expect("it opens");
    assert_eq!(
        items.next().await.expect("the failure").expect_err("it is too deep").kind(),
        ErrorKind::TooDeep
    );
    until_living(&bank, 1).await;
}

#[tokio::test]
async fn objects_from_a_cancelled_stream_are_released() {
    let bank = bank().await;
    for turn in 0..50 {
        let mut items = bank.account_and_blob(1024 * 1024).await.expect("it opens");
        if turn % 2 == 0 {
            drop(items.next().await);
        }
        drop(items);
    }
    until_living(&bank, 1).await;
    let mut call = Box::pin(bank.keep_stream(Stream::new(futures_util::stream::pending())));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    drop(call);
    until_living(&bank, 1).await;
}
