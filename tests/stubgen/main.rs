//! What stubgen writes: text that is compiled here, compared with what is written anew,
//! and used. `OAD_PYTHON` names the interpreter.

#[path = "../support/mod.rs"]
mod support;

#[rustfmt::skip]
#[allow(dead_code)]
mod generated;

use std::path::{Path, PathBuf};

use generated::{depot, shop, standard};
use oad::{ErrorKind, Interpreter, Value};
use support::python::interpreter;

oad::test_daemon!();

const TARGETS: &[(&str, &[&str])] = &[
    (
        "standard.rs",
        &[
            "io.StringIO",
            "fractions.Fraction",
            "pathlib.PurePosixPath",
            "collections.Counter",
            "datetime.date",
            "dict",
            "json",
        ],
    ),
    ("shop.rs", &["shop", "shop.Order", "shop.Shop"]),
    ("depot.rs", &["depot.Depot", "depot"]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stubgen")
}

/// An interpreter that finds the modules of this test, and those of another folder.
async fn started(other: &Path) -> Interpreter {
    // Nothing may be written beside the modules.
    let python = oad::interpreter(interpreter()).env("PYTHONDONTWRITEBYTECODE", "1");
    let python = python.path_entry(folder().join("modules")).path_entry(other);
    python.await.expect("it starts")
}

/// The committed text is what is written anew: that of our own modules by every Python,
/// that of the standard library by 3.11. `OAD_WRITE_STUBS` writes the files.
#[tokio::test]
async fn committed_traits_are_what_is_written() {
    let py = started(&folder()).await;
    let is_same_version = py.version().starts_with("3.11.");
    for (file, targets) in TARGETS {
        let text = oad::stubgen::generate(&py, targets).await.expect("they are written");
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
        let path = folder().join("generated").join(file);
        if std::env::var_os("OAD_WRITE_STUBS").is_some() {
            std::fs::write(&path, &text).expect("it can be written");
        }
        let committed = std::fs::read_to_string(&path).expect("it is there");
        // The first line names the version.
        let traits = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        if is_same_version || *file != "standard.rs" {
            assert!(
                traits(&committed) == traits(&text),
                "{file} differs; write it with OAD_WRITE_STUBS=1 and Python 3.11:\n{text}"
            );
        }
    }
}

#[tokio::test]
async fn written_traits_fit_and_are_used() {
    let py = started(&folder()).await;
    py.check::<shop::OrderProxy>().await.expect("it fits");
    py.check::<shop::ShopProxy>().await.expect("it fits");
    py.check::<shop::ShopModuleProxy>().await.expect("it fits");
    py.check::<depot::DepotProxy>().await.expect("it fits");
    py.check::<depot::DepotModuleProxy>().await.expect("it fits");
    py.check::<standard::JsonProxy>().await.expect("it fits");

    let order = shop::OrderProxy::new("pen", Some(3), None).in_interpreter(&py).await;
    let order = order.expect("it is made");
    order.set_size(4).await.expect("it is set");
    assert_eq!(order.r#type().await.expect("it has one"), "pen");
    assert_eq!(order.note().await.expect("it has none"), None);
    let cup = shop::OrderProxy::parse("cup:1").in_interpreter(&py).await.expect("it is made");
    let shop = shop::ShopProxy::new(None).in_interpreter(&py).await.expect("it is made");
    shop.add(&order, (&cup,)).await.expect("they are added");
    let mut orders = shop.each().await.expect("it iterates");
    let first = orders.next().await.expect("there is one").expect("it is one");
    assert_eq!(first.count().await.expect("it has one"), 4);
    assert!(shop.find("cup", None).await.expect("it is called").is_some());
    assert!(shop.find("ink", None).await.expect("it is called").is_none());
    assert_eq!(shop.names().await.expect("they are sent").len(), 2);
    let module = shop::ShopModuleProxy::import().in_interpreter(&py).await.expect("it is there");
    assert_eq!(module.total(&[order, cup]).await.expect("it is called"), 5);

    let depot = depot::DepotProxy::of(3).in_interpreter(&py).await.expect("it is made");
    assert_eq!(depot.take("pen").await.expect("it is called"), ["pen"]);
    assert_eq!(depot.copy().await.expect("it is made").put("pen", None).await.expect("put"), 1);
    let half = standard::FractionProxy::new(Some("1/2".into()), None).in_interpreter(&py).await;
    let half = half.expect("it is made");
    assert_eq!(half.denominator().await.expect("it has one"), Value::from(2));
    let json = standard::JsonProxy::import().in_interpreter(&py).await.expect("it is there");
    let text = json.dumps(
        [1, 2],
        None,
        None,
        None,
        None,
        None,
        Some(Value::from(0)),
        None,
        None,
        None,
        (),
    );
    assert_eq!(text.await.expect("it is called"), Value::from("[\n1,\n2\n]"));
}

#[tokio::test]
async fn fields_of_a_named_tuple_cannot_be_set() {
    let py = started(&folder()).await;
    let text = oad::stubgen::generate(&py, &["shop.Point"]).await.expect("it is written");
    assert!(text.contains("fn y(&self) -> i64;") && !text.contains("set_y"), "{text}");
}

#[tokio::test]
async fn stub_packages_are_read_and_broken_stubs_are_reported() {
    let other = tempfile::tempdir().expect("the temporary directory can be written to");
    let write = |name: &str, text: &str| {
        let path = other.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("writable");
        std::fs::write(path, text).expect("there is room");
    };
    write("apart.py", "class Apart:\n    def size(self): return 1\n");
    write("apart-stubs/__init__.pyi", "class Apart:\n    def size(self) -> int: ...\n");
    write("broken.py", "class Broken:\n    def size(self): return 1\n");
    write("broken.pyi", "class Broken(:\n");
    let py = started(other.path()).await;
    let text = oad::stubgen::generate(&py, &["apart.Apart"]).await.expect("it is written");
    assert!(text.contains("fn size(&self) -> i64;"), "{text}");
    let text = oad::stubgen::generate(&py, &["broken.Broken"]).await.expect("it is written");
    assert!(text.contains("// Not read: `broken.pyi` (invalid syntax"), "{text}");
    assert!(text.contains("fn size(&self) -> oad::Value;"), "{text}");
}

/// What Python allows and Rust does not.
#[tokio::test]
async fn odd_names_and_texts_become_rust() {
    let other = tempfile::tempdir().expect("the temporary directory can be written to");
    let source = r#"
class _3D:
    """A class ```with``` [odd] \u202e text."""
    def new(self, type, *, match=1, self_=2): return type
    def crate(self, **self_): return self_
    def set_size(self, size): pass
    size: int = 1
    vars()['a b'] = 1
"#;
    std::fs::write(other.path().join("odd.py"), source).expect("writable");
    let py = started(other.path()).await;
    let text = oad::stubgen::generate(&py, &["odd._3D"]).await.expect("it is written");
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    for part in [
        "/// A class ``with`` \\[odd\\] text.\n",
        "pub trait Python3D {",
        "fn new() -> Self;",
        "#[oad(name = \"new\")]\n    fn new_(",
        "r#type: impl oad::ToPython",
        "#[oad(keyword)] r#match: Option<oad::Value>",
        "#[oad(name = \"crate\")]\n    fn crate_(&self, ",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert_eq!(text.matches("fn set_size(").count(), 1, "{text}");
}

#[tokio::test]
async fn targets_that_cannot_be_written_are_refused() {
    let other = tempfile::tempdir().expect("the temporary directory can be written to");
    std::fs::write(other.path().join("needy.py"), "import no_such_thing\n").expect("writable");
    std::fs::write(other.path().join("liar.py"), "__name__ = 'a\"b'\n").expect("writable");
    let py = started(other.path()).await;
    for (targets, kind, part) in [
        (&[][..], ErrorKind::BadArguments, "no class or module is named"),
        (&["no_such_module.Class"], ErrorKind::Exception, "No module named 'no_such_module'"),
        (&["needy.Class"], ErrorKind::Exception, "No module named 'no_such_thing'"),
        (&["liar"], ErrorKind::BadArguments, r#"`a\"b` is not a name"#),
        (&["io.NoClass"], ErrorKind::Exception, "NoClass"),
        (&["json.dumps"], ErrorKind::Exception, "`json.dumps` is not a class"),
        (&["array.array", "array:array"], ErrorKind::BadArguments, "would both be `Array`"),
    ] {
        let error = oad::stubgen::generate(&py, targets).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{part} is missing: {error}");
    }
}
