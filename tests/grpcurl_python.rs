//! A person at a terminal, with Python objects: the real grpcurl and a live daemon.
//! `OAD_PYTHON` names the interpreter.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use oad::Daemon;
use serde_json::{Value, json};
use support::grpcurl::Grpcurl;
use support::python::{dedent, interpreter};

mod support;

oad::test_daemon!();

/// A daemon without an object, and a person at it.
async fn daemon() -> Option<(Daemon, Grpcurl)> {
    let daemon = oad::daemon().await.expect("a daemon can be made");
    let grpcurl = Grpcurl::of(&daemon)?;
    Some((daemon, grpcurl))
}

/// Makes an object; where `python` says nothing of it, in the interpreter under test.
async fn create(grpcurl: &Grpcurl, mut python: Value, arguments: Value) -> Result<Value, String> {
    python["interpreter"] = interpreter().to_string_lossy().into();
    let body = json!({"definition": {"python": python}, "arguments": arguments});
    Ok(grpcurl.call("oad.v1.Objects/Create", body).await?["handle"].clone())
}

async fn script(grpcurl: &Grpcurl, source: &str) -> Value {
    let definition = json!({"script": {"source": dedent(source), "name": "script.py"}});
    create(grpcurl, definition, json!([])).await.expect("it is made")
}

async fn operate(grpcurl: &Grpcurl, handle: &Value, operator: &str, operands: Value) -> Value {
    let body = json!({"handle": handle, "operator": operator, "operands": operands});
    grpcurl.call("oad.v1.Objects/Operate", body).await.expect("it answers")["value"].clone()
}

#[tokio::test]
async fn shortest_definition_makes_an_object() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let instance = json!({"instance": {"module": "io", "name": "StringIO"}});
    // Without an interpreter, it is the daemon's `python3`.
    let body = json!({"definition": {"python": instance}, "arguments": [{"text": "hello"}]});
    let made = grpcurl.call("oad.v1.Objects/Create", body).await.expect("it is made");
    assert_eq!(made["handle"]["type"], "_io.StringIO");
    let value = grpcurl.method(&made["handle"], "getvalue", json!([])).await;
    assert_eq!(value, Ok(json!({"text": "hello"})));
}

#[tokio::test]
async fn person_uses_an_object_that_only_the_parent_holds() {
    let Some((daemon, grpcurl)) = daemon().await else { return };
    let py = oad::interpreter(interpreter()).within(&daemon).await.expect("it starts");
    let list = py.value(vec![1, 2]).await.expect("it is made");
    let info = grpcurl.call("oad.v1.Control/Info", json!({})).await.expect("it answers");
    let objects = info["objects"].as_array().expect("it is a list");
    let found = objects.iter().find(|object| object["type"] == "list").expect("it is listed");
    let handle = json!({"id": found["handle"]["id"]});
    assert_eq!(handle["id"], list.handle().id().to_string());
    let appended = grpcurl.method(&handle, "append", json!([{"int": 3}])).await;
    assert_eq!(appended, Ok(json!({"null": {}})));
    assert_eq!(list.len().await.expect("it answers"), 3);
    let beside = json!({"value": {}, "beside": handle});
    let body = json!({"definition": {"python": beside}, "arguments": [{"handle": handle}]});
    let same = grpcurl.call("oad.v1.Objects/Create", body).await.expect("it is made");
    assert_eq!(same["handle"]["id"], handle["id"]);
    let described = grpcurl.call("oad.v1.Objects/Describe", json!({"handle": handle})).await;
    assert_eq!(described.expect("it answers")["type"], "list");
    // Without a count, all handles of everybody are released.
    let release = grpcurl.call("oad.v1.Objects/Release", json!({"handle": handle})).await;
    release.expect("it is released");
    let error = list.len().await.expect_err("it is released");
    assert_eq!(error.kind(), oad::ErrorKind::NoSuchObject, "{error}");
}

