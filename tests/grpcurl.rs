//! A person at a terminal: the real grpcurl and a live daemon, and clients that are
//! worse.

use std::path::PathBuf;
use std::time::Duration;

use oad::Remote as _;
use serde_json::{Value, json};
use support::grpcurl::Grpcurl;

mod support;

oad::test_daemon!();

/// Counts what it is told.
struct Tally {
    total: i64,
}

/// Keeps a tally.
#[oad::object]
impl Tally {
    /// Starts somewhere.
    fn new(start: i64) -> Self {
        Tally { total: start }
    }

    /// Adds, and gives the total.
    fn add(&mut self, n: i64, label: Option<String>) -> (i64, Option<String>) {
        tracing::info!(n, label, "adding");
        tracing::debug!("in detail");
        self.total += n;
        (self.total, label)
    }

    /// Takes its time, and nobody can stop it.
    fn nap(&self, seconds: u64) {
        std::thread::sleep(Duration::from_secs(seconds));
    }

    /// Ends it.
    fn finish(self, n: i64) -> i64 {
        self.total + n
    }

    fn fail(&self) -> Result<(), std::num::ParseIntError> {
        "x".parse::<i64>().map(drop)
    }
}

/// What can be weighed.
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

    /// Its own, which hides the interface's.
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

fn socket(proxy: &impl oad::Remote) -> PathBuf {
    proxy.daemon().socket().expect("it listens at one").to_owned()
}

