#[oad::object(serial)]
trait Count {
    fn count(&self) -> u8;
}

fn main() {}
