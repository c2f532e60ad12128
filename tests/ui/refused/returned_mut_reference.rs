struct Counter(u8);

#[oad::object]
impl Counter {
    fn count(&mut self) -> &mut u8 {
        &mut self.0
    }
}

fn main() {}
