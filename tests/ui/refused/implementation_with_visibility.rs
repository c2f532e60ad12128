#[oad::object]
trait Count {
    fn count(&self) -> u8;
}

struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[oad::object(pub)]
impl Count for Counter {
    fn count(&self) -> u8 {
        1
    }
}

fn main() {}
