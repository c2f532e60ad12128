#[oad::object]
trait Count {
    fn start() -> u8;
    fn count(&self) -> u8;
}

fn main() {}
