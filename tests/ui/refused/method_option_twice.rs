struct Counter;

#[oad::object]
impl Counter {
    #[oad(error, error)]
    fn count(&self) -> Result<u8, String> {
        Ok(0)
    }
}

fn main() {}
