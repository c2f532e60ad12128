//! Keyword arguments arrive in the order in which they were given, on every way.

use super::*;

/// Random orders of seven names agree once in 5,040 times.
const NAMES: [&str; 7] = ["g", "b", "z", "a", "f", "c", "e"];

/// Fields in another order than that of the alphabet.
#[derive(serde::Serialize)]
struct Options {
    zeta: u8,
    alpha: u8,
    mu: u8,
}

const OPTIONS: Options = Options { zeta: 1, alpha: 2, mu: 3 };

const SOURCE: &str = r#"
    class Order:
        def __init__(self, **keywords): self.names = list(keywords)
        def __call__(self, **keywords): return list(keywords)
        def items(self, **keywords): yield from keywords
"#;

async fn orders_are_kept(script: PythonProxy) {
    let mut make = with(oad::python("", "Order")).within(script.daemon());
    for name in NAMES {
        make = make.keyword(name, 1);
    }
    let made = make.keywords(OPTIONS).await.expect("it is made");
    let expected = [&NAMES[..], &["zeta", "alpha", "mu"]].concat();
    let names: Vec<String> = made.getattr("names").await.expect("it answers");
    assert_eq!(names, expected);

    let mut call = made.call::<Vec<String>>("__call__", ());
    for name in NAMES {
        call = call.keyword(name, 1);
    }
    assert_eq!(call.keywords(OPTIONS).await.expect("it answers"), expected);

    // So large that the arguments travel in chunks, where there are any.
    let mut call = made.call::<Vec<String>>("__call__", ());
    for name in NAMES {
        call = call.keyword(name, "x".repeat(100_000));
    }
    assert_eq!(call.await.expect("it answers"), NAMES);

    let mut iterate = made.call_iter::<String>("items", ());
    for name in NAMES {
        iterate = iterate.keyword(name, 1);
    }
    let items: Vec<String> = iterate.await.expect("it opens").collect().await.expect("it ends");
    assert_eq!(items, NAMES);
}

#[tokio::test]
async fn order_of_keywords_is_kept_on_the_direct_way() {
    orders_are_kept(script(SOURCE).await).await;
}

#[tokio::test]
async fn order_of_keywords_is_kept_over_grpc() {
    let script = with(oad::python_script("script.py", dedent(SOURCE))).over_grpc();
    orders_are_kept(script.await.expect("it is made")).await;
}

#[tokio::test]
async fn order_of_keywords_is_kept_in_process() {
    let daemon = oad::daemon().in_process().await.expect("a daemon can be made");
    let script = with(oad::python_script("script.py", dedent(SOURCE))).within(&daemon);
    orders_are_kept(script.await.expect("it is made")).await;
}
