//! As many objects and handles as a program may have: each of these fits one message, and
//! takes time in proportion to their number.

use std::time::Duration;

use oad::{Daemon, Remote as _, Shared};

mod support;

oad::test_daemon!();

/// A list of handles of them has several MiB, and so has a list of all objects.
const MANY: usize = 100_000;

struct Coin(u64);

#[oad::object]
impl Coin {
    fn cents(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
struct Purse(Vec<Shared<Coin>>);

#[oad::object]
impl Purse {
    fn new() -> Self {
        Purse::default()
    }

    fn mint(&mut self, count: u64) {
        self.0 = (0..count).map(|cents| Shared::new(Coin(cents))).collect();
    }

    fn coins(&self) -> Vec<Shared<Coin>> {
        self.0.clone()
    }

    fn are_mine(&self, coins: Vec<Shared<Coin>>) -> oad::Result<bool> {
        let cents = |coin: &Shared<Coin>| coin.blocking_read().map(|coin| coin.0);
        let pairs = self.0.iter().zip(&coins).map(|(mine, coin)| Ok(cents(mine)? == cents(coin)?));
        let are_same = pairs.collect::<oad::Result<Vec<bool>>>()?.into_iter().all(|is| is);
        Ok(self.0.len() == coins.len() && are_same)
    }
}

/// Waits until only the first object is left.
async fn all_are_released(daemon: &Daemon) {
    let released = async {
        while daemon.objects().await.expect("they fit").len() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), released).await.expect("they are released");
}

#[tokio::test]
async fn many_rust_objects_go_there_and_back_and_are_listed() {
    for purse in [PurseProxy::new(), PurseProxy::new().over_grpc()] {
        let purse = purse.await.expect("a daemon can be made");
        purse.mint(MANY as u64).await.expect("it answers");
        let coins: Vec<CoinProxy> = purse.coins().await.expect("they fit");
        assert_eq!(coins[MANY - 1].cents().await.expect("it answers"), MANY as u64 - 1);
        assert_eq!(purse.daemon().objects().await.expect("they fit").len(), MANY + 1);
        assert!(purse.are_mine(coins).await.expect("it answers"));
        all_are_released(purse.daemon()).await;
    }
}

#[cfg(feature = "python")]
#[tokio::test]
async fn many_python_objects_go_there_and_back_and_are_listed() {
    use oad::Proxy;
    use support::python::{dedent, with};
    let source = r#"
        class Coin: pass
        coins = []
        def mint(count):
            coins[:] = [Coin() for _ in range(count)]
            return coins
        def are_mine(others):
            return len(coins) == len(others) and all(a is b for a, b in zip(coins, others))
    "#;
    let definition = || with(oad::python_script("purse.py", dedent(source)));
    for purse in [definition(), definition().over_grpc()] {
        let purse = purse.await.expect("it is made");
        let coins: Vec<Proxy> = purse.call("mint", (MANY,)).await.expect("they fit");
        assert_eq!(purse.daemon().objects().await.expect("they fit").len(), MANY + 1);
        assert!(purse.call::<bool>("are_mine", (coins,)).await.expect("it answers"));
        all_are_released(purse.daemon()).await;
    }
}
