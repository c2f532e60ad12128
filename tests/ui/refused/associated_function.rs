struct Counter;

#[oad::object]
impl Counter {
    fn largest() -> u8 {
        u8::MAX
    }
}

fn main() {}
