struct Counter;

#[oad::object]
impl Counter {
    fn finish(self: Box<Self>) -> u8 {
        0
    }
}

fn main() {}
