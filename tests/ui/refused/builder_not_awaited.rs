struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }

    fn get(&self) -> u8 {
        1
    }
}

async fn get() -> oad::Result<u8> {
    CounterProxy::new().get().await
}

fn main() {}
