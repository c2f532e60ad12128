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

#[oad::object]
impl Count for Counter {
    #[oad(finish)]
    fn count(&self) -> u8 {
        1
    }
}

fn main() {}
