struct Counter<T>(T);

#[oad::object]
impl<T> Counter<T> {
    fn count(&self) -> u8 {
        0
    }
}

fn main() {}
