macro_rules! more {
    () => {};
}

#[oad::object]
trait Count {
    more!();
    fn count(&self) -> u8;
}

fn main() {}
