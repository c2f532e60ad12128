struct Counter;

#[oad::object]
impl Counter {
    #[oad]
    fn count(&self) -> u8 {
        0
    }
}

fn main() {}
