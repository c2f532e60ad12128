struct Counter;

#[oad::object(sequential)]
impl Counter {}

fn main() {}
