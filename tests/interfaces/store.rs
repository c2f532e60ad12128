//! A proxy in the place of a local value: its calls, its errors, its waiting.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use oad::{ErrorKind, Remote as _};

/// What a store cannot do.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum StoreError {
    /// No room is left.
    Full(usize),
    /// The daemon could not be asked.
    Unreachable(String),
}

impl From<oad::Error> for StoreError {
    fn from(error: oad::Error) -> Self {
        StoreError::Unreachable(error.to_string())
    }
}

/// Cannot cross.
#[derive(Debug)]
pub struct Local(String);

impl From<oad::Error> for Local {
    fn from(error: oad::Error) -> Self {
        Local(error.to_string())
    }
}

/// Keeps texts.
#[oad::object(pub)]
pub trait Store: Send + Sync {
    /// Not asked of anybody.
    const SHELVES: usize = 2;

    /// The text under a key.
    fn get(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Puts a text there.
    #[oad(error)]
    async fn put(&mut self, key: String, value: &str) -> Result<(), StoreError>;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts, later.
    fn count(&self, from: usize) -> impl Future<Output = oad::Result<usize>> + Send;

    /// Puts several there, one after the other.
    async fn put_all(&mut self, texts: &[(String, String)]) -> Result<usize, StoreError> {
        for (key, value) in texts {
            self.put(key.clone(), value).await?;
        }
        Ok(self.len())
    }

    /// Waits for ever, and keeps nobody else waiting.
    async fn idle(&self) -> Vec<u8> {
        std::future::pending().await
    }

    /// Fails in a way that cannot cross.
    fn fail(&self) -> Result<(), Local> {
        Err(Local("there".into()))
    }

    /// Fails in any way.
    fn boxed(&self) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
        Err("boxed".into())
    }

    /// Panics.
    fn panic(&mut self) {
        panic!("on purpose")
    }

    /// Ends it.
    fn close(self) -> usize
    where
        Self: Sized,
    {
        self.len()
    }

    /// All texts, one by one.
    async fn texts(&self) -> oad::Result<oad::Stream<String>>;

    /// Puts what comes under numbers.
    async fn fill(&mut self, texts: oad::Stream<String>) -> oad::Result<usize>;

    /// Stays here.
    #[oad(skip)]
    fn names(&self) -> Vec<&str> {
        vec!["store"]
    }

    /// Not a method.
    #[oad(skip)]
    fn kind() -> &'static str
    where
        Self: Sized,
    {
        "memory"
    }
}

/// In memory.
struct MemoryStore {
    texts: BTreeMap<String, String>,
    capacity: usize,
}

#[oad::object]
impl MemoryStore {
    fn new(capacity: usize) -> Self {
        MemoryStore { texts: BTreeMap::new(), capacity }
    }

    /// Its own, and not the trait's.
    fn len(&self) -> String {
        format!("{} of {}", self.texts.len(), self.capacity)
    }
}

#[oad::object]
impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        if key == "full" {
            Err(StoreError::Full(self.capacity))
        } else {
            Ok(self.texts.get(key).cloned())
        }
    }

    async fn put(&mut self, key: String, value: &str) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        if self.texts.len() == self.capacity {
            return Err(StoreError::Full(self.capacity));
        }
        self.texts.insert(key, value.to_owned());
        Ok(())
    }

    fn len(&self) -> usize {
        self.texts.len()
    }

    async fn count(&self, from: usize) -> oad::Result<usize> {
        tokio::task::yield_now().await;
        Ok(from + self.texts.len())
    }

    async fn texts(&self) -> oad::Result<oad::Stream<String>> {
        Ok(oad::Stream::iter(self.texts.clone().into_values()))
    }

    async fn fill(&mut self, mut texts: oad::Stream<String>) -> oad::Result<usize> {
        while let Some(text) = texts.next().await {
            self.texts.insert(self.texts.len().to_string(), text?);
        }
        Ok(self.texts.len())
    }
}

mod boxed {
    /// Object-safe by another's macro.
    #[oad::object(pub(crate))]
    #[tonic::async_trait]
    pub(crate) trait Boxed: Send + Sync {
        async fn double(&self, n: &u32) -> oad::Result<u32>;
    }
}

#[oad::object]
#[tonic::async_trait]
impl boxed::Boxed for MemoryStore {
    async fn double(&self, n: &u32) -> oad::Result<u32> {
        tokio::task::yield_now().await;
        Ok(n * 2)
    }
}

