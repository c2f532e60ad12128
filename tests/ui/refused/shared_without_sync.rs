use std::cell::Cell;

struct Counter(Cell<u8>);

#[oad::object]
impl Counter {
    fn count(&self) -> u8 {
        self.0.get()
    }
}

fn main() {}
