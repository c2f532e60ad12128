struct Counter;

#[oad::object(name = "")]
impl Counter {}

fn main() {}
