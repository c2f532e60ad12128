#[oad::object]
struct Counter;

fn main() {}
