//! The code that `#[oad::object]` generates: every kind of constructor, method, receiver,
//! argument and error, through a real daemon.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations, clippy::all)]
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};

use oad::{ErrorKind, Object, Remote as _};

oad::test_daemon!();

/// An account.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    balance: i64,
    owner: String,
}

/// Why a payment was refused.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Refusal {
    /// The balance is too low by this much.
    Short(i64),
    /// The daemon could not be reached.
    Unreachable(String),
}

impl From<oad::Error> for Refusal {
    fn from(error: oad::Error) -> Self {
        Refusal::Unreachable(error.to_string())
    }
}

/// Has neither `Display` nor `Debug`.
struct Mute;

/// Keeps money. See [`AccountProxy::pay_in`].
///
///   Indented.
#[oad::object]
impl Account {
    /// Not a method, so the macro ignores it.
    pub const DIGITS: usize = 2;

    /// Opens an account.
    pub fn open(balance: i64) -> Self {
        Account { balance, owner: String::new() }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ParseIntError> {
        Ok(Account::open(text.parse()?))
    }

    async fn later(mut balance: i64, owner: Option<&str>) -> io::Result<Account> {
        tokio::task::yield_now().await;
        balance += 1;
        if balance < 0 {
            return Err(io::Error::other("in debt"));
        }
        Ok(Account { balance, owner: owner.unwrap_or("nobody").to_owned() })
    }

    /// Pays in.
    ///
    /// Returns the balance.
    pub fn pay_in(&mut self, amount: i64) -> i64 {
        self.balance += amount;
        self.balance
    }

    #[oad(error)]
    fn pay_out(&mut self, amount: i64) -> Result<i64, Refusal> {
        match self.balance - amount {
            left if left < 0 => Err(Refusal::Short(-left)),
            left => {
                self.balance = left;
                Ok(left)
            }
        }
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn owner_or<'a>(&'a self, other: &'a str) -> Cow<'a, str> {
        if self.owner.is_empty() { Cow::Borrowed(other) } else { Cow::Borrowed(&self.owner) }
    }

    async fn digits(&self, text: Option<&str>, r#as: &[u8]) -> io::Result<usize> {
        tokio::task::yield_now().await;
        text.map(|text| text.len() + r#as.len()).ok_or_else(|| io::Error::other("no text"))
    }

    #[oad(finish)]
    async fn rename(&mut self, owner: &Path) {
        self.owner = owner.display().to_string();
    }

    #[oad(skip)]
    #[allow(dead_code)]
    fn generic<T>(&self, _: impl Fn(T)) {}

    fn count(
        &self,
        one: Option<&Path>,
        all: Vec<PathBuf>,
        more: Option<&usize>,
        array: [u8; Self::DIGITS],
    ) -> usize {
        one.iter().count() + all.len() + more.copied().unwrap_or(0) + array.len()
    }

    fn equals(&self, other: &Self) -> bool {
        self == other
    }

    fn copy(&self) -> Self {
        self.clone()
    }

    fn boxed(&self) -> Result<&i64, Box<dyn std::error::Error>> {
        Err("boxed".into())
    }

    fn mute(&self) -> Result<(), Mute> {
        Err(Mute)
    }

    fn nested(&self) -> io::Result<()> {
        let cause = "x".parse::<u8>().expect_err("it is not a number");
        Err(io::Error::other(Chained(cause)))
    }

    #[deprecated(note = "old")]
    fn old(&self) {}

    fn r#type(&self) -> Option<&str> {
        Some(&self.owner)
    }

    fn entries(&self) -> Vec<(&str, &i64)> {
        vec![(&self.owner, &self.balance)]
    }

    fn close(self) -> i64 {
        self.balance
    }

    async fn close_later(mut self) -> i64 {
        self.balance += 1;
        self.balance
    }
}

#[derive(Debug)]
struct Chained(ParseIntError);

impl std::fmt::Display for Chained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("chained")
    }
}

impl std::error::Error for Chained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Neither `Sync` nor serializable.
struct Bare(Cell<u8>);

#[oad::object(name = "the.Bare", pub(crate), serial)]
impl Bare {
    fn new() -> Self {
        Bare(Cell::new(0))
    }

    fn spawn(n: u8) -> Bare {
        Bare(Cell::new(n))
    }

    fn get(&self) -> u8 {
        self.0.get()
    }

    fn bump(&self) {
        self.0.set(self.0.get() + 1);
    }

    async fn set(&mut self, n: u8) {
        self.0.set(n);
    }
}

async fn account() -> AccountProxy {
    AccountProxy::open(10).await.expect("a daemon can be made")
}

#[tokio::test]
async fn constructors_make_the_object_in_the_daemon() {
    assert_eq!(account().await.pay_in(1).await.expect("it answers"), 11);
    assert_eq!(
        AccountProxy::parse("5").await.expect("it parses").close().await.expect("it answers"),
        5
    );
    let later = AccountProxy::later(1, Some("me")).await.expect("it is not in debt");
    assert_eq!(later.owner().await.expect("it answers"), "me");
    let error = AccountProxy::parse("five").await.expect_err("it is not a number");
    let exception = error.exception().expect("it has an exception");
    assert_eq!(exception.type_name(), "core::num::error::ParseIntError");
    assert!(error.to_string().ends_with("invalid digit found in string"), "{error}");
    let error = AccountProxy::later(-9, None).await.expect_err("it is in debt");
    assert!(error.to_string().contains("in debt"), "{error}");
}

