struct Counter;

#[oad::object]
impl Counter {
    #[oad(error)]
    fn new() -> Result<Self, String> {
        Ok(Counter)
    }
}

fn main() {}
