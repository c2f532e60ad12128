//! Several interfaces of one type, and which of their calls overlap.

use std::cell::Cell;
use std::time::Duration;

use oad::{ErrorKind, Remote as _};

/// What has a number.
#[oad::object(name = "the.Numbered")]
trait Numbered {
    fn number(&self) -> u8;
    fn next(&self) -> u8;
    async fn set(&mut self, number: u8);
}

// A trait that another macro has written, names and all, is an interface like any other.
macro_rules! declare {
    ($name:ident, $method:ident) => {
        /// Two calls of it meet.
        #[oad::object]
        trait $name: Send + Sync {
            fn $method(&self, times: u8) -> oad::Result<u8>;
            #[oad(finish)]
            async fn later(&mut self, by: u8);
        }
    };
}

declare!(Meet, meet);

/// Has no `&self` method of its own.
struct Table(std::sync::Barrier, u8);

#[oad::object]
impl Table {
    fn new() -> Self {
        Table(std::sync::Barrier::new(2), 0)
    }
}

#[oad::object]
impl Meet for Table {
    fn meet(&self, times: u8) -> oad::Result<u8> {
        for _ in 0..times {
            self.0.wait();
        }
        Ok(self.1)
    }

    async fn later(&mut self, by: u8) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.1 += by;
    }
}

/// Also has a number.
#[oad::object]
trait Other {
    fn number(&self) -> u8;
}

/// Not `Sync`.
struct Bare(Cell<u8>);

#[oad::object(serial)]
impl Bare {
    fn new(number: u8) -> Self {
        Bare(Cell::new(number))
    }
}

#[oad::object]
impl Numbered for Bare {
    fn number(&self) -> u8 {
        self.0.get()
    }

    fn next(&self) -> u8 {
        let number = self.0.get();
        std::thread::yield_now();
        self.0.set(number + 1);
        self.0.get()
    }

    async fn set(&mut self, number: u8) {
        tokio::task::yield_now().await;
        self.0.set(number);
    }
}

#[oad::object]
impl Other for Bare {
    fn number(&self) -> u8 {
        100 + self.0.get()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_of_a_serial_object_need_not_be_sync() {
    let bare = NumberedProxy::spawn("Bare::new", (1,)).await.expect("a daemon can be made");
    let calls: Vec<_> = (0..8).map(|_| tokio::spawn(bare.next())).collect();
    for call in calls {
        call.await.expect("it does not panic").expect("it answers");
    }
    assert_eq!(Numbered::number(&bare), 9, "none overlapped");
    let other: OtherProxy = bare.as_proxy().typed().expect("it is one");
    assert_eq!(other.number().await.expect("it answers"), 109);
    bare.set(3).await.expect("it answers");
    assert_eq!(
        bare.as_proxy().call::<u8>("the.Numbered::number", ()).await.expect("it answers"),
        3
    );
    let error = bare.as_proxy().call::<u8>("number", ()).await.expect_err("there are two");
    let expected = "`interfaces::order::Bare` has no method `number`; its methods are: \
                    Local::number, Other::number, the.Numbered::number, next, set";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_methods_of_an_interface_overlap() {
    let table = MeetProxy::spawn("Table::new", ()).await.expect("a daemon can be made");
    let other = table.clone();
    let other = tokio::task::spawn_blocking(move || Meet::meet(&other, 3));
    assert_eq!(table.meet(3).await.expect("they meet"), 0);
    assert_eq!(other.await.expect("it does not panic").expect("they meet"), 0);
}

#[tokio::test]
async fn finish_on_the_trait_counts_for_every_implementation() {
    let table = MeetProxy::spawn("Table::new", ()).await.expect("a daemon can be made");
    let error =
        table.later(2).timeout(Duration::from_millis(1)).await.expect_err("it takes longer");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(table.meet(0).await.expect("it answers"), 2);
}

#[tokio::test]
async fn trait_declared_in_a_function_is_found() {
    #[oad::object]
    trait Local {
        fn number(&self) -> u8;
    }
    #[oad::object]
    impl Local for Bare {
        fn number(&self) -> u8 {
            self.0.get() * 2
        }
    }
    let local = LocalProxy::spawn("Bare::new", (4,)).await.expect("a daemon can be made");
    assert_eq!(local.number().await.expect("it answers"), 8);
}