#[tokio::test]
async fn local_object_is_sent_by_value() {
    let here = Account { balance: 3, owner: "me".into() };
    let there = AccountProxy::spawn(here.clone()).await.expect("a daemon can be made");
    assert_ne!(there.pid(), std::process::id());
    assert_eq!(there.copy().await.expect("it answers"), here);
    assert!(there.equals(&here).await.expect("it answers"));
}

#[tokio::test]
async fn arguments_and_returns_cross_borrowed_or_owned() {
    let account = account().await;
    assert_eq!(account.owner_or("other").await.expect("it answers"), "other");
    account.rename(Path::new("/a/b")).await.expect("it answers");
    assert_eq!(account.owner().await.expect("it answers"), "/a/b");
    assert_eq!(account.digits(Some("abc"), &[1]).await.expect("it answers"), 4);
    let count = account.count(Some(Path::new("a")), vec![PathBuf::new()], Some(&4), [0, 0]);
    assert_eq!(count.await.expect("it answers"), 8);
    assert_eq!(account.r#type().await.expect("it answers").as_deref(), Some("/a/b"));
    assert_eq!(account.entries().await.expect("it answers"), [("/a/b".to_owned(), 10)]);
}

#[tokio::test]
async fn errors_of_every_type_become_exceptions() {
    let account = account().await;
    let error = account.digits(None, &[]).await.expect_err("there is no text");
    assert_eq!(error.exception().map(oad::Exception::message), Some("no text"));
    let error = account.boxed().await.expect_err("it fails");
    assert_eq!(error.exception().map(oad::Exception::message), Some("boxed"));
    let error = account.mute().await.expect_err("it fails");
    let message = "the error's type implements neither `Display` nor `Debug`";
    assert_eq!(
        error.exception().map(|exception| (exception.message(), exception.type_name())),
        Some((message, "typed::Mute"))
    );
    let error = account.nested().await.expect_err("it fails");
    let causes: Vec<&str> = error.exception().expect("it has an exception").causes().collect();
    assert_eq!(causes, ["invalid digit found in string"]);
    assert!(
        format!("{error:?}").ends_with("caused in the object by: invalid digit found in string"),
        "{error:?}"
    );
}

#[tokio::test]
async fn marked_error_arrives_as_itself() {
    let account = account().await;
    assert_eq!(account.pay_out(4).await, Ok(6));
    assert_eq!(account.pay_out(8).await, Err(Refusal::Short(2)));
    account.shutdown().await.expect("it ends");
    let Err(Refusal::Unreachable(message)) = account.pay_out(1).await else { panic!("it is gone") };
    assert!(message.contains("the daemon was shut down"), "{message}");
}

#[tokio::test]
async fn method_that_takes_self_consumes_the_object_but_not_the_daemon() {
    let account = account().await;
    let other = account.clone();
    assert_eq!(account.close_later().await.expect("it answers"), 11);
    let error = other.pay_in(1).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NoSuchObject, "{error}");
    let second = AccountProxy::open(1).within(other.daemon()).await.expect("the daemon lives");
    assert_eq!(second.pay_in(1).await.expect("it answers"), 2);
}

#[tokio::test]
async fn serial_object_need_not_be_sync() {
    let bare = BareProxy::new().await.expect("a daemon can be made");
    bare.bump().await.expect("it answers");
    assert_eq!(bare.get().await.expect("it answers"), 1);
    bare.set(9).await.expect("it answers");
    assert_eq!(bare.get().await.expect("it answers"), 9);
    assert_eq!(
        BareProxy::spawn(4).await.expect("a daemon can be made").get().await.expect("it answers"),
        4
    );
    assert_eq!(Bare::DESCRIPTION.name, "the.Bare");
}

#[tokio::test]
async fn type_declared_in_a_function_is_found() {
    struct Local(u8);
    #[oad::object]
    impl Local {
        fn new(n: u8) -> Self {
            Local(n)
        }

        fn get(&self) -> u8 {
            self.0
        }
    }
    assert_eq!(
        LocalProxy::new(4).await.expect("a daemon can be made").get().await.expect("it answers"),
        4
    );
}

#[tokio::test]
async fn debug_of_a_proxy_shows_pid_and_handle() {
    let account = account().await;
    let expected = format!(
        "AccountProxy(Proxy {{ type: \"Account\", pid: {}, handle: 1, .. }})",
        account.pid()
    );
    assert_eq!(format!("{account:?}"), expected);
    assert_eq!(
        format!("{:?}", account.owner()),
        "Call { method: \"owner\", state: \"prepared\", .. }"
    );
}

#[test]
fn description_matches_the_source() {
    let description = Account::DESCRIPTION;
    assert_eq!(description.name, "typed::Account");
    assert!(description.declared.contains("tests/typed.rs:"), "{}", description.declared);
    assert_eq!(
        description.documentation,
        "Keeps money. See [`AccountProxy::pay_in`].\n\n  Indented."
    );
    let pay_in = &description.methods[0];
    assert_eq!(pay_in.documentation, "Pays in.\n\nReturns the balance.");
    assert_eq!(pay_in.signature, "fn pay_in(&mut self, amount: i64) -> i64");
    let skipped = description.methods.iter().any(|method| method.name == "generic");
    assert!(!skipped, "a skipped method is not described");
}

mod elsewhere {
    use super::*;

    #[test]
    fn glob_sees_the_proxy() {
        let _: Option<AccountProxy> = None;
        #[allow(deprecated)]
        let _ = AccountProxy::old;
    }
}
