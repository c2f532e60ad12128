#[oad::object]
trait Count {
    fn count<T>(&self, what: impl Fn(T)) -> u8;
}

fn main() {}
