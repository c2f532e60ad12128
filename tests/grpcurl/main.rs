//! A user at a terminal: the real grpcurl against a live daemon, and misbehaving clients.

use std::time::Duration;

use oad::Remote as _;
use serde_json::{Value, json};
use support::grpcurl::Grpcurl;

#[path = "../support/mod.rs"]
mod support;

mod clients;

oad::test_daemon!();

/// Keeps a running total.
struct Tally {
    total: i64,
}

/// Keeps a tally.
#[oad::object]
impl Tally {
    /// Starts at `start`.
    fn new(start: i64) -> Self {
        Tally { total: start }
    }

    /// Adds `n` and returns the total.
    fn add(&mut self, n: i64, label: Option<String>) -> (i64, Option<String>) {
        tracing::info!(n, label, "adding");
        tracing::debug!("in detail");
        self.total += n;
        (self.total, label)
    }

    /// Blocks, and cannot be stopped.
    fn nap(&self, seconds: u64) {
        std::thread::sleep(Duration::from_secs(seconds));
    }

    /// Consumes the tally.
    fn finish(self, n: i64) -> i64 {
        self.total + n
    }

    fn fail(&self) -> Result<(), std::num::ParseIntError> {
        "x".parse::<i64>().map(drop)
    }
}

/// Something with a weight.
#[oad::object]
trait Weigh {
    fn weigh(&self) -> u32;
}

struct Stone(u32);

#[oad::object]
impl Stone {
    fn new(weight: u32) -> Self {
        Stone(weight)
    }

    /// Shadows the interface's method.
    fn weigh(&self) -> String {
        format!("{} kg", self.0)
    }
}

#[oad::object]
impl Weigh for Stone {
    fn weigh(&self) -> u32 {
        self.0
    }
}

#[tokio::test]
async fn printed_command_line_lists_describes_and_calls() {
    let on_socket = TallyProxy::new(1).await.expect("a daemon can be made");
    let on_port = TallyProxy::new(1).localhost().await.expect("a daemon can be made");
    for tally in [on_socket, on_port] {
        let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
        let list = grpcurl.run(&[], &["list"]).await.expect("it lists");
        assert!(list.lines().any(|line| line == "oad.v1.Objects"), "{list}");
        let description =
            grpcurl.run(&[], &["oad.v1.Objects/Describe"]).await.expect("it describes");
        assert!(description.contains("Keeps a tally."), "{description}");
        let health = grpcurl.run(&[], &["grpc.health.v1.Health/Check"]).await.expect("it answers");
        assert!(health.contains("SERVING"), "{health}");
        let answer =
            grpcurl.method(&Value::Null, "add", json!([{"int": 2}, {"text": "two"}])).await;
        assert_eq!(answer.expect("it answers")["tuple"]["values"][0], json!({"int": "3"}));
    }
}

#[tokio::test]
async fn error_without_the_token_says_where_to_get_it() {
    let tally = TallyProxy::new(1).localhost().await.expect("a daemon can be made");
    let bare = format!("grpcurl -plaintext {}", tally.daemon().endpoint());
    let wrong =
        format!("grpcurl -plaintext -H 'authorization: Bearer 00' {}", tally.daemon().endpoint());
    for line in [bare, wrong] {
        let Some(grpcurl) = Grpcurl::with_command_line(line) else { return };
        for after in ["list", "oad.v1.Objects/Describe", "grpc.health.v1.Health/Check"] {
            let error = grpcurl.run(&[], &[after]).await.expect_err("it is refused");
            assert!(
                error.contains("`Daemon::grpcurl` in the parent returns a command line"),
                "{error}"
            );
        }
    }
    assert_eq!(tally.add(1, None).await.expect("it answers"), (2, None));
}

