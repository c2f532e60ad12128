struct Counter;

#[oad::object]
impl Counter {
    fn add(&self, n: impl Into<u8>) -> u8 {
        n.into()
    }
}

fn main() {}
