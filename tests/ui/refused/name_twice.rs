struct Counter;

#[oad::object(name = "a", name = "b")]
impl Counter {}

fn main() {}