#[tokio::test]
async fn user_inspects_a_daemon_calls_it_and_shuts_it_down() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };

    let list = grpcurl.run(&[], &["list"]).await.expect("it lists");
    for service in [
        "oad.v1.Objects",
        "oad.v1.Control",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ] {
        assert!(list.lines().any(|line| line == service), "{service} is not in\n{list}");
    }
    let description =
        grpcurl.run(&[], &["describe", "oad.v1.Objects"]).await.expect("it describes");
    assert!(
        description.contains("rpc Call ( .oad.v1.CallRequest ) returns ( .oad.v1.CallResponse );"),
        "{description}"
    );
    assert!(description.contains("rpc Session ( stream"), "{description}");

    let health = grpcurl.call("grpc.health.v1.Health/Check", json!({})).await;
    assert_eq!(health, Ok(json!({"status": "SERVING"})));
    let health =
        grpcurl.call("grpc.health.v1.Health/Check", json!({"service": "oad.v1.Objects"})).await;
    assert_eq!(health, Ok(json!({"status": "SERVING"})));

    // What a user would type: the root object needs no handle, and an integer is a
    // number.
    let answer = grpcurl.call(
        "oad.v1.Objects/Call",
        json!({"method": "add", "arguments": [{"int": 2}, {"text": "two"}]}),
    );
    let expected = json!({"value": {"tuple": {"values": [{"int": "3"}, {"text": "two"}]}}});
    assert_eq!(answer.await, Ok(expected));
    assert_eq!(tally.add(1, None).await.expect("it answers"), (4, None));

    let definition = json!({"type": "Tally", "constructor": "new"});
    let made = grpcurl.call(
        "oad.v1.Objects/Create",
        json!({"definition": definition, "keywords": {"start": {"int": 40}}}),
    );
    let handle = made.await.expect("it is made")["handle"].clone();
    assert_eq!(handle["daemon"], tally.daemon().id().to_string());
    let keywords = json!({"n": {"int": 2}, "label": {"null": {}}});
    let call = json!({"handle": {"id": handle["id"]}, "method": "add", "keywords": keywords});
    let answer = grpcurl.call("oad.v1.Objects/Call", call).await.expect("it answers");
    assert_eq!(answer["value"]["tuple"]["values"][0], json!({"int": "42"}));

    let info = grpcurl.call("oad.v1.Control/Info", json!({})).await.expect("it answers");
    assert_eq!(
        (&info["pid"], &info["parentPid"]),
        (&json!(tally.pid()), &json!(std::process::id()))
    );
    let objects: Vec<(&Value, &Value)> = info["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|object| (&object["type"], &object["root"]))
        .collect();
    assert_eq!(
        objects,
        [(&json!("grpcurl::Tally"), &json!(true)), (&json!("grpcurl::Tally"), &Value::Null)]
    );

    grpcurl
        .call("oad.v1.Objects/Release", json!({"handle": handle}))
        .await
        .expect("it is released");
    let stale = grpcurl
        .call("oad.v1.Objects/Describe", json!({"handle": handle}))
        .await
        .expect_err("it is gone");
    assert!(
        stale.contains("NotFound") && stale.contains("the daemon has no object with this handle"),
        "{stale}"
    );

    let pid = tally.pid();
    assert_eq!(grpcurl.call("oad.v1.Control/Shutdown", json!({})).await, Ok(json!({})));
    support::wait_until_gone(pid, Duration::from_secs(1));
    let error = tally.add(1, None).await.expect_err("it is gone");
    assert_eq!(error.kind(), oad::ErrorKind::Closed, "{error}");
    assert!(tally.shutdown().await.expect("it was asked to").is_clean());
}

#[tokio::test]
async fn user_reads_descriptions_and_errors() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };

    let description =
        grpcurl.call("oad.v1.Objects/Describe", json!({})).await.expect("it describes");
    assert_eq!(description["type"], "grpcurl::Tally");
    assert_eq!(description["documentation"], "Keeps a tally.");
    let expected = json!({
        "name": "add",
        "documentation": "Adds `n` and returns the total.",
        "parameters": [{"name": "n", "type": "i64"}, {"name": "label", "type": "Option<String>"}],
        "returns": "(i64, Option<String>)",
        "receiver": "RECEIVER_EXCLUSIVE",
        "signature": "fn add(&mut self, n: i64, label: Option<String>) -> (i64, Option<String>)",
    });
    assert_eq!(description["methods"][0], expected);

    let answer = grpcurl
        .call("oad.v1.Objects/Call", json!({"method": "fail"}))
        .await
        .expect("an exception is an answer");
    assert_eq!(answer["exception"]["type"], "core::num::error::ParseIntError");
    assert_eq!(answer["exception"]["message"], "invalid digit found in string");

    for (body, code, message) in [
        (
            json!({"method": "ad"}),
            "Unimplemented",
            "`grpcurl::Tally` has no method `ad`; its methods are: add, nap, finish, fail",
        ),
        (
            json!({"method": "add"}),
            "InvalidArgument",
            "`add` takes 2 arguments (n: i64, label: Option<String>), but 0 were given",
        ),
        (
            json!({"method": "add", "arguments": [{"text": "2"}, {"null": {}}]}),
            "InvalidArgument",
            "invalid argument `n: i64`: expected an integer from \
             -9223372036854775808 to 9223372036854775807, found text",
        ),
        (
            json!({"handle": {"id": 99}, "method": "add"}),
            "NotFound",
            "the daemon has no object with this handle",
        ),
        (
            json!({"method": "add", "arguments": [{}, {}]}),
            "InvalidArgument",
            "a value has no field set",
        ),
    ] {
        let error =
            grpcurl.call("oad.v1.Objects/Call", body.clone()).await.expect_err("it is refused");
        assert!(error.contains(code) && error.contains(message), "{body}: {error}");
    }
    let unknown = json!({"definition": {"type": "Nope", "constructor": "new"}});
    let error = grpcurl.call("oad.v1.Objects/Create", unknown).await.expect_err("there is none");
    assert!(error.contains("the daemon's program has no object type `Nope`"), "{error}");
}

