//! Many steps on Python objects in one request, and exceptions that are kept as objects.

use std::time::Duration;

use oad::{ErrorKind, Interpreter, Operator, PythonProxy, Remote as _, Value};

use crate::support::python::interpreter;
use crate::support::until;

mod support;

oad::test_daemon!();

/// An interpreter that is called directly, and one that is called over gRPC.
async fn both_ways() -> [Interpreter; 2] {
    let direct = oad::interpreter(interpreter()).await.expect("the interpreter starts");
    let over_grpc = oad::interpreter(interpreter()).over_grpc().await;
    [direct, over_grpc.expect("the interpreter starts")]
}

#[tokio::test]
async fn statements_see_their_names_and_return_one() {
    for py in both_ways().await {
        let rows = py.value(vec![3, 1, 2]).await.expect("it is made");
        let sorted = py.exec("rows.sort()\ndel rows[n:]").name("rows", &rows).name("n", 2);
        sorted.await.expect("they run");
        assert_eq!(rows.repr().await.expect("it answers"), "[1, 2]");

        let text = "def double(x):\n    return x * factor\n\ndoubled = [double(x) for x in rows]";
        let exec = || py.exec(text).name("rows", &rows).name("factor", 2);
        let doubled: Vec<i64> = exec().returning("doubled").await.expect("they run");
        assert_eq!(doubled, [2, 4]);
        let stays: PythonProxy = exec().returning("doubled").await.expect("they run");
        assert_eq!(stays.len().await.expect("it answers"), 2);
        let double: PythonProxy = exec().returning("double").await.expect("they run");
        assert_eq!(double.invoke::<i64>((4,)).await.expect("the call works"), 8);

        // The names are bound for these statements only.
        let error = py.exec("doubled").await.expect_err("there is no such name");
        assert_eq!(error.exception().expect("Python raised it").type_name(), "NameError");
        let error = exec().returning::<i64>("absent").await.expect_err("it is not bound");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains("running statements"), "{error}");
        assert!(error.to_string().contains("define no 'absent'"), "{error}");
        let endless = py.exec("while True: pass").timeout(Duration::from_millis(50)).await;
        assert!(endless.expect_err("it takes too long").is_timeout());
        py.exec("x = 1").await.expect("the interpreter is free again");
    }
}

#[tokio::test]
async fn traceback_shows_the_failing_line_of_a_text() {
    for py in both_ways().await {
        let error = py.exec("x = 1\nx.missing = 2\n").await.expect_err("it fails");
        let exception = error.exception().expect("Python raised it");
        let traceback = exception.traceback().expect("there is one");
        assert!(traceback.contains("line 2, in <module>\n    x.missing = 2\n"), "{traceback}");
        let error = py.eval::<i64>("(1 +\n    missing)").await.expect_err("it fails");
        let exception = error.exception().expect("Python raised it");
        let traceback = exception.traceback().expect("there is one");
        assert!(traceback.contains("line 2, in <module>\n    missing)\n"), "{traceback}");
    }
}

#[tokio::test]
async fn each_step_of_a_chain_continues_with_the_result_before() {
    for py in both_ways().await {
        let table = py.eval::<PythonProxy>("{'rows': [3, 1, 2]}").await.expect("it is made");
        let one: i64 = table
            .chain()
            .get_item("rows")
            .call("__iter__", ())
            .operate(Operator::NEXT, ())
            .await
            .expect("the chain runs");
        assert_eq!(one, 3);
        let rows: PythonProxy = table.chain().call("get", ("rows",)).await.expect("it runs");
        assert_eq!(rows.len().await.expect("it answers"), 3);
        // Proxies are arguments of any step, and only the last result is kept.
        let function = py.name("", "sorted").await.expect("it is found");
        let before = py.daemon().objects().await.expect("it answers").len();
        let sorted: Vec<i64> = function
            .chain()
            .invoke((&rows,))
            .keyword("reverse", true)
            .call("__add__", (&rows,))
            .await
            .expect("the chain runs");
        assert_eq!(sorted, [3, 2, 1, 3, 1, 2]);
        assert_eq!(py.daemon().objects().await.expect("it answers").len(), before);
        let name: String = table.chain().getattr("__class__.__name__").await.expect("it runs");
        assert_eq!(name, "dict");
        let same: PythonProxy = table.chain().await.expect("it has no steps");
        assert_eq!(same.handle(), table.handle());
    }
}

