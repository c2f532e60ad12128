struct Counter<T>(T);

#[oad::object]
impl Counter<u8> {
    fn count(&self) -> u8 {
        self.0
    }
}

fn main() {}