#[tokio::test]
async fn person_calls_reads_and_writes_an_object() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let source = r#"
        class Box:
            size = 3
            def grow(self, by, *, times=1):
                self.size += by * times
                return self.size, None
            def itself(self): return self
        box = Box()
    "#;
    let script = script(&grpcurl, source).await;
    let get = |handle: &Value, name: &str| json!({"handle": handle, "name": name});
    let boxed =
        grpcurl.call("oad.v1.Objects/GetAttribute", get(&script, "box")).await.expect("it answers");
    let boxed = &boxed["value"]["handle"];
    assert_eq!(boxed["type"], "script.Box");
    let body = json!({
        "handle": boxed,
        "method": "grow",
        "arguments": [{"int": 2}],
        "keywords": {"times": {"int": 3}},
    });
    let grown = grpcurl.call("oad.v1.Objects/Call", body).await.expect("it answers");
    assert_eq!(grown["value"], json!({"tuple": {"values": [{"int": "9"}, {"null": {}}]}}));
    let body = json!({"handle": boxed, "name": "size", "value": {"text": "large"}});
    grpcurl.call("oad.v1.Objects/SetAttribute", body).await.expect("it is set");
    let size =
        grpcurl.call("oad.v1.Objects/GetAttribute", get(boxed, "size")).await.expect("it answers");
    assert_eq!(size["value"], json!({"text": "large"}));
    grpcurl
        .call("oad.v1.Objects/DeleteAttribute", get(boxed, "size"))
        .await
        .expect("it is deleted");
    let size =
        grpcurl.call("oad.v1.Objects/GetAttribute", get(boxed, "size")).await.expect("it answers");
    assert_eq!(size["value"], json!({"int": "3"}), "it is the class's again");
    let itself = grpcurl.method(boxed, "itself", json!([])).await.expect("it answers");
    assert_eq!(itself["handle"]["id"], boxed["id"]);
    let body = json!({"handle": boxed, "method": "itself", "returns": "RETURNS_VALUE"});
    let error = grpcurl.call("oad.v1.Objects/Call", body).await.expect_err("it is not a value");
    assert!(error.contains("FailedPrecondition") && error.contains("script.Box"), "{error}");
    let body = json!({"handle": boxed, "name": "weight"});
    let missing = grpcurl.call("oad.v1.Objects/GetAttribute", body).await.expect("it is an answer");
    assert_eq!(missing["exception"]["type"], "AttributeError");
}

#[tokio::test]
async fn keywords_whose_order_matters_are_given_in_a_list() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let source = r#"
        def names(**keywords): return list(keywords)
        def items(**keywords): yield from keywords
    "#;
    let script = script(&grpcurl, source).await;
    let names = ["z", "b", "y", "a"];
    let one = |name: &str| json!({"name": name, "value": {"int": 1}});
    let ordered = names.map(one);
    let texts = names.map(|name| json!({"text": name}));
    let body = json!({"handle": script, "method": "names", "orderedKeywords": ordered});
    let called = grpcurl.call("oad.v1.Objects/Call", body).await.expect("it answers");
    assert_eq!(called["value"]["list"]["values"], json!(texts));
    let body = json!({"handle": script, "method": "items", "orderedKeywords": ordered});
    let first = grpcurl.call("oad.v1.Objects/Iterate", body).await.expect("it answers");
    assert_eq!(first["value"], texts[0]);
    let keywords = json!({"k": {"int": 1}});
    let body = json!({"handle": script, "method": "names", "keywords": keywords,
        "orderedKeywords": [one("b"), one("k")]});
    let error = grpcurl.call("oad.v1.Objects/Call", body).await.expect_err("one is given twice");
    assert!(error.contains("`k` is given twice"), "{error}");
}

#[tokio::test]
async fn person_applies_operators() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let list = create(&grpcurl, json!({"value": {}}), json!([{"list": {"ints": [1, 2, 3]}}]))
        .await
        .expect("it is made");
    assert_eq!(operate(&grpcurl, &list, "len", json!([])).await, json!({"int": "3"}));
    assert_eq!(
        operate(&grpcurl, &list, "getitem", json!([{"int": -1}])).await,
        json!({"int": "3"})
    );
    let slice = json!([{"slice": {"start": {"int": 1}}}]);
    let items = operate(&grpcurl, &list, "getitem", slice).await;
    assert_eq!(items, json!({"list": {"ints": ["2", "3"]}}));
    operate(&grpcurl, &list, "setitem", json!([{"int": 0}, {"text": "one"}])).await;
    let more = json!([{"list": {"values": [{"bool": true}]}}]);
    let sum = operate(&grpcurl, &list, "add", more).await;
    let expected =
        json!({"list": {"values": [{"text": "one"}, {"int": "2"}, {"int": "3"}, {"bool": true}]}});
    assert_eq!(sum, expected);
    assert_eq!(operate(&grpcurl, &list, "repr", json!([])).await, json!({"text": "['one', 2, 3]"}));
    let same = operate(&grpcurl, &list, "eq", json!([{"handle": list}])).await;
    assert_eq!(same, json!({"bool": true}));
    let body = json!({"handle": list, "operator": "system"});
    let error = grpcurl.call("oad.v1.Objects/Operate", body).await.expect_err("there is none");
    assert!(error.contains("InvalidArgument") && error.contains("system"), "{error}");
}

