#[oad::object]
trait Count {
    fn spawn(&self) -> u8;
}

fn main() {}
