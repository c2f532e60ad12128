//! Dynamic proxies, which do not know the object's type.

use oad::{ErrorKind, Proxy, Remote as _};

oad::test_daemon!();

/// A shelf.
struct Shelf(Vec<String>);

/// Holds books.
///
/// In order.
#[oad::object]
impl Shelf {
    fn new() -> Self {
        Shelf(Vec::new())
    }

    /// Adds copies of a book.
    fn put(&mut self, title: &str, copies: usize) -> usize {
        self.0.extend(std::iter::repeat_n(title.to_owned(), copies));
        self.0.len()
    }

    fn titles(&self) -> &[String] {
        &self.0
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

struct Other;

#[oad::object]
impl Other {
    fn new() -> Self {
        Other
    }
}

async fn shelf() -> Proxy {
    ShelfProxy::new().await.expect("a daemon can be made").as_proxy().clone()
}

#[tokio::test]
async fn methods_are_called_by_name() {
    let shelf = shelf().await;
    assert_eq!(shelf.call::<usize>("put", ("A", 2)).await.expect("it answers"), 2);
    assert_eq!(
        shelf.call::<usize>("put", vec![("B", 1)]).await.expect_err("one argument is given").kind(),
        ErrorKind::BadArguments
    );
    assert_eq!(shelf.call::<Vec<String>>("titles", ()).await.expect("it answers"), ["A", "A"]);
    shelf.call::<()>(String::from("clear"), ()).await.expect("it answers");
    let timeout = std::time::Duration::from_secs(10);
    let titles: oad::Value = shelf.call("titles", ()).timeout(timeout).await.expect("it answers");
    assert_eq!(titles, Vec::<String>::new().into());
}

#[tokio::test]
async fn mistakes_have_readable_errors() {
    let shelf = shelf().await;
    let on = format!("on daemon {} (Shelf): ", shelf.pid());
    let message = |error: oad::Error| error.to_string().replace(&on, "");
    let error = shelf.call::<()>("burn", ()).await.expect_err("there is no such method");
    assert_eq!(error.kind(), ErrorKind::NoSuchMethod);
    let expected = "calling Shelf.burn `dynamic::Shelf` has no method `burn`; \
                    its methods are: put, titles, clear";
    assert_eq!(message(error), expected);
    let error = shelf.call::<()>("put", ("A",)).await.expect_err("it has two parameters");
    assert!(
        message(error)
            .contains("`put` takes 2 arguments (title: &str, copies: usize), but 1 was given")
    );
    let error = shelf.call::<()>("put", "A").await.expect_err("it is not a tuple");
    assert!(
        message(error).contains("the arguments of a call are a tuple, such as `(1,)`, not text")
    );
    let error = shelf.call::<i64>("titles", ()).await.expect_err("it is not a number");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let expected = "calling Shelf.titles expected an integer from \
                    -9223372036854775808 to 9223372036854775807, \
                    but `Shelf.titles` returned a list";
    assert_eq!(message(error), expected);
}

#[tokio::test]
async fn description_lists_the_methods() {
    let description = shelf().await.describe().await.expect("it answers");
    assert_eq!(description.type_name(), "dynamic::Shelf");
    let put = description.method("put").expect("it is there");
    assert_eq!(put.parameters().collect::<Vec<_>>(), [("title", "&str"), ("copies", "usize")]);
    assert_eq!((put.returns(), put.documentation()), ("usize", "Adds copies of a book."));
    let expected = "\
/// Holds books.
///
/// In order.
impl dynamic::Shelf {
    /// Adds copies of a book.
    fn put(&mut self, title: &str, copies: usize) -> usize;
    fn titles(&self) -> &[String];
    fn clear(&mut self);
}";
    assert_eq!(description.to_string(), expected);
}

#[tokio::test]
async fn proxies_convert_between_typed_and_dynamic() {
    let shelf = shelf().await;
    let typed: ShelfProxy = shelf.typed().expect("it is a `Shelf`");
    assert_eq!(typed.put("C", 1).await.expect("it answers"), 1);
    let error = shelf.typed::<OtherProxy>().expect_err("it is a `Shelf`");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let expected = "the object is a `dynamic::Shelf`, not a `dynamic::Other`";
    assert!(error.to_string().ends_with(expected), "{error}");
    shelf.typed::<Proxy>().expect("a dynamic proxy is of any type");
    let other =
        OtherProxy::new().within(shelf.daemon()).await.expect("the daemon takes a second object");
    assert_eq!((other.as_proxy().type_name(), other.pid()), ("dynamic::Other", shelf.pid()));
}
