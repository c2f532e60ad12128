//! An integration test of a crate that uses oad.

mod deep {
    mod deeper {
        oad::test_daemon!();
    }
}

use oad::Remote as _;
use user_crate::{Stack, StackProxy};

#[tokio::test(flavor = "multi_thread")]
async fn integration_test_makes_a_daemon_of_another_crates_object() {
    let stack = StackProxy::spawn(Stack::default()).await.expect("a daemon can be made");
    assert_ne!(stack.pid(), std::process::id());
    stack.push("b").await.expect("it answers");
    assert_eq!(stack.pop().await.expect("it answers").as_deref(), Some("b"));
    assert!(stack.shutdown().await.expect("it ends").is_clean());
}
