#[oad::object]
trait Count {
    async fn count(&self) -> u8;
}

struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[oad::object]
impl Count for Counter {
    async fn count(&self) -> u8 {
        let number = std::rc::Rc::new(1);
        std::future::ready(()).await;
        *number
    }
}

fn main() {}
