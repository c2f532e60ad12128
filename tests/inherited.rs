//! A daemon's environment in the hands of the programs that its object starts.

use oad::Value;
use support::lab::LabProxy;
use support::{PART, say};

mod support;

oad::test_daemon!();

#[tokio::test]
async fn marker_inherited_by_a_grandchild_changes_nothing_for_it() {
    let lab = LabProxy::new().await.expect("a daemon can be made");
    let this = std::env::current_exe().expect("it has a path");
    let arguments = ["grandchild", "--exact", "--nocapture"].map(str::to_owned);
    let environment = vec![(PART.to_owned(), "grandchild".to_owned())];
    let this = this.to_str().expect("it is UTF-8").to_owned();
    let printed = lab.run(&this, &arguments, environment).await.expect("it runs");
    assert!(printed.contains("say: marked and free"), "{printed}");
}

/// Calls `init`, which must return, and then makes a daemon of its own.
#[test]
fn grandchild() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    assert!(std::env::var_os("OAD_DAEMON").is_some(), "the marker is inherited");
    oad::init();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        assert_eq!(lab.echo(Value::Int(1)).await.expect("it answers"), Value::Int(1));
    });
    say("marked and free");
}
