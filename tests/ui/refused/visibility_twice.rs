struct Counter;

#[oad::object(pub, pub(crate))]
impl Counter {}

fn main() {}
