use std::collections::BTreeMap;

use super::{Returned, TypeMap};

fn mapped<T>(map: impl FnOnce(&mut TypeMap<'_>) -> T) -> (T, Vec<String>) {
    let proxies = BTreeMap::from([("shop.Order".to_owned(), "OrderProxy".to_owned())]);
    let mut types = TypeMap { proxies: &proxies, own: "shop.Shop", notes: vec![] };
    (map(&mut types), types.notes)
}

fn returned(text: &str) -> String {
    match mapped(|types| types.returned(Some(text))).0 {
        Returned::Value(value) => value,
        Returned::Stream(item) => format!("stream of {item}"),
    }
}

fn parameter(text: &str) -> String {
    mapped(|types| types.parameter(Some(text), false, false)).0
}

#[test]
fn returned_types_are_owned() {
    for (python, rust) in [
        ("int", "i64"),
        ("None", "()"),
        ("typing.List[float]", "Vec<f64>"),
        ("list[typing.Tuple[int, str]]", "Vec<(i64, String)>"),
        ("tuple[int, ...]", "Vec<i64>"),
        ("tuple[int]", "(i64,)"),
        ("typing.Optional[bytes]", "Option<oad::value::Bytes>"),
        ("typing.Union[int, typing.Union[None, int]]", "Option<i64>"),
        ("typing.Union[int, str]", "oad::Value"),
        ("dict[str, list[shop.Order]]", "std::collections::BTreeMap<String, Vec<OrderProxy>>"),
        ("dict[float, int]", "oad::Value"),
        ("frozenset[str]", "std::collections::BTreeSet<String>"),
        ("set[float]", "oad::value::Set"),
        ("shop.Shop", "Self"),
        ("typing.Self", "Self"),
        ("pathlib.Path", "oad::PythonProxy"),
        ("list[pathlib.Path]", "Vec<oad::Proxy>"),
        ("typing.Optional[pathlib.Path]", "Option<oad::Proxy>"),
        ("collections.abc.Iterator[shop.Order]", "stream of OrderProxy"),
        ("typing.Generator[int, None, None]", "stream of i64"),
        ("typing.AsyncIterator[int]", "oad::PythonProxy"),
        ("typing.Coroutine[typing.Any, typing.Any, str]", "String"),
        ("typing.Final[int]", "i64"),
        ("datetime.datetime", "oad::value::DateTime"),
        ("typing.TypeVar", "oad::Value"),
        ("unknown", "oad::Value"),
        ("]][", "oad::Value"),
        ("list[", "Vec<oad::Value>"),
    ] {
        assert_eq!(returned(python), rust, "{python}");
    }
}

#[test]
fn parameters_are_borrowed() {
    for (python, rust) in [
        ("str", "&str"),
        ("list[str]", "&[&str]"),
        ("collections.abc.Iterable[int]", "&[i64]"),
        ("typing.Optional[str]", "Option<&str>"),
        ("shop.Order", "&OrderProxy"),
        ("shop.Shop", "&Self"),
        ("pathlib.Path", "&oad::PythonProxy"),
        ("typing.Callable[list_of_types, int]", "&oad::PythonProxy"),
        ("dict[str, int]", "&std::collections::BTreeMap<String, i64>"),
        ("set[int]", "&oad::value::Set"),
        ("tuple[int, ...]", "impl oad::ToPython"),
        ("tuple[int, int]", "(i64, i64)"),
        ("typing.Union[int, str]", "impl oad::ToPython"),
        ("typing.Optional[typing.Any]", "impl oad::ToPython"),
    ] {
        assert_eq!(parameter(python), rust, "{python}");
    }
    let optional =
        |text: &str, is_none| mapped(|types| types.parameter(Some(text), true, is_none)).0;
    assert_eq!(optional("int", false), "Option<i64>");
    assert_eq!(optional("typing.Optional[int]", true), "Option<i64>");
    assert_eq!(optional("typing.Optional[int]", false), "Option<Option<i64>>");
    assert_eq!(optional("typing.Any", true), "Option<oad::Value>");
}

#[test]
fn notes_say_what_has_no_type() {
    let (_, notes) = mapped(|types| types.returned(None));
    assert_eq!(notes, ["no annotation"]);
    let (_, notes) = mapped(|types| types.parameter(Some("list[typing.Any]"), false, false));
    assert_eq!(notes, ["any type"]);
    let (_, notes) = mapped(|types| types.attribute(Some("dict[str, int]")));
    assert!(notes.is_empty(), "{notes:?}");
}
