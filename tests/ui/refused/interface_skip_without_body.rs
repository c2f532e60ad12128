#[oad::object]
trait Count {
    #[oad(skip)]
    fn start() -> u8;
    fn count(&self) -> u8;
}

fn main() {}
