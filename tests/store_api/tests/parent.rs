//! The parent, which has only the trait: both implementations are in the other
//! executable.

use oad::{ErrorKind, Remote as _, Spawn};
use store_api::{Store, StoreError, StoreProxy};

const STORES: &str = env!("CARGO_BIN_EXE_stores");

fn spawn(constructor: &str, arguments: impl serde::Serialize) -> Spawn<StoreProxy> {
    StoreProxy::spawn(constructor, arguments).executable(STORES)
}

async fn fill(store: &mut impl Store) -> Result<(), StoreError> {
    assert!(store.is_empty());
    store.put("a".to_owned(), "1".to_owned()).await?;
    assert_eq!(store.get("a")?.as_deref(), Some("1"));
    assert_eq!(store.get("b")?, None);
    assert_eq!(store.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn implementations_are_chosen_by_name() {
    let mut memory = spawn("MemoryStore::new", (1,)).await.expect("the program has it");
    assert_eq!(fill(&mut memory).await, Ok(()));
    assert_eq!(memory.put("b".to_owned(), "2".to_owned()).await, Err(StoreError::Full));

    let directory = tempfile::tempdir().expect("the temporary directory can be written to");
    let files = StoreProxy::spawn("stores::FileStore::open", (directory.path(),))
        .within(memory.daemon())
        .await;
    let mut files = files.expect("the program has it too");
    assert_eq!(files.pid(), memory.pid());
    assert_eq!(fill(&mut files).await, Ok(()));
    assert_eq!(std::fs::read_to_string(directory.path().join("a")).expect("it is written"), "1");
}

#[tokio::test]
async fn objects_of_the_program_tell_what_they_implement() {
    let store = spawn("MemoryStore::new", (1,)).await.expect("the program has it");
    let description = store.as_proxy().describe().await.expect("it answers");
    assert_eq!(description.type_name(), "stores::MemoryStore");
    assert_eq!(description.interfaces(), ["store_api::Store"]);
}

#[tokio::test]
async fn type_that_the_program_lacks_is_told_with_those_it_has() {
    let error = spawn("Shelf::new", ()).await.expect_err("it has none");
    assert_eq!(error.kind(), ErrorKind::NoSuchMethod);
    let expected = "has no object type `Shelf`; its `#[oad::object]` types are: \
                    stores::FileStore, stores::MemoryStore";
    assert!(error.to_string().ends_with(expected), "{error}");
}