#[tokio::test]
async fn interface_is_required_and_its_method_called_by_the_qualified_name() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(&daemon) else { return };
    let create = |name: &str, interface: &str| {
        let definition = json!({"type": name, "constructor": "new", "interface": interface});
        let body = json!({"definition": definition, "arguments": [{"int": 7}]});
        let grpcurl = &grpcurl;
        async move { grpcurl.call("oad.v1.Objects/Create", body).await }
    };
    let error = create("Tally", "Weigh").await.expect_err("it does not implement it");
    let expected = "`grpcurl::Tally` does not implement the interface `grpcurl::Weigh`; \
                    types that implement it: grpcurl::Stone";
    assert!(error.contains("Unimplemented") && error.contains(expected), "{error}");
    let error = create("Stone", "Float").await.expect_err("there is none");
    assert!(
        error.contains("no type in the daemon's program implements an interface `Float`"),
        "{error}"
    );
    create("Stone", "grpcurl::Weigh").await.expect("it implements it");

    let description =
        grpcurl.call("oad.v1.Objects/Describe", json!({})).await.expect("it describes");
    assert_eq!(description["interfaces"], json!(["grpcurl::Weigh"]));
    let methods = description["methods"].as_array().expect("a list");
    let names: Vec<&Value> = methods.iter().map(|method| &method["name"]).collect();
    assert_eq!(names, ["weigh", "Weigh::weigh"]);
    for (method, expected) in [
        ("weigh", json!({"text": "7 kg"})),
        ("Weigh::weigh", json!({"int": "7"})),
        ("grpcurl::Weigh::weigh", json!({"int": "7"})),
    ] {
        let answer = grpcurl
            .call("oad.v1.Objects/Call", json!({"method": method}))
            .await
            .expect("it answers");
        assert_eq!(answer["value"], expected, "{method}");
    }
}

#[tokio::test]
async fn bad_arguments_do_not_consume_the_object() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    for arguments in [json!([]), json!([{"text": "not a number"}])] {
        let call = grpcurl
            .call("oad.v1.Objects/Call", json!({"method": "finish", "arguments": arguments}))
            .await;
        assert!(call.expect_err("it is refused").contains("InvalidArgument"));
    }
    let call = json!({"method": "finish", "arguments": [{"int": 2}]});
    let answer = grpcurl.call("oad.v1.Objects/Call", call).await;
    assert_eq!(answer, Ok(json!({"value": {"int": "3"}})));
    let gone = grpcurl
        .call("oad.v1.Objects/Call", json!({"method": "fail"}))
        .await
        .expect_err("it has ended");
    assert!(gone.contains("NotFound"), "{gone}");
}

#[tokio::test]
async fn timeout_of_a_request_holds_for_a_sync_method_too() {
    let tally =
        TallyProxy::new(1).grace(Duration::from_millis(100)).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    let start = std::time::Instant::now();
    let nap = json!({"method": "nap", "arguments": [{"int": 600}], "timeout": "0.2s"});
    let error = grpcurl.call("oad.v1.Objects/Call", nap).await.expect_err("it takes longer");
    assert!(error.contains("DeadlineExceeded") && error.contains("within 200ms"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn logs_stream_the_events_until_the_daemon_ends() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    let following = async { grpcurl.call("oad.v1.Control/Logs", json!({})).await };
    let logging = async {
        // The subscriber may not be connected yet.
        for _ in 0..100 {
            tally.add(2, Some("two".to_owned())).await.expect("it answers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tally.shutdown().await.expect("it ends")
    };
    let (event, ended) = tokio::join!(following, logging);
    let event = event.expect("the stream ends with the daemon");
    let expected = json!({
        "level": "LOG_LEVEL_INFO",
        "target": "grpcurl",
        "message": "adding",
        "fields": {"n": "2", "label": "two"},
    });
    assert_eq!(event, expected);
    assert!(ended.is_clean(), "{ended}");
}

#[tokio::test]
async fn half_closed_session_still_gets_its_response() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    let call = json!({"method": "add", "arguments": [{"int": 2}, {"null": {}}]});
    let answer = grpcurl
        .call("oad.v1.Objects/Session", json!({"id": 7, "call": call}))
        .await
        .expect("it answers");
    assert_eq!(answer["id"], "7");
    assert_eq!(answer["call"]["value"]["tuple"]["values"][0], json!({"int": "3"}));
}

#[tokio::test]
async fn values_deeper_than_the_limit_are_refused_from_anybody() {
    let tally = TallyProxy::new(1).depth_limit(3).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    let deep = (0..4).fold(json!({"null": {}}), |value, _| json!({"list": {"values": [value]}}));
    let call = grpcurl
        .call("oad.v1.Objects/Call", json!({"method": "add", "arguments": [deep, {"null": {}}]}))
        .await;
    let error = call.expect_err("it is refused");
    assert!(
        error.contains("ResourceExhausted") && error.contains("deeper than 3 levels"),
        "{error}"
    );
}
