struct Counter;

#[oad::object]
impl Counter {
    fn count(&'static self) -> u8 {
        0
    }
}

fn main() {}
