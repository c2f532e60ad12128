#[oad::main]
struct Program;

fn main() {}