#[tokio::test]
async fn line_that_a_daemon_prints_lists_describes_and_calls() {
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
async fn person_without_the_token_is_told_where_it_is_to_be_had() {
    let tally = TallyProxy::new(1).localhost().await.expect("a daemon can be made");
    let bare = format!("grpcurl -plaintext {}", tally.daemon().endpoint());
    let wrong =
        format!("grpcurl -plaintext -H 'authorization: Bearer 00' {}", tally.daemon().endpoint());
    for line in [bare, wrong] {
        let Some(grpcurl) = Grpcurl::by(line) else { return };
        for after in ["list", "oad.v1.Objects/Describe", "grpc.health.v1.Health/Check"] {
            let error = grpcurl.run(&[], &[after]).await.expect_err("it is refused");
            assert!(error.contains("`Daemon::grpcurl` prints a command line with it"), "{error}");
        }
    }
    assert_eq!(tally.add(1, None).await.expect("it answers"), (2, None));
}

#[tokio::test]
async fn person_looks_at_a_daemon_calls_it_and_ends_it() {
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

    // What a person would type: the root object needs no name, an integer is a number.
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

    let info = grpcurl.call("oad.v1.Control/Info", json!({})).await.expect("it tells");
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
        stale.contains("NotFound") && stale.contains("the daemon holds no object of this handle"),
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
async fn person_reads_what_an_object_can_do_and_what_went_wrong() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };

    let description =
        grpcurl.call("oad.v1.Objects/Describe", json!({})).await.expect("it describes");
    assert_eq!(description["type"], "grpcurl::Tally");
    assert_eq!(description["documentation"], "Keeps a tally.");
    let expected = json!({
        "name": "add",
        "documentation": "Adds, and gives the total.",
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
            "`grpcurl::Tally` has no method `ad`; it has: add, nap, finish, fail",
        ),
        (
            json!({"method": "add"}),
            "InvalidArgument",
            "`add` takes 2 arguments (n: i64, label: Option<String>), but 0 were given",
        ),
        (
            json!({"method": "add", "arguments": [{"text": "2"}, {"null": {}}]}),
            "InvalidArgument",
            "`n` is not a `i64`: expected an integer from -9223372036854775808 to 9223372036854775807, found text",
        ),
        (
            json!({"handle": {"id": 99}, "method": "add"}),
            "NotFound",
            "the daemon holds no object of this handle",
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
async fn person_asks_for_an_interface_and_calls_its_method_by_the_qualified_name() {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(&daemon) else { return };
    let create = |name: &str, interface: &str| {
        let definition = json!({"type": name, "constructor": "new", "interface": interface});
        let body = json!({"definition": definition, "arguments": [{"int": 7}]});
        let grpcurl = &grpcurl;
        async move { grpcurl.call("oad.v1.Objects/Create", body).await }
    };
    let error = create("Tally", "Weigh").await.expect_err("it does not implement it");
    let expected = "`grpcurl::Tally` does not implement the interface `grpcurl::Weigh`; these types do: grpcurl::Stone";
    assert!(error.contains("Unimplemented") && error.contains(expected), "{error}");
    let error = create("Stone", "Float").await.expect_err("there is none");
    assert!(
        error.contains("no type of the daemon's program implements an interface `Float`"),
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
async fn bad_arguments_do_not_cost_the_object_that_a_method_would_take() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    for arguments in [json!([]), json!([{"text": "no number"}])] {
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
async fn time_that_a_person_allows_holds_for_a_sync_method_too() {
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
async fn person_follows_what_the_object_tells_until_the_daemon_ends() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let Some(grpcurl) = Grpcurl::of(tally.daemon()) else { return };
    let following = async { grpcurl.call("oad.v1.Control/Logs", json!({})).await };
    let telling = async {
        // The listener may not be there yet.
        for _ in 0..100 {
            tally.add(2, Some("two".to_owned())).await.expect("it answers");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tally.shutdown().await.expect("it ends")
    };
    let (followed, ended) = tokio::join!(following, telling);
    let followed = followed.expect("the stream ends with the daemon");
    let expected = json!({
        "level": "LOG_LEVEL_INFO",
        "target": "grpcurl",
        "message": "adding",
        "fields": {"n": "2", "label": "two"},
    });
    assert_eq!(followed, expected);
    assert!(ended.is_clean(), "{ended}");
}

#[tokio::test]
async fn session_that_asks_no_more_is_still_answered() {
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

#[tokio::test]
async fn clients_that_close_in_the_middle_of_the_preface_cost_nothing() {
    use std::io::{Read as _, Write as _};
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    for _ in 0..8 {
        let mut client =
            std::os::unix::net::UnixStream::connect(socket(&tally)).expect("it listens");
        client.write_all(b"PRI").expect("it is taken");
        client.shutdown(std::net::Shutdown::Write).expect("it is open");
        client.set_read_timeout(Some(Duration::from_secs(1))).expect("it can be set");
        let read = client.read(&mut [0; 8]);
        let is_closed = matches!(&read, Ok(0))
            || read.as_ref().is_err_and(|error| error.raw_os_error() == Some(104));
        assert!(is_closed, "it is closed at once: {read:?}");
    }
    assert_eq!(tally.add(1, None).await.expect("others are served"), (2, None));
}

#[tokio::test]
async fn silent_client_does_not_delay_shutdown() {
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let silent = std::os::unix::net::UnixStream::connect(socket(&tally)).expect("it listens");
    let ended = tally.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < Duration::from_secs(1), "{ended}");
    drop(silent);
}

#[tokio::test]
async fn client_that_says_only_the_preface_does_not_delay_shutdown() {
    use std::io::Write as _;
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let mut client = std::os::unix::net::UnixStream::connect(socket(&tally)).expect("it listens");
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").expect("it is taken");
    // It is answered, so that the daemon has it for a connection.
    std::io::Read::read(&mut client, &mut [0; 9]).expect("it answers");
    let ended = tally.shutdown().await.expect("it ends");
    assert!(ended.is_clean() && ended.duration() < Duration::from_secs(1), "{ended}");
}

#[tokio::test]
async fn client_that_speaks_something_else_is_turned_away() {
    use std::io::{Read as _, Write as _};
    let tally = TallyProxy::new(1).await.expect("a daemon can be made");
    let mut client = std::os::unix::net::UnixStream::connect(socket(&tally)).expect("it listens");
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    client.set_read_timeout(Some(Duration::from_secs(5))).expect("it can be set");
    assert!(matches!(client.read(&mut [0; 64]), Ok(0) | Err(_)), "nothing is answered");
    assert_eq!(tally.add(1, None).await.expect("others are served"), (2, None));
}
