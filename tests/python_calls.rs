//! What callers of Python objects ask for, and what they read when it fails. `OAD_PYTHON`
//! names the interpreter; `python3` by default.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use oad::{ErrorKind, Proxy, PythonProxy, Remote as _, Value};
use support::python::{script, with};
use support::until;

mod support;

oad::test_daemon!();

#[tokio::test]
async fn errors_say_what_was_tried() {
    let script = script(
        r#"
        def f(): raise ValueError
        class Odd:
            def __call__(self): raise ValueError
            def __getitem__(self, key): raise ValueError
            __setitem__ = __delitem__ = __getitem__
            def __len__(self): raise ValueError
            def __iter__(self): raise ValueError
        odd = Odd()
    "#,
    )
    .await;
    let odd: PythonProxy = script.getattr("odd").await.expect("it answers");
    let function =
        with(oad::python_name("math", "sqrt")).within(script.daemon()).await.expect("it is made");
    let module =
        with(oad::python_module("json")).within(script.daemon()).await.expect("it is made");
    for (call, act) in [
        (script.call::<Value>("f", ()), "calling script.f"),
        (script.call::<Value>("f", "x"), "calling script.f"),
        (script.getattr("x"), "getting script.x"),
        (odd.invoke(()), "calling script.Odd"),
        (odd.operate("len", ()), "applying `len` to script.Odd"),
        (odd.operate("system", ()), "applying `system` to script.Odd"),
        (odd.get_item(1), "getting script.Odd[…]"),
        (function.invoke((-1,)), "calling math.sqrt"),
        (module.call("loads", ("",)), "calling json.loads"),
    ] {
        let error = call.await.expect_err("it fails");
        assert!(
            error.to_string().starts_with(&format!("{act} on daemon {}", script.pid())),
            "{act}: {error}"
        );
        assert!(!error.to_string().contains("version"), "{error}");
    }
    for (call, act) in [
        (script.delattr("x"), "deleting script.x"),
        (function.setattr("x", 1), "setting math.sqrt.x"),
        (odd.set_item(1, 2), "setting script.Odd[…]"),
        (odd.del_item(1), "deleting script.Odd[…]"),
    ] {
        let error = call.await.expect_err("it fails");
        assert!(
            error.to_string().starts_with(&format!("{act} on daemon {}", script.pid())),
            "{act}: {error}"
        );
    }
    for (stream, act) in [
        (odd.iter::<Value>(), "iterating over script.Odd"),
        (script.call_iter("f", ()), "iterating over script.f"),
    ] {
        let error = stream.await.expect_err("it fails");
        assert!(
            error.to_string().starts_with(&format!("{act} on daemon {}", script.pid())),
            "{act}: {error}"
        );
    }
}

#[tokio::test]
async fn errors_name_classes_and_functions_by_their_own_names() {
    let script = script(
        r#"
        class Meta(type): pass
        class Order(metaclass=Meta):
            @classmethod
            def model_validate(cls, data): raise ValueError(data)
        def refuse(): raise ValueError
        "#,
    )
    .await;
    let [order, refuse]: [PythonProxy; 2] = [
        script.getattr("Order").await.expect("it answers"),
        script.getattr("refuse").await.expect("it answers"),
    ];
    assert_eq!((order.type_name(), refuse.type_name()), ("script.Meta", "function"));
    for (error, act) in [
        (order.call::<Value>("model_validate", (1,)).await, "calling script.Order.model_validate"),
        (order.getattr("missing").await, "getting script.Order.missing"),
        (order.operate("len", ()).await, "applying `len` to script.Order"),
        (refuse.invoke(()).await, "calling script.refuse"),
    ] {
        let error = error.expect_err("it fails");
        assert!(error.to_string().starts_with(&format!("{act} on daemon")), "{error}");
    }
    let description = order.describe().await.expect("it describes");
    assert_eq!(description.type_name(), "script.Order");
}

