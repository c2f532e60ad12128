#[oad::object]
trait Count: Default {
    fn count(&self) -> u8;
}

fn main() {}
