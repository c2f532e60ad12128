#[oad::object]
trait Count {
    type Number;
    fn count(&self) -> u8;
}

fn main() {}
