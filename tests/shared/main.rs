//! Objects that methods return and accept by reference.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use oad::{ErrorKind, Proxy, Remote as _, Shared, Stream, Value};

mod release;

oad::test_daemon!();

/// Money, in cents.
struct Account {
    name: String,
    cents: i64,
}

#[oad::object]
impl Account {
    fn alone(cents: i64) -> Self {
        Account { name: String::new(), cents }
    }

    fn cents(&self) -> i64 {
        self.cents
    }

    fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    /// Ends the account.
    fn close(self) -> i64 {
        self.cents
    }
}

/// Not `Sync`, so that its methods run one at a time.
struct Meter(std::cell::Cell<u32>);

#[oad::object(serial)]
impl Meter {
    fn tick(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Named<T> {
    name: String,
    account: T,
}

#[derive(Default)]
struct Bank {
    accounts: Vec<Shared<Account>>,
    kept: Option<Shared<Account>>,
    stream: Option<Stream<u64>>,
}

#[oad::object]
impl Bank {
    fn new() -> Self {
        Bank::default()
    }

    /// Takes over an existing account.
    fn with(first: Shared<Account>) -> Self {
        Bank { accounts: vec![first], ..Bank::default() }
    }

    fn open(&mut self, name: &str) -> Shared<Account> {
        let account = Shared::new(Account { name: name.to_owned(), cents: 0 });
        self.accounts.push(account.clone());
        account
    }

    fn temporary(&self) -> Shared<Account> {
        Shared::new(Account { name: String::new(), cents: 0 })
    }

    fn find(&self, name: &str) -> Result<Option<Shared<Account>>, String> {
        let is_it = |account: &&Shared<Account>| {
            account.blocking_read().is_ok_and(|account| account.name == name)
        };
        Ok(self.accounts.iter().find(is_it).cloned())
    }

    fn all(&self) -> HashMap<String, Vec<oad::Shared<Account>>> {
        HashMap::from([("all".to_owned(), self.accounts.clone())])
    }

    fn wide(&self, count: usize) -> Vec<Shared<Account>> {
        vec![self.accounts[0].clone(); count]
    }

    async fn slowly(&self) -> Shared<Account> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.accounts[0].clone()
    }

    fn transfer(&self, from: &Shared<Account>, to: Shared<Account>, cents: i64) -> oad::Result<()> {
        from.blocking_write()?.cents -= cents;
        to.blocking_write()?.cents += cents;
        Ok(())
    }

    async fn sum(&self, accounts: Vec<Shared<Account>>) -> oad::Result<i64> {
        let mut sum = 0;
        for account in &accounts {
            sum += account.read().await?.cents;
        }
        Ok(sum)
    }

    /// Waits in sync code inside an async method, more often than a task may run without
    /// yielding.
    async fn impatient(&self, account: Shared<Account>) -> oad::Result<i64> {
        let mut sum = 0;
        for _ in 0..1000 {
            sum += account.blocking_read()?.cents;
            sum += account.blocking_write()?.cents;
        }
        Ok(sum)
    }

    fn keep(&mut self, account: Option<Shared<Account>>) {
        self.kept = account;
    }

    fn is_kept(&self, account: Shared<Account>) -> bool {
        self.kept.as_ref() == Some(&account)
    }

    fn meter(&self) -> Shared<Meter> {
        Shared::new(Meter(std::cell::Cell::new(0)))
    }

    fn read_meter(&self, meter: Shared<Meter>) -> oad::Result<u32> {
        Ok(meter.blocking_write()?.tick())
    }

    /// Returns a handle of an object in another daemon.
    fn stranger(&self, id: u64) -> oad::value::Handle {
        let name = serde_json::json!({ "daemon": uuid::Uuid::from_u128(7), "id": id });
        serde_json::from_value(name).expect("it has the right type")
    }

    fn echo(&self, value: Value) -> Value {
        value
    }

    fn hand_on(&self, values: Stream<Value>) -> Stream<Value> {
        values
    }

    /// Returns an account, and then an item that may exceed the limit.
    fn account_and_blob(
        &self,
        size: usize,
    ) -> impl Iterator<Item = (Option<Shared<Account>>, oad::value::Bytes)> {
        let items =
            [(Some(self.temporary()), vec![0; 100 * 1024].into()), (None, vec![0; size].into())];
        items.into_iter()
    }

    /// Returns an account in an item that cannot be sent.
    fn account_too_deep(&self) -> impl Iterator<Item = (Shared<Account>, Deep)> {
        std::iter::once((self.temporary(), Deep(40)))
    }

    fn keep_stream(&mut self, stream: Stream<u64>) -> Shared<Account> {
        self.stream = Some(stream);
        self.temporary()
    }

    fn fails_with_one(&self) -> (Shared<Account>, Deep) {
        (self.temporary(), Deep(40))
    }
}

/// Nested too deeply to travel.
#[derive(Debug, serde::Deserialize)]
struct Deep(usize);

impl serde::Serialize for Deep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let next = self.0.checked_sub(1).map(Deep);
        serde::Serialize::serialize(&[next], serializer)
    }
}

