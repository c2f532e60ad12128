#[oad::object]
trait Store {
    fn names(&self) -> Box<dyn Iterator<Item = String> + Send>;
    fn sizes(&self) -> impl Iterator<Item = usize> + Send;
}

fn main() {}
