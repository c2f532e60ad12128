#[oad::object]
trait Count<T> {
    fn count(&self) -> u8;
}

fn main() {}