async fn bank() -> BankProxy {
    BankProxy::new().await.expect("a daemon can be made")
}

/// Returns how many objects live in the daemon, including the bank.
async fn living(bank: &BankProxy) -> usize {
    bank.daemon().objects().await.expect("it answers").len()
}

/// Waits until so many objects live in the daemon, because a release has no response.
async fn until_living(bank: &BankProxy, count: usize) {
    let started = Instant::now();
    loop {
        match living(bank).await {
            now if now == count => return,
            now => assert!(
                started.elapsed() < Duration::from_secs(10),
                "{now} objects live, expected {count}"
            ),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn returned_object_stays_in_the_daemon_and_is_called() {
    let bank = bank().await;
    let account: AccountProxy = bank.open("Ada").await.expect("it opens");
    assert_eq!(account.deposit(5).await.expect("it answers"), 5);
    assert_eq!(account.daemon().id(), bank.daemon().id());
    let again = bank.find("Ada").await.expect("it answers").expect("it is there");
    assert_eq!(again.as_proxy().handle(), account.as_proxy().handle(), "it is the same");
    assert_eq!(again.cents().await.expect("it answers"), 5);
    assert!(bank.find("Bob").await.expect("it answers").is_none());
}

#[tokio::test]
async fn proxy_as_argument_is_the_object_itself() {
    let bank = bank().await;
    let (ada, bob) =
        (bank.open("Ada").await.expect("it opens"), bank.open("Bob").await.expect("it opens"));
    ada.deposit(10).await.expect("it answers");
    bank.transfer(&ada, bob.clone(), 4).await.expect("it transfers");
    assert_eq!(
        (ada.cents().await.expect("it answers"), bob.cents().await.expect("it answers")),
        (6, 4)
    );
    assert_eq!(
        bank.sum(vec![ada.clone(), bob.clone(), ada.clone()]).await.expect("it answers"),
        16
    );
    bank.keep(Some(bob.clone())).await.expect("it answers");
    assert!(bank.is_kept(bob).await.expect("it answers"));
    assert!(!bank.is_kept(ada).await.expect("it answers"));
}

#[tokio::test]
async fn objects_nest_in_serializable_types() {
    let bank = bank().await;
    let ada = bank.open("Ada").await.expect("it opens");
    let all = bank.all().await.expect("it answers");
    assert_eq!(all["all"].len(), 1);
    let named: Named<Proxy> =
        Named { name: "a".to_owned(), account: all["all"][0].as_proxy().clone() };
    assert!(serde_json::to_value(&named).is_ok(), "in JSON a handle is readable");
    assert_eq!(bank.wide(3).await.expect("it answers").len(), 3);
    assert_eq!(ada.cents().await.expect("it answers"), 0);
}

#[tokio::test]
async fn dynamic_proxies_travel_both_ways() {
    let bank = bank().await;
    let ada: Proxy = bank.as_proxy().call("open", ("Ada",)).await.expect("it opens");
    assert_eq!(ada.type_name(), "shared::Account");
    assert_eq!(ada.call::<i64>("deposit", (3,)).await.expect("it answers"), 3);
    assert_eq!(bank.as_proxy().call::<i64>("sum", (vec![&ada],)).await.expect("it answers"), 3);
    let typed: AccountProxy = ada.typed().expect("it has the right type");
    assert_eq!(typed.cents().await.expect("it answers"), 3);
}

#[tokio::test]
async fn every_bad_handle_is_the_same_error() {
    let (bank, other) = (bank().await, bank().await);
    let (own, foreign) =
        (bank.open("Ada").await.expect("it opens"), other.open("Bob").await.expect("it opens"));
    let taken = bank.temporary().await.expect("it answers");
    taken.clone().close().await.expect("it closes");
    let message = "the daemon has no object with this handle; the object was released or \
                   consumed by a method, or the handle belongs to another daemon";
    for account in [foreign, taken] {
        let error = bank.keep(Some(account)).await.expect_err("it is not an object of this daemon");
        assert_eq!(error.kind(), ErrorKind::NoSuchObject);
        assert!(error.to_string().ends_with(message), "{error}");
    }
    let guessed = serde_json::json!({ "daemon": bank.daemon().id(), "id": 999 });
    let guessed: oad::value::Handle =
        serde_json::from_value(guessed).expect("it has the right type");
    let error = bank.as_proxy().call::<()>("keep", (guessed,)).await.expect_err("it is guessed");
    assert!(
        error.kind() == ErrorKind::NoSuchObject && error.to_string().ends_with(message),
        "{error}"
    );
    // An object of another type exists, and is refused for its type.
    let error =
        bank.as_proxy().call::<()>("keep", (bank.clone(),)).await.expect_err("it is a bank");
    assert_eq!(error.kind(), ErrorKind::BadArguments);
    assert_eq!(own.cents().await.expect("nothing has happened to it"), 0);
}

#[tokio::test]
async fn constructor_takes_an_object_of_its_daemon() {
    let account = AccountProxy::alone(7).await.expect("a daemon can be made");
    let bank = BankProxy::with(account.clone()).within(account.daemon()).await.expect("it is made");
    assert_eq!(bank.sum(vec![account]).await.expect("it answers"), 7);
    assert_eq!(
        bank.find("")
            .await
            .expect("it answers")
            .expect("it is there")
            .cents()
            .await
            .expect("it answers"),
        7
    );
}

#[tokio::test]
async fn serial_object_is_shared_too() {
    let bank = bank().await;
    let meter = bank.meter().await.expect("it answers");
    assert_eq!(meter.tick().await.expect("it answers"), 1);
    assert_eq!(bank.read_meter(meter.clone()).await.expect("it answers"), 2);
    let account = bank.temporary().await.expect("it answers");
    account.deposit(1).await.expect("it answers");
    let read = bank.impatient(account).timeout(Duration::from_secs(10)).await;
    assert_eq!(read.expect("it does not wait for itself"), 2000);
}

#[tokio::test]
async fn proxy_dropped_right_after_a_call_was_sent_is_still_its_argument() {
    let bank = bank().await;
    for _ in 0..200 {
        let account = bank.temporary().await.expect("it answers");
        let mut call = Box::pin(bank.sum(vec![account.clone()]));
        assert!(futures_util::poll!(call.as_mut()).is_pending());
        drop(account);
        assert_eq!(call.await.expect("its argument is there"), 0);
    }
}

#[tokio::test]
async fn handle_in_a_plain_value_is_counted_like_any_other() {
    let bank = bank().await;
    let account = bank.temporary().await.expect("it answers");
    for _ in 0..3 {
        let echoed: Value = bank.as_proxy().call("echo", (&account,)).await.expect("it answers");
        assert!(matches!(echoed, Value::Handle(_)));
        let twin: AccountProxy =
            bank.as_proxy().call("echo", (&account,)).await.expect("it answers");
        let handles = Stream::iter([account.clone(), twin.clone()]);
        let twins: Stream<AccountProxy> =
            bank.as_proxy().call("hand_on", (handles,)).await.expect("it opens");
        assert_eq!(twins.collect::<Vec<_>>().await.expect("they come").len(), 2);
    }
    // The releases were sent before this.
    assert_eq!(account.deposit(1).await.expect("it lives"), 1);
    let nameless: oad::value::Handle = serde_json::from_value(serde_json::json!({
        "daemon": uuid::Uuid::nil(), "id": account.as_proxy().handle().id()
    }))
    .expect("it has the right type");
    let kept: () = bank
        .as_proxy()
        .call("keep", (&nameless,))
        .await
        .expect("without a UUID the handle means this daemon");
    let _: Value = bank.as_proxy().call("echo", (nameless,)).await.expect("it answers");
    assert_eq!((kept, account.deposit(1).await.expect("it lives")), ((), 2));
    bank.keep(None).await.expect("it answers");
    drop(account);
    until_living(&bank, 1).await;
}

#[tokio::test]
async fn handle_of_another_daemon_does_not_become_a_proxy() {
    let bank = bank().await;
    let account = bank.temporary().await.expect("it answers");
    let number = account.as_proxy().handle().id();
    let error = bank
        .as_proxy()
        .call::<Proxy>("stranger", (number,))
        .await
        .expect_err("it is another daemon's");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().ends_with("for an object in the daemon that was called"), "{error}");
    let name: Value = bank.as_proxy().call("stranger", (number,)).await.expect("it is a name");
    assert!(matches!(name, Value::Handle(_)));
    assert_eq!(account.deposit(1).await.expect("it lives"), 1);
}