#[tokio::test]
async fn failing_step_of_a_chain_is_named() {
    for py in both_ways().await {
        let table = py.eval::<PythonProxy>("{'rows': [3, 1, 2]}").await.expect("it is made");
        let chain = table.chain::<i64>().get_item("rows").call("index", (7,)).getattr("real");
        let error = chain.await.expect_err("the second step fails");
        let exception = error.exception().expect("Python raised it");
        assert_eq!(exception.type_name(), "ValueError");
        assert_eq!(exception.notes(), ["in step 2 of the chain: calling index"]);
        assert!(error.to_string().contains("running a chain of dict"), "{error}");

        let chain = table.chain::<i64>().get_item("rows").operate("plus", (1,));
        let error = chain.await.expect_err("there is no such operator");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains("step 2 of the chain: applying plus"), "{error}");
        let error = table.chain::<i64>().keyword("x", 1).await.expect_err("there is no call");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        let error = table.chain::<i64>().get_item("rows").keyword("x", 1).await;
        assert_eq!(error.expect_err("it is not a call").kind(), ErrorKind::BadArguments);
        let error = table.chain::<String>().get_item("rows").await.expect_err("it is a list");
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
}

#[tokio::test]
async fn chain_ends_at_its_timeout_and_in_its_turn() {
    for py in both_ways().await {
        let time = py.import("time").await.expect("the module is imported");
        let chain = time.chain::<()>().call("sleep", (0,)).call("real", ()).getattr("x");
        assert_eq!(chain.await.expect_err("it fails").kind(), ErrorKind::Exception);
        let slow = time.chain::<()>().getattr("sleep").invoke((600,));
        let error = slow.timeout(Duration::from_millis(50)).await.expect_err("it takes too long");
        assert!(error.is_timeout(), "{error}");

        let list = py.value(Vec::<u8>::new()).await.expect("it is made");
        let first = list.chain::<()>().getattr("append").invoke((1,)).into_future();
        let second = list.call::<()>("append", (2,));
        let (first, second) = tokio::join!(biased; first, second);
        first.and(second).expect("both work");
        assert_eq!(list.repr().await.expect("it answers"), "[1, 2]");
    }
}

/// A module with an exception that has methods, as pydantic's have.
const PROBLEM: &str = "
class Problem(Exception):
    def errors(self):
        return [{'loc': ('n',), 'msg': 'not a number'}]

class Thing:
    limit = 1
    def fail(self, *args, **kwargs):
        raise Problem(*args, *kwargs.values())
    def __setattr__(self, name, value):
        raise Problem(name)
    def items(self):
        yield 1
";

#[tokio::test]
async fn kept_exception_is_an_object() {
    for py in both_ways().await {
        let script = py.script("problem.py", PROBLEM).await.expect("it runs");
        let thing: PythonProxy = script.call("Thing", ()).await.expect("it is made");
        let before = py.daemon().objects().await.expect("it answers").len();

        let call = thing.call::<()>("fail", ("text", &thing, vec![1])).keyword("last", &script);
        let error = call.keep_exception().await.expect_err("it fails");
        assert_eq!(error.kind(), ErrorKind::Exception);
        let exception = error.exception().expect("Python raised it");
        assert_eq!(exception.type_name(), "problem.Problem");
        assert!(error.to_string().starts_with("calling problem.Thing.fail on"), "{error}");
        let traceback = exception.traceback().expect("there is one");
        assert!(traceback.contains("raise Problem(*args, *kwargs.values())"), "{traceback}");
        assert!(exception.notes().is_empty());

        // What is not a value in its arguments comes by handle.
        let args = exception.args();
        assert_eq!((&args[0], &args[2]), (&"text".into(), &vec![1].into()));
        assert_eq!(args[1].as_handle(), Some(thing.handle()));
        let last = args[3].as_handle().expect("a module is not a value").to_proxy();
        let last = last.expect("the handle keeps it").to_python().expect("it is Python's");
        assert_eq!(last.handle(), script.handle());
        assert_eq!(last.getattr::<String>("__name__").await.expect("it answers"), "problem");
        assert!(script.handle().to_proxy().is_none(), "it is only a name");

        let object = exception.object().expect("it was kept");
        let errors: Vec<Value> = object.call("errors", ()).await.expect("the call works");
        assert_eq!(errors[0]["msg"], "not a number".into());
        // The error and the proxy keep it.
        drop((error, args, last));
        assert_eq!(object.len().await.expect_err("it has none").kind(), ErrorKind::Exception);
        drop(object);
        until(async || py.daemon().objects().await.expect("it answers").len() == before).await;

        let error = thing.call::<()>("fail", (&thing,)).await.expect_err("it fails");
        let exception = error.exception().expect("Python raised it");
        assert!(exception.object().is_none());
        assert!(exception.args()[0].as_str().is_some(), "it keeps nothing alive");
    }
}

