mod counting {
    pub struct Counter;

    #[oad::object]
    impl Counter {
        pub fn new() -> Self {
            Counter
        }
    }
}

use counting::CounterProxy;

async fn start() -> oad::Result<CounterProxy> {
    CounterProxy::new().await
}

fn main() {}
