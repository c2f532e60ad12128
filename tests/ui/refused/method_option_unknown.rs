struct Counter;

#[oad::object]
impl Counter {
    #[oad(ignore)]
    fn count(&self) -> u8 {
        0
    }
}

fn main() {}
