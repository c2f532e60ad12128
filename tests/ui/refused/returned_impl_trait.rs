struct Counter;

#[oad::object]
impl Counter {
    fn counts(&self) -> impl Iterator<Item = u8> {
        0..9
    }
}

fn main() {}