#[tokio::test]
async fn missing_module_names_the_interpreter_and_how_to_choose_another() {
    let text = with(oad::python_value("x")).await.expect("it is made");
    let missing = with(oad::python_module("no_such_module")).within(text.daemon());
    let error = missing.await.expect_err("there is no such module").to_string();
    let interpreter = text.interpreter();
    let expected = format!(
        "ModuleNotFoundError: No module named 'no_such_module'; the interpreter is `{}` (Python \
         {}): install the module there, or choose another interpreter with `.interpreter(…)`",
        interpreter.executable().display(),
        interpreter.version()
    );
    assert!(error.ends_with(&expected), "{error}");
}

#[tokio::test]
async fn operators_are_listed_and_say_how_many_operands_they_take() {
    let number = with(oad::python_value(4)).await.expect("it is made");
    let error = number.operate::<Value>("system", ()).await.expect_err("there is no such operator");
    let message = error.to_string();
    let (_, listed) = message
        .split_once("there is no operator 'system'; the operators are: ")
        .expect("it lists them");
    let source = include_str!("../src/parent/proxy/operator.rs");
    let documented: BTreeSet<&str> = source
        .lines()
        .skip_while(|line| !line.starts_with("/// | operators |"))
        .skip(2)
        .take_while(|line| line.starts_with("/// |"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(listed.split(", ").collect::<BTreeSet<_>>(), documented);
    for (operator, operands, told) in [
        ("add", vec![], "`add` takes 1 more operand"),
        ("len", vec![1], "`len` takes no more operands"),
        ("pow", vec![], "`pow` takes 1 to 2 more operands"),
        ("round", vec![1, 2], "`round` takes 0 to 1 more operand"),
    ] {
        let error = number.operate::<Value>(operator, operands).await.expect_err("they do not fit");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().ends_with(told), "{error}");
    }
}

/// A script that makes objects and knows how many there still are.
const NODES: &str = r#"
    import weakref
    made = []
    class Node: pass
    def make():
        node = Node()
        made.append(weakref.ref(node))
        return node
    def pair(): return [make(), 1]
    def alive(): return sum(1 for ref in made if ref() is not None)
    def is_last(x): return x is made[-1]()
    def maybe(x): return x
"#;

#[tokio::test]
async fn call_that_asks_for_nothing_takes_any_answer() {
    let script = script(NODES).await;
    for method in ["make", "pair", "alive"] {
        script.call::<()>(method, ()).await.expect("it is carried out");
    }
    assert_eq!(
        script.call::<i64>("alive", ()).await.expect("it answers"),
        0,
        "nothing of it stays"
    );
    let deep = (0..32).fold(Value::Int(7), |inner, _| Value::List(vec![inner].into()));
    let list = with(oad::python("", "list")).within(script.daemon()).await.expect("it is made");
    list.call::<()>("append", (&deep,)).await.expect("it answers");
    list.call::<Value>("copy", ()).await.expect_err("it is too deep for a value");
    list.call::<()>("copy", ()).await.expect("nothing of it travels");
    script.getattr::<()>("made").await.expect("attributes too");
    script.operate::<()>("repr", ()).await.expect("operators too");
    let error = script.call::<()>("maybe", ()).await.expect_err("it lacks an argument");
    assert_eq!(error.exception().expect("Python raised it").type_name(), "TypeError");
}

#[tokio::test]
async fn optional_proxy_is_none_for_none_alone() {
    let script = script(NODES).await;
    let none: Option<Proxy> = script.call("maybe", (Value::Null,)).await.expect("it answers");
    assert!(none.is_none());
    for (value, type_name) in [(Value::Int(0), "int"), (Value::List(vec![].into()), "list")] {
        let some: Option<Proxy> = script.call("maybe", (value,)).await.expect("it answers");
        assert_eq!(some.expect("it is something").type_name(), type_name);
    }
    let none: PythonProxy = script.call("maybe", (Value::Null,)).await.expect("it answers");
    assert_eq!(none.type_name(), "NoneType", "who asks for a proxy has one");
    let mut kept = script.call_iter::<Proxy>("maybe", ([1, 2],)).await.expect("it opens");
    assert_eq!(kept.next().await.expect("there are two").expect("it comes").type_name(), "int");
}

#[tokio::test]
async fn handle_in_a_value_keeps_its_object() {
    let script = script(NODES).await;
    let node: Value = script.call("make", ()).await.expect("it answers");
    assert!(matches!(node, Value::Handle(_)));
    assert!(script.call::<bool>("is_last", (&node,)).await.expect("it is there"));
    let pair: Value = script.call("pair", ()).await.expect("it answers");
    assert_eq!(script.call::<i64>("alive", ()).await.expect("it answers"), 2);
    let copy = pair.clone();
    drop(pair);
    assert_eq!(script.call::<i64>("alive", ()).await.expect("it answers"), 2);
    drop(copy);
    until(async || script.call::<i64>("alive", ()).await.expect("it answers") == 1).await;
    // Given away with the call, it is held until that is answered.
    assert!(!script.call::<bool>("is_last", (node,)).await.expect("it is there"));
    until(async || script.call::<i64>("alive", ()).await.expect("it answers") == 0).await;
    let list: Value = script.call("maybe", ([1, 2],)).by_handle().await.expect("it answers");
    assert!(matches!(list, Value::Handle(_)), "{list:?}");
    assert_eq!(script.call::<Vec<i64>>("maybe", (list,)).await.expect("it answers"), [1, 2]);
}

#[tokio::test]
async fn argument_that_is_given_twice_by_its_name_is_refused() {
    let error = with(oad::python("", "dict").keyword("a", 1).keyword("b", 1).keyword("a", 2))
        .await
        .expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::BadArguments);
    assert_eq!(error.to_string(), "making dict: keyword argument `a` is given twice");
    let script = script("def f(**names): return names\n").await;
    let error = script
        .call::<Value>("f", ())
        .keyword("a", 1)
        .keyword("a", 1)
        .await
        .expect_err("it is refused");
    assert!(error.to_string().ends_with("keyword argument `a` is given twice"), "{error}");
}

