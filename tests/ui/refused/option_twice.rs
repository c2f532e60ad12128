struct Counter;

#[oad::object(serial, pub, serial)]
impl Counter {}

fn main() {}