/// Implements nothing.
struct Plain;

#[oad::object]
impl Plain {
    fn new() -> Self {
        Plain
    }
}

#[tokio::test]
async fn typed_proxy_of_an_interface_is_checked() {
    let plain = PlainProxy::new().await.expect("a daemon can be made");
    let error = plain.as_proxy().typed::<StoreProxy>().expect_err("it is not a store");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let expected =
        "`interfaces::store::Plain`, which does not implement `interfaces::store::Store`";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[tokio::test]
async fn streams_cross_an_interface_in_both_directions() {
    async fn copy(store: &mut impl Store) -> oad::Result<Vec<String>> {
        store.fill(oad::Stream::iter(["a", "b"].map(str::to_owned))).await?;
        store.texts().await?.collect().await
    }
    let mut local = MemoryStore { texts: BTreeMap::new(), capacity: 2 };
    assert_eq!(copy(&mut local).await.expect("it is here"), ["a", "b"]);
    assert_eq!(copy(&mut store().await).await.expect("it is there"), ["a", "b"]);
}

async fn store() -> StoreProxy {
    StoreProxy::spawn("MemoryStore::new", (2,)).await.expect("a daemon can be made")
}

/// Generic code that knows only the trait.
async fn fill(store: &mut impl Store) -> Result<usize, StoreError> {
    store.put("a".into(), "1").await?;
    assert_eq!(store.get("a")?.as_deref(), Some("1"));
    assert!(!store.is_empty());
    Ok(store.count(10).await.map_err(StoreError::from)? + store.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_stands_in_for_the_local_type() {
    assert_eq!(fill(&mut MemoryStore::new(2)).await, Ok(12));
    let mut store = store().await;
    assert_eq!(fill(&mut store).await, Ok(12));
    assert_ne!(store.pid(), std::process::id());
    assert_eq!(Store::names(&store), ["store"]);
    // On a task of its own, so that its future is `Send`, and its body runs in the
    // daemon.
    let texts = [("b".to_owned(), "2".to_owned()), ("c".to_owned(), "3".to_owned())];
    let mut elsewhere = store.clone();
    let all = tokio::spawn(async move { Store::put_all(&mut elsewhere, &texts).await });
    assert_eq!(all.await.expect("it does not panic"), Err(StoreError::Full(2)));
    assert_eq!(Store::close(store), 2);
}

#[tokio::test]
async fn own_methods_of_the_proxy_are_calls() {
    let store = store().await;
    store.put("a".into(), "1").timeout(Duration::from_secs(10)).await.expect("there is room");
    assert_eq!(store.get("a").await.expect("it answers").as_deref(), Some("1"));
    assert_eq!(store.len().await.expect("it answers"), 1);
    let error = store.idle().timeout(Duration::from_millis(10)).await.expect_err("it never ends");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    store.put("b".into(), "2").await.expect("there is room");
    assert_eq!(store.put("c".into(), "3").await, Err(StoreError::Full(2)));
    assert_eq!(store.close().await.expect("it answers"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn error_is_the_methods_own_or_made_of_oads() {
    let mut store = store().await;
    assert_eq!(Store::get(&store, "full"), Err(StoreError::Full(2)));
    let error = Store::fail(&store).expect_err("it fails");
    assert!(error.0.contains("the object failed with interfaces::store::Local"), "{error:?}");
    let error =
        Store::boxed(&store).expect_err("it fails").downcast::<oad::Error>().expect("it is oad's");
    assert_eq!(error.exception().map(oad::Exception::message), Some("boxed"));
    store.shutdown().await.expect("it ends");
    let Err(StoreError::Unreachable(message)) = Store::get(&store, "a") else {
        panic!("it is gone")
    };
    assert!(message.starts_with("calling MemoryStore.get on daemon"), "{message}");
    let Err(StoreError::Unreachable(_)) = Store::put(&mut store, String::new(), "").await else {
        panic!("it is gone")
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn method_that_cannot_fail_panics_with_the_errors_message() {
    let mut store = store().await;
    let panic = |result: Result<(), tokio::task::JoinError>| {
        let payload = result.expect_err("it panics").into_panic();
        *payload.downcast::<String>().expect("it is a message")
    };
    let mut panicking = store.clone();
    let message = panic(tokio::spawn(async move { Store::panic(&mut panicking) }).await);
    assert!(message.contains("the object panicked at"), "{message}");
    store.shutdown().await.expect("it ends");
    let message = panic(tokio::spawn(async move { Store::panic(&mut store) }).await);
    assert!(message.contains("the daemon was shut down"), "{message}");
}

#[tokio::test]
async fn sync_method_on_the_thread_of_the_connection_fails_instead_of_hanging() {
    let store = store().await;
    let Err(StoreError::Unreachable(message)) = Store::get(&store, "a") else {
        panic!("it would hang")
    };
    let expected = "this sync method would block the thread that carries the daemon's connection";
    assert!(message.contains(expected), "{message}");
    let elsewhere = store.clone();
    let got = tokio::task::spawn_blocking(move || Store::get(&elsewhere, "a"))
        .await
        .expect("it does not panic");
    assert_eq!(got, Ok(None));
}

#[test]
fn sync_method_works_without_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let store = runtime.block_on(store());
    assert_eq!(Store::len(&store), 0);
    let store =
        futures_executor::block_on(async { StoreProxy::spawn("MemoryStore::new", (1,)).await });
    assert_eq!(Store::len(&store.expect("a daemon can be made")), 0);
}

#[tokio::test]
async fn own_method_wins_and_the_qualified_one_is_the_interfaces() {
    let own = MemoryStoreProxy::new(2).await.expect("a daemon can be made");
    assert_eq!(own.len().await.expect("it answers"), "0 of 2");
    let proxy = own.as_proxy();
    for (method, expected) in [
        ("len", "0 of 2".into()),
        ("Store::len", 0.into()),
        ("interfaces::store::Store::len", oad::Value::Int(0)),
    ] {
        assert_eq!(
            proxy.call::<oad::Value>(method, ()).await.expect("it answers"),
            expected,
            "{method}"
        );
    }
    assert_eq!(proxy.typed::<StoreProxy>().expect("it is one").len().await.expect("it answers"), 0);
    let description = proxy.describe().await.expect("it answers");
    assert_eq!(
        description.interfaces(),
        ["interfaces::store::Store", "interfaces::store::boxed::Boxed"]
    );
    let names: Vec<&str> = description.methods().iter().map(|method| method.name()).collect();
    let expected = [
        "len",
        "get",
        "put",
        "Store::len",
        "is_empty",
        "count",
        "put_all",
        "idle",
        "fail",
        "boxed",
        "panic",
        "close",
        "texts",
        "fill",
        "double",
    ];
    assert_eq!(names, expected);
    let put = description.method("put").expect("it has one");
    assert_eq!(
        put.signature(),
        "async fn put(&mut self, key: String, value: &str) -> Result<(), StoreError>"
    );
    assert_eq!(put.documentation(), "Puts a text there.");
}

#[tokio::test]
async fn trait_of_boxed_futures_works_the_same() {
    let store = boxed::BoxedProxy::spawn("interfaces::store::MemoryStore::new", (2,))
        .await
        .expect("a daemon can be made");
    let dynamic: Box<dyn boxed::Boxed> = Box::new(store.clone());
    assert_eq!(dynamic.double(&4).await.expect("it answers"), 8);
    assert_eq!(store.double(&2).await.expect("it answers"), 4);
}

#[tokio::test]
async fn what_cannot_be_made_says_why() {
    async fn complaint(constructor: &str) -> (ErrorKind, String) {
        let error = StoreProxy::spawn(constructor, (2,)).await.expect_err("there is no such store");
        let message = error.to_string();
        (error.kind(), message.split_once(": ").map(|(_, why)| why.to_owned()).unwrap_or(message))
    }
    for spelling in ["MemoryStore", "::new", "MemoryStore::", ""] {
        let expected = format!(
            "`{spelling}` is not the path of a constructor; write its type and its name, such as \
             `MemoryStore::new`"
        );
        assert_eq!(complaint(spelling).await, (ErrorKind::BadArguments, expected));
    }
    let expected = "`interfaces::order::Bare` does not implement the interface \
                    `interfaces::store::Store`; types that implement it: \
                    interfaces::store::MemoryStore";
    assert_eq!(complaint("Bare::new").await, (ErrorKind::NoSuchMethod, expected.to_owned()));
    let (kind, message) = complaint("Nope::new").await;
    assert_eq!(kind, ErrorKind::NoSuchMethod);
    assert!(message.starts_with("the daemon's program has no object type `Nope`"), "{message}");
    let (_, message) = complaint("MemoryStore::old").await;
    let expected =
        "`interfaces::store::MemoryStore` has no constructor `old`; its constructors are: new";
    assert_eq!(message, expected);
}
