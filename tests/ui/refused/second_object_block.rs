struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[oad::object]
impl Counter {
    fn count(&self) -> u8 {
        1
    }
}

fn main() {}