#[tokio::test]
async fn person_iterates_over_an_object_and_over_what_a_method_returns() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let source = r#"
        def count(n):
            for i in range(n): yield i
            if n > 2: raise ValueError('enough')
    "#;
    let script = script(&grpcurl, source).await;
    let text =
        create(&grpcurl, json!({"value": {}}), json!([{"text": "ab"}])).await.expect("it is made");
    let (items, ended) = grpcurl.iterate(&[], json!({"handle": text})).await;
    assert_eq!(items, ["a", "b"].map(|text| json!({"value": {"text": text}})));
    assert_eq!(ended, Ok(()));
    let count = |n: u32| json!({"handle": script, "method": "count", "arguments": [{"int": n}]});
    let (items, ended) = grpcurl.iterate(&[], count(2)).await;
    assert_eq!(items, ["0", "1"].map(|number| json!({"value": {"int": number}})));
    assert_eq!(ended, Ok(()));
    let (items, _) = grpcurl.iterate(&[], count(3)).await;
    assert_eq!(items.len(), 4, "{items:?}");
    assert_eq!(items[3]["exception"]["message"], "enough");
    let (items, _) = grpcurl.iterate(&[], json!({"handle": script})).await;
    assert_eq!(items[0]["exception"]["type"], "TypeError", "a module has no items");
}

#[tokio::test]
async fn person_asks_what_an_object_can_do() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let source = r#"
        class Shelf:
            """Holds books."""
            label = 'A'
            def put(self, title: str, copies=1) -> int:
                """Puts one on it."""
                return copies
    "#;
    let script = script(&grpcurl, source).await;
    let shelf = grpcurl.method(&script, "Shelf", json!([])).await.expect("it is made");
    let shelf = &shelf["handle"];
    let told = grpcurl
        .call("oad.v1.Objects/Describe", json!({"handle": shelf}))
        .await
        .expect("it describes");
    assert_eq!(
        (&told["type"], &told["documentation"]),
        (&json!("script.Shelf"), &json!("Holds books."))
    );
    assert!(
        told["attributes"].as_array().is_some_and(|names| names.contains(&json!("label"))),
        "{told}"
    );
    let methods = told["methods"].as_array().expect("it has some");
    let put = methods.iter().find(|method| method["name"] == "put").expect("it has it");
    assert_eq!(put["documentation"], "Puts one on it.");
    assert!(
        put["signature"].as_str().is_some_and(|signature| signature.starts_with("def put(")),
        "{put}"
    );
    assert_eq!(put["parameters"][0]["name"], "title");
}

#[tokio::test]
async fn person_reads_an_exception_with_its_traceback() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let script = script(
        &grpcurl,
        "def inner(): {}['k']\ndef outer():\n    try: inner()\n    \
                                   except KeyError as e: raise ValueError('no') from e\n",
    )
    .await;
    let body = json!({"handle": script, "method": "outer"});
    let answer =
        grpcurl.call("oad.v1.Objects/Call", body).await.expect("an exception is an answer");
    let exception = &answer["exception"];
    assert_eq!((&exception["type"], &exception["message"]), (&json!("ValueError"), &json!("no")));
    assert_eq!(exception["causes"], json!(["KeyError: 'k'"]));
    let traceback = exception["traceback"].as_str().expect("it has one");
    assert!(traceback.contains("File \"script.py\", line 4, in outer"), "{traceback}");
    assert!(traceback.contains("direct cause") && traceback.contains("in inner"), "{traceback}");
    let definition = json!({"python": {"instance": {"name": "int"}, "interpreter": interpreter()}});
    let body = json!({"definition": definition, "arguments": [{"text": "x"}]});
    let failed =
        grpcurl.call("oad.v1.Objects/Create", body).await.expect("an exception is an answer");
    assert_eq!(failed["exception"]["type"], "ValueError");
}

