struct Counter;

#[oad::object]
impl Counter {
    fn add(&self, (a, b): (u8, u8)) -> u8 {
        a + b
    }
}

fn main() {}