#[tokio::test]
async fn setting_of_a_daemon_that_is_there_is_refused() {
    let text = with(oad::python_value("x")).await.expect("it is made");
    let daemon = text.daemon();
    let python = || with(oad::python_value("y"));
    for (refused, name) in [
        (python().env("A", "b").within(daemon), "env"),
        (python().within(daemon).env("A", "b"), "env"),
        (python().within(daemon).current_dir("/"), "current_dir"),
        (python().within(daemon).grace(Duration::ZERO).localhost(), "grace"),
        (python().message_limit(1).within(daemon), "message_limit"),
    ] {
        let error = refused.await.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        let told = format!("`{name}` is a setting of a new daemon, but this daemon already runs");
        assert!(error.to_string().contains(&told), "{error}");
    }
    let again =
        python().start_timeout(Duration::from_secs(20)).create_timeout(Duration::from_secs(20));
    again.within(daemon).await.expect("these are the interpreter's and the object's");
    let error =
        oad::daemon().within(daemon).grace(Duration::ZERO).await.expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::BadArguments);
}

/// Instances of subclasses of what can be copied.
const SUBCLASSES: &str = "
import collections, enum, typing
class Names(list): pass
class Name(str): pass
class Color(enum.IntEnum):
    RED = 3
Point = collections.namedtuple('Point', 'x y')
class Opaque: pass
counter = collections.Counter('abca')
ordered = collections.OrderedDict([('b', 1), ('a', 2)])
names = Names(['x', 'y'])
name = Name('n')
color = Color.RED
point = Point(1, 2.5)
points = [point, point]
mixed = (point, Opaque())
opaque = Opaque()
bad = collections.Counter(a=Opaque())
def each(): yield point
";

#[tokio::test]
async fn instances_of_subclasses_are_read_as_the_requested_type() {
    let script = script(SUBCLASSES).await;
    let counter: HashMap<String, u64> = script.getattr("counter").await.expect("it is a dict");
    assert_eq!(counter, HashMap::from([("a".into(), 2), ("b".into(), 1), ("c".into(), 1)]));
    let ordered: BTreeMap<String, i64> = script.getattr("ordered").await.expect("it is a dict");
    assert_eq!(ordered, BTreeMap::from([("a".into(), 2), ("b".into(), 1)]));
    assert_eq!(script.getattr::<Vec<String>>("names").await.expect("it is a list"), ["x", "y"]);
    assert_eq!(script.getattr::<String>("name").await.expect("it is text"), "n");
    assert_eq!(script.getattr::<i64>("color").await.expect("it is an integer"), 3);
    let point: (i64, f64) = script.getattr("point").await.expect("it is a tuple");
    assert_eq!(point, (1, 2.5));
    let points: Vec<(i64, f64)> = script.getattr("points").await.expect("it is a list of tuples");
    assert_eq!(points, [(1, 2.5); 2]);
    let mut each = script.call_iter::<(i64, f64)>("each", ()).await.expect("it opens");
    assert_eq!(each.next().await.expect("there is one").expect("it comes"), (1, 2.5));
}