#[tokio::test]
async fn person_reads_each_part_of_an_exception_once() {
    let Some((_daemon, grpcurl)) = daemon().await else { return };
    let source = r#"
        def f():
            try: open('/no/such')
            except OSError as e: raise ValueError('m' * 1000) from e
    "#;
    let script = script(&grpcurl, source).await;
    let body = json!({"handle": script, "method": "f"});
    let answer =
        grpcurl.call("oad.v1.Objects/Call", body).await.expect("an exception is an answer");
    let exception = &answer["exception"];
    assert_eq!(
        exception.to_string().matches(&"m".repeat(1000)).count(),
        2,
        "as message and in the traceback"
    );
    assert_eq!(
        (&exception["messageIsArgument"], exception["args"].as_array()),
        (&json!(true), None)
    );
    assert_eq!((&exception["cause"], &exception["suppressContext"]), (&json!(1), &json!(true)));
    let cause = &exception["behind"][0];
    assert_eq!(
        (&cause["type"], &cause["attributes"]["errno"]),
        (&json!("FileNotFoundError"), &json!({"int": "2"}))
    );
    assert!(
        cause["stack"].as_str().is_some_and(|stack| stack.ends_with("open('/no/such')\n")),
        "{cause}"
    );
    assert!(exception.to_string().len() < 4500, "{exception}");
}

#[tokio::test]
async fn person_releases_an_object_and_with_the_last_one_its_interpreter() {
    let Some((daemon, grpcurl)) = daemon().await else { return };
    let text =
        create(&grpcurl, json!({"value": {}}), json!([{"text": "ab"}])).await.expect("it is made");
    let interpreters = support::children(daemon.pid());
    assert_eq!(interpreters.len(), 1);
    grpcurl.call("oad.v1.Objects/Release", json!({"handle": text})).await.expect("it is released");
    support::wait_until_gone(interpreters[0], Duration::from_secs(5));
    let error = grpcurl.method(&text, "upper", json!([])).await.expect_err("it is gone");
    assert!(error.contains("NotFound"), "{error}");
}

#[tokio::test]
async fn person_is_told_how_an_interpreter_died() {
    let Some((daemon, grpcurl)) = daemon().await else { return };
    let script = script(&grpcurl, "import os\ndef die(): os._exit(5)\n").await;
    for method in ["die", "die"] {
        let error = grpcurl.method(&script, method, json!([])).await.expect_err("it is dead");
        assert!(error.contains("Unavailable") && error.contains("exited with code 5"), "{error}");
    }
    let definition = json!({"python": {"module": "json", "interpreter": "/nowhere/python"}});
    let body = json!({"definition": definition});
    let error = grpcurl.call("oad.v1.Objects/Create", body).await.expect_err("there is none");
    assert!(error.contains("the interpreter `/nowhere/python` does not exist"), "{error}");
    assert!(daemon.health().await.is_ok(), "the daemon lives");
}

#[tokio::test]
async fn person_is_told_whose_interpreter_has_died() {
    const CHECK: &str = "grpc.health.v1.Health/Check";
    let Some((daemon, grpcurl)) = daemon().await else { return };
    assert_eq!(
        grpcurl.call(CHECK, json!({})).await,
        Ok(json!({"status": "SERVING"})),
        "without an object"
    );
    let root = script(&grpcurl, "import os\ndef die(): os._exit(5)\n").await;
    let second = json!({"newInterpreter": {}});
    let other = create(&grpcurl, second, json!([])).await.expect("it starts");
    let named = |handle: &Value| {
        let id = handle["id"].as_str().expect("a 64-bit number is text in JSON");
        json!({"service": format!("oad.v1.Objects/{id}")})
    };

    let mut watch = grpcurl.command(&["-d", "{}"], &["grpc.health.v1.Health/Watch"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().expect("a shell can be started");
    let mut told = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    // Each answer is a line for the brace, one for the status, and one for the other
    // brace.
    let mut next =
        || told.by_ref().map(|line| line.expect("it is text")).find(|line| line.contains("status"));
    assert_eq!(next().as_deref(), Some("  \"status\": \"SERVING\""));

    grpcurl.method(&root, "die", json!([])).await.expect_err("it dies");
    assert_eq!(next().as_deref(), Some("  \"status\": \"NOT_SERVING\""));
    for body in [json!({}), json!({"service": "oad.v1.Objects"}), named(&root)] {
        assert_eq!(
            grpcurl.call(CHECK, body.clone()).await,
            Ok(json!({"status": "NOT_SERVING"})),
            "{body}"
        );
    }
    assert_eq!(grpcurl.call(CHECK, named(&other)).await, Ok(json!({"status": "SERVING"})));
    let error = grpcurl
        .call(CHECK, json!({"service": "oad.v1.Objects/99"}))
        .await
        .expect_err("there is none");
    assert!(error.contains("NotFound") && error.contains("no object with this id"), "{error}");
    daemon.shutdown().await.expect("it ends");
    assert!(watch.wait().expect("it is ours").success(), "the stream ended in order");
}
