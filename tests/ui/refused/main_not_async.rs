#[oad::main]
fn main() {}