#[tokio::test]
async fn types_with_room_for_a_handle_keep_instances_of_subclasses() {
    let script = script(SUBCLASSES).await;
    let value: Value = script.getattr("counter").await.expect("it answers");
    assert!(matches!(value, Value::Handle(_)), "{value:?}");
    let value: Value = script.getattr("counter").by_value().await.expect("it is a dict");
    assert!(matches!(value, Value::Map(_)), "{value:?}");
    let points: Vec<Proxy> = script.getattr("points").await.expect("it answers");
    assert_eq!(points[0].type_name(), "script.Point");
    let (point, opaque): (Proxy, Proxy) = script.getattr("mixed").await.expect("it answers");
    assert_eq!((point.type_name(), opaque.type_name()), ("script.Point", "script.Opaque"));
}

#[tokio::test]
async fn result_that_cannot_be_read_is_named_with_the_call_and_the_remedy() {
    let third = with(oad::python("fractions", "Fraction")).arg("1/3").await.expect("it is made");
    let script = with(oad::python_script("script.py", SUBCLASSES)).within(third.daemon()).await;
    let script = script.expect("it runs");
    let on = format!("on {}: ", third.daemon());
    let error = third.getattr::<String>("real").await.expect_err("it is a fraction");
    assert_eq!(
        error.to_string(),
        format!(
            "getting fractions.Fraction.real {on}expected text, but `fractions.Fraction.real` \
             returned a `fractions.Fraction`, which stays in the interpreter; ask for a `Proxy`, \
             or convert it in Python first"
        )
    );
    assert_eq!(error.kind(), ErrorKind::WrongType);
    // The other field can hold a handle, so the tuple stays in the interpreter by
    // default.
    let error = script.getattr::<(i64, Value)>("point").await.expect_err("it stays there");
    assert_eq!(
        error.to_string(),
        format!(
            "getting script.point {on}expected 2 items, but `script.point` returned a \
             `script.Point`, which stays in the interpreter; ask for a `Proxy`, or use \
             `.by_value()`"
        )
    );
    let (x, _): (i64, Value) = script.getattr("point").by_value().await.expect("it is copied");
    assert_eq!(x, 1);
    let error =
        script.getattr::<HashMap<String, u64>>("bad").await.expect_err("it is not a number");
    assert_eq!(
        error.to_string(),
        format!(
            "getting script.bad {on}at `.a`: expected an integer from 0 to \
             18446744073709551615, but `script.bad` returned a `script.Opaque`, which stays in the \
             interpreter; ask for a `Proxy`, or convert it in Python first"
        )
    );
    let mut each = script.call_iter::<String>("each", ()).await.expect("it opens");
    let error = each.next().await.expect("there is one").expect_err("it is not text");
    assert_eq!(
        error.to_string(),
        format!(
            "iterating over script.each {on}expected text, but an item of `script.each` is a tuple"
        )
    );
}

#[tokio::test]
async fn stream_of_python_proxies_is_read() {
    let script = script(NODES).await;
    let mut nodes = script.call_iter::<PythonProxy>("pair", ()).await.expect("it opens");
    let node = nodes.next().await.expect("there are two").expect("it comes");
    assert!(script.call::<bool>("is_last", (&node,)).await.expect("it answers"));
    let number = nodes.next().await.expect("there are two").expect("it comes");
    assert_eq!(number.repr().await.expect("it answers"), "1");
    drop(nodes);
    let list = with(oad::python_value([1, 2])).within(script.daemon()).await.expect("it is made");
    let items: Vec<PythonProxy> =
        list.iter().await.expect("it opens").collect().await.expect("they come");
    assert_eq!(items.len(), 2);
}
