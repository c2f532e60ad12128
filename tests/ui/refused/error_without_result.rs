struct Counter;

#[oad::object]
impl Counter {
    #[oad(error)]
    fn count(&self) -> Option<u8> {
        None
    }
}

fn main() {}
