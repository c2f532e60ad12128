//! The service in a daemon, and its end.

use super::*;

oad::test_daemon!(add);

fn request(name: &str, times: u32) -> GreetRequest {
    GreetRequest { name: name.to_owned(), times }
}

#[tokio::test]
async fn generated_client_calls_the_service_in_the_daemon() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let mut greeter = GreeterClient::new(daemon.channel());
    let greeting = greeter.greet(request("you", 0)).await.expect("it answers").into_inner();
    assert_eq!((greeting.greeting.as_str(), greeting.pid), ("hello, you!", daemon.pid()));
    let greetings = greeter.greet_often(request("you", 5)).await.expect("it answers").into_inner();
    assert_eq!(greetings.collect::<Vec<_>>().await.len(), 5);
}

#[tokio::test]
async fn channel_keeps_the_daemon_alive_and_ends_it_when_dropped() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let closed = daemon.closed();
    let mut greeter = GreeterClient::new(daemon.channel());
    drop(daemon);
    greeter.greet(request("you", 0)).await.expect("the daemon lives");
    drop(greeter);
    assert!(closed.await.expect("it was asked to end").is_clean());
}

#[tokio::test]
async fn death_is_told_in_the_status() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let status = GreeterClient::new(daemon.channel())
        .greet(request("nobody", 0))
        .await
        .expect_err("it dies");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    let expected = format!(
        "daemon {} (no object): the daemon's process died: exited with code 3",
        daemon.pid()
    );
    assert_eq!(status.message(), expected);
    let status = GreeterClient::new(daemon.channel())
        .greet(request("you", 0))
        .await
        .expect_err("it is dead");
    assert_eq!((status.code(), status.message()), (tonic::Code::Unavailable, expected.as_str()));
}

#[tokio::test]
async fn health_knows_the_service() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let check = HealthCheckRequest { service: "greeter.v1.Greeter".to_owned() };
    let health =
        HealthClient::new(daemon.channel()).check(check).await.expect("it is known").into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn metadata_and_messages_of_errors_may_be_long() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let long = "x".repeat(40_000);
    let mut request = tonic::Request::new(request(&long, 0));
    request.metadata_mut().insert("note", long.parse().expect("it is ASCII"));
    let status =
        GreeterClient::new(daemon.channel()).greet(request).await.expect_err("it is refused");
    let expected = (tonic::Code::InvalidArgument, format!("`{long}` is too long"));
    assert_eq!((status.code(), status.message().to_owned()), expected);
}

/// Notes the spans that are opened, with their fields.
#[derive(Clone, Default)]
struct Spans(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Spans {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        _: &tracing::span::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut said = attributes.metadata().name().to_owned();
        attributes.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            said += &format!(" {field}={value:?}");
        });
        self.0.lock().expect("nobody panics with it").push(said);
    }
}

#[tokio::test]
async fn each_call_of_a_generated_client_is_a_span() {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let spans = Spans::default();
    let subscribed = tracing_subscriber::registry().with(spans.clone()).set_default();
    GreeterClient::new(daemon.channel()).greet(request("you", 0)).await.expect("it answers");
    drop(subscribed);
    let expected = format!("call daemon={} rpc=\"/greeter.v1.Greeter/Greet\"", daemon.pid());
    let spans = spans.0.lock().expect("nobody panics with it");
    assert!(spans.contains(&expected), "{spans:?}");
}
