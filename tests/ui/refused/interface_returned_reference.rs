#[oad::object]
trait Count {
    fn name(&self) -> &str;
    fn names(&self) -> Result<Vec<&str>, &str>;
}

fn main() {}
