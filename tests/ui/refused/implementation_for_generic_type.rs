#[oad::object]
trait Count {
    fn count(&self) -> u8;
}

#[oad::object]
impl<T> Count for Vec<T> {
    fn count(&self) -> u8 {
        1
    }
}

fn main() {}
