struct Counter;

#[oad::object]
impl Counter {
    #[oad(finish)]
    fn count(&self) -> u8 {
        0
    }
}

fn main() {}
