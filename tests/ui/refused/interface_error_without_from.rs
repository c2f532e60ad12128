#[oad::object]
trait Count {
    fn count(&self) -> Result<u8, String>;
    async fn later(&self) -> Result<u8, ()>;
}

fn main() {}
