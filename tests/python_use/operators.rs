//! Operators as Python has them: whatever they return, reflected, in place, and about
//! types.

use oad::{ErrorKind, PythonProxy, Value};

use crate::support::python::{script, with};

/// The objects that a script has under these names.
async fn named<const N: usize>(script: &PythonProxy, names: [&str; N]) -> [PythonProxy; N] {
    let mut found = Vec::new();
    for name in names {
        found.push(script.getattr(name).await.expect("it is there"));
    }
    found.try_into().expect("one for each name")
}

/// What Python raised.
fn raised(error: oad::Error) -> String {
    error.exception().expect("Python raised it").type_name().to_owned()
}

const ROWS: &str = r#"
    class Truths(list):
        def __bool__(self): raise ValueError('the truth value of several items is ambiguous')
    class Row:
        def __init__(self, *items): self.items = items
        def _each(self, other, compare):
            return Truths(compare(a, b) for a, b in zip(self.items, other.items))
        def __eq__(self, other): return self._each(other, lambda a, b: a == b)
        def __lt__(self, other): return self._each(other, lambda a, b: a < b)
        def __le__(self, other): return 'perhaps'
        __hash__ = None
    a, b = Row(1, 5, 3), Row(1, 4, 4)
"#;

#[tokio::test]
async fn comparison_returns_what_the_class_says_and_not_its_truth() {
    let script = script(ROWS).await;
    let [a, b] = named(&script, ["a", "b"]).await;
    let equal: Vec<bool> = a.operate("eq", (&b,)).by_value().await.expect("it answers");
    assert_eq!(equal, [true, false, false]);
    let less: Vec<bool> = a.operate("lt", (&b,)).by_value().await.expect("it answers");
    assert_eq!(less, [false, false, true]);
    // Only `lt` is defined, and Python reflects it.
    let greater: Vec<bool> = a.operate("gt", (&b,)).by_value().await.expect("it answers");
    assert_eq!(greater, [false, true, false]);
    assert_eq!(a.operate::<String>("le", (&b,)).await.expect("it answers"), "perhaps");
    let truths: PythonProxy = a.operate("eq", (&b,)).await.expect("it stays");
    assert_eq!(truths.type_name(), "script.Truths");
    assert_eq!(raised(truths.is_truthy().await.expect_err("it has none")), "ValueError");
    let error = a.equals(&b).await.expect_err("that is not a bool");
    assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
    // What a class does not define for `ne` is the contrary of `eq`, of whose truth there
    // is none.
    assert_eq!(
        raised(a.operate::<Value>("ne", (&b,)).await.expect_err("it asks for the truth")),
        "ValueError"
    );
    assert_eq!(raised(a.operate::<i64>("hash", ()).await.expect_err("it has none")), "TypeError");
}

const LEFT_RIGHT: &str = r#"
    class Left:
        def __add__(self, other): return NotImplemented
        def __eq__(self, other): return NotImplemented
        def __lt__(self, other): return NotImplemented
        def __iadd__(self, other): return NotImplemented
        def __hash__(self): return 42
    class Right:
        def __radd__(self, other): return 'radd of ' + type(other).__name__
        def __eq__(self, other): return 'eq'
        def __gt__(self, other): return 'gt'
    class Child(Left):
        def __radd__(self, other): return 'the child first'
    left, right, child, again = Left(), Right(), Child(), Left()
"#;

#[tokio::test]
async fn operand_that_declines_leaves_it_to_the_other_and_both_to_python() {
    let script = script(LEFT_RIGHT).await;
    let [left, right, child, again] = named(&script, ["left", "right", "child", "again"]).await;
    for (operator, expected) in
        [("add", "radd of Left"), ("iadd", "radd of Left"), ("eq", "eq"), ("lt", "gt")]
    {
        let told: String = left.operate(operator, (&right,)).await.expect("the other knows");
        assert_eq!(told, expected, "{operator}");
    }
    assert_eq!(
        left.operate::<String>("add", (&child,)).await.expect("it answers"),
        "the child first"
    );
    let seven = with(oad::python_value(7)).within(script.daemon()).await.expect("it is made");
    assert_eq!(
        seven.operate::<String>("add", (&right,)).await.expect("it is reflected"),
        "radd of int"
    );
    for operator in ["add", "iadd", "lt", "sub"] {
        let error = left.operate::<Value>(operator, (&again,)).await.expect_err("nobody knows");
        assert_eq!(raised(error), "TypeError", "{operator}");
    }
    assert!(!left.equals(&again).await.expect("by identity they differ"));
    assert!(left.equals(&left).await.expect("by identity it is the same"));
    assert!(left.operate::<bool>("ne", (&again,)).await.expect("it answers"));
}

