struct Counter;

#[oad::object(crate = "my library")]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

fn main() {}
