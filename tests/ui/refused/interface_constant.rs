#[oad::object]
trait Count {
    const START: u8;
    const END: u8 = 9;
    fn count(&self) -> u8;
}

fn main() {}
