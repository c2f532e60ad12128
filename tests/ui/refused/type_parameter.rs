struct Counter;

#[oad::object]
impl Counter {
    fn add<T: Into<u8>>(&self, n: T) -> u8 {
        n.into()
    }
}

fn main() {}
