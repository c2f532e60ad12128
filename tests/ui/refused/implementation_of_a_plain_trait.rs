struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[oad::object]
impl Clone for Counter {
    fn clone(&self) -> Self {
        Counter
    }
}

fn main() {}