#[tokio::test]
async fn types_and_names_are_asked_for_as_of_a_local_object() {
    let script = script(LEFT_RIGHT).await;
    let [left, right, child, parent, class] =
        named(&script, ["left", "right", "child", "Left", "Child"]).await;
    assert!(child.operate::<bool>("isinstance", (&parent,)).await.expect("it answers"));
    assert!(!left.operate::<bool>("isinstance", (&class,)).await.expect("it answers"));
    assert!(child.operate::<bool>("isinstance", ((&class, &parent),)).await.expect("any of them"));
    assert!(class.operate::<bool>("issubclass", (&parent,)).await.expect("it answers"));
    assert!(!parent.operate::<bool>("issubclass", (&class,)).await.expect("it answers"));
    assert_eq!(
        raised(
            left.operate::<bool>("issubclass", (&parent,)).await.expect_err("it is not a class")
        ),
        "TypeError"
    );
    let found: PythonProxy = child.operate("type", ()).await.expect("it answers");
    assert_eq!((found.handle(), found.type_name()), (class.handle(), "type"));
    assert_eq!(left.operate::<i64>("hash", ()).await.expect("it answers"), 42);
    assert_eq!(
        raised(right.operate::<i64>("hash", ()).await.expect_err("it has none")),
        "TypeError"
    );
    let names: Vec<String> = child.operate("dir", ()).await.expect("it answers");
    assert!(
        ["__add__", "__radd__", "__class__"]
            .iter()
            .all(|name| names.iter().any(|there| there == name))
    );
    assert!(child.operate::<bool>("callable", ()).await.is_ok_and(|callable| !callable));
    assert!(class.operate::<bool>("callable", ()).await.expect("it answers"));
}

#[tokio::test]
async fn what_is_added_in_place_to_an_attribute_or_an_item_is_kept() {
    let source = r#"
        class Box: pass
        box = Box()
        box.count, box.items = 1, [1]
        items = box.items
        prices = {'tea': 2, 'cakes': [1]}
        def same(): return box.items is items
    "#;
    let script = script(source).await;
    let [held, prices] = named(&script, ["box", "prices"]).await;
    // An object that changes itself is the same one afterwards; one that cannot, such as
    // a number, is another, which is put there.
    let count: PythonProxy = held.getattr("count").await.expect("it answers");
    held.setattr("count", count.operate::<Value>("iadd", (2,)).await.expect("it answers"))
        .await
        .expect("it is set");
    assert_eq!(held.getattr::<i64>("count").await.expect("it answers"), 3);
    let items: PythonProxy = held.getattr("items").await.expect("it answers");
    let sum: PythonProxy = items.operate("iadd", (vec![2],)).await.expect("it answers");
    assert_eq!(sum.handle(), items.handle());
    held.setattr("items", &sum).await.expect("it is set");
    assert!(
        script.call::<bool>("same", ()).await.expect("it answers"),
        "it is still the same list"
    );
    assert_eq!(script.getattr::<Vec<i64>>("items").await.expect("it answers"), [1, 2]);

    let tea: PythonProxy = prices.get_item("tea").await.expect("it answers");
    prices
        .set_item("tea", tea.operate::<PythonProxy>("iadd", (3,)).await.expect("it answers"))
        .await
        .expect("it is set");
    assert_eq!(prices.get_item::<i64>("tea").await.expect("it answers"), 5);
    let cakes: PythonProxy = prices.get_item("cakes").await.expect("it answers");
    cakes.operate::<PythonProxy>("iadd", (vec![4],)).await.expect("it answers");
    assert_eq!(prices.get_item::<Vec<i64>>("cakes").await.expect("it answers"), [1, 4]);
    cakes.operate::<PythonProxy>("imul", (2,)).await.expect("it answers");
    assert_eq!(prices.get_item::<Vec<i64>>("cakes").await.expect("it answers"), [1, 4, 1, 4]);
}
