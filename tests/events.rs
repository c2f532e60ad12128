//! The life of a daemon as `tracing` events, and its output.

use oad::Remote as _;
use support::lab::LabProxy;
use support::log_capture::LogCapture;
use tracing::instrument::WithSubscriber as _;

mod support;

oad::test_daemon!();

#[tokio::test]
async fn life_is_told_with_the_pid() {
    let told = LogCapture::default();
    let pid = async {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        lab.shutdown().await.expect("it ends");
        lab.pid()
    };
    let pid = pid.with_subscriber(told.subscriber()).await;
    let lines = told.lines();
    let executable = std::env::current_exe().expect("it has a path");
    let expected = [
        format!(
            " INFO oad::daemon: started pid={pid} name=\"Lab\" executable={}",
            executable.display()
        ),
        format!(" INFO oad::daemon: asked to exit pid={pid} name=\"Lab\""),
        format!(" INFO oad::daemon: terminating pid={pid} name=\"Lab\""),
        format!(" INFO oad::daemon: gone pid={pid} name=\"Lab\" status=\"exited with code 0\""),
    ];
    let life: Vec<&String> = lines.iter().filter(|line| !line.contains("oad::output")).collect();
    assert_eq!(life, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn death_is_told_as_a_warning() {
    let told = LogCapture::default();
    let pid = async {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        lab.abort().await.expect_err("it aborts");
        // Not only the death: until it is all told.
        lab.shutdown().await.expect_err("it died");
        lab.pid()
    };
    let pid = pid.with_subscriber(told.subscriber()).await;
    let last = told.lines().pop().expect("something was told");
    let expected = format!(
        " WARN oad::daemon: exited unexpectedly pid={pid} name=\"Lab\" status=\"killed by signal \
         6 (SIGABRT)"
    );
    assert!(last.starts_with(&expected), "{last}");
}

#[tokio::test]
async fn output_is_told_line_by_line_escaped_and_stays_off_our_own() {
    let told = LogCapture::default();
    let pid = async {
        let lab = LabProxy::new().await.expect("a daemon can be made");
        lab.print("one\n\x1b[31mtwo").await.expect("it prints");
        lab.shutdown().await.expect("it ends");
        lab.pid()
    };
    let pid = pid.with_subscriber(told.subscriber()).await;
    let lines = told.lines();
    for (level, stream) in [(" INFO", "stdout"), (" WARN", "stderr")] {
        for text in ["one", "\\u{1b}[31mtwo"] {
            let expected =
                format!("{level} oad::output: {text} pid={pid} daemon={pid} stream=\"{stream}\"");
            assert!(lines.contains(&expected), "{expected} is not in {lines:#?}");
        }
    }
}