#[tokio::test]
async fn exceptions_of_every_operation_but_an_iteration_are_kept() {
    for py in both_ways().await {
        let script = py.script("problem.py", PROBLEM).await.expect("it runs");
        let thing: PythonProxy = script.call("Thing", ()).await.expect("it is made");
        let type_of = async |error: oad::Error| -> String {
            let exception = error.exception().expect("Python raised it");
            let object = exception.object().expect("it was kept");
            object.getattr("__class__.__name__").await.expect("it answers")
        };
        let error = thing.getattr::<i64>("absent").keep_exception().await.expect_err("it fails");
        assert_eq!(type_of(error).await, "AttributeError");
        let error = thing.setattr("n", 1).keep_exception().await.expect_err("it fails");
        assert_eq!(type_of(error).await, "Problem");
        let error = thing.delattr("n").keep_exception().await.expect_err("it fails");
        assert_eq!(type_of(error).await, "AttributeError");
        let error = thing.get_item::<i64>(1).keep_exception().await.expect_err("it fails");
        assert_eq!(type_of(error).await, "TypeError");
        let error = thing.invoke::<i64>(()).keep_exception().await.expect_err("it fails");
        assert_eq!(type_of(error).await, "TypeError");
        let eval = py.eval::<i64>("thing.fail(1)").name("thing", &thing).keep_exception();
        assert_eq!(type_of(eval.await.expect_err("it fails")).await, "Problem");
        let exec = py.exec("thing.fail(1)").name("thing", &thing).keep_exception();
        assert_eq!(type_of(exec.await.expect_err("it fails")).await, "Problem");
        let chain = thing.chain::<()>().getattr("fail").invoke((1,)).keep_exception();
        let error = chain.await.expect_err("it fails");
        let notes = error.exception().expect("Python raised it").notes();
        assert_eq!(notes, ["in step 2 of the chain: calling the object"]);
        assert_eq!(type_of(error).await, "Problem");

        // Results, and failures that are not the object's, are those of any call.
        let limit: i64 = thing.getattr("limit").keep_exception().await.expect("it is there");
        assert_eq!(limit, 1);
        let same: PythonProxy = py.eval("x").name("x", &thing).keep_exception().await.expect("it");
        assert_eq!(same.handle(), thing.handle());
        let error = thing.getattr::<String>("limit").keep_exception().await.expect_err("no text");
        assert_eq!(error.kind(), ErrorKind::WrongType);
        let slow = py.exec("while True: pass").timeout(Duration::from_millis(50));
        assert!(slow.keep_exception().await.expect_err("it takes too long").is_timeout());
        let items = thing.call_iter::<i64>("items", ()).keep_exception();
        let error = items.await.expect_err("an iteration cannot keep them");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        let error = py.import("no_such_module").await.expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::Exception);
        let import = py.exec("import no_such_module").keep_exception().await;
        let error = import.expect_err("there is none");
        assert!(error.to_string().contains("install the module there"), "{error}");
    }
}
