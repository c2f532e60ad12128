struct Counter;

#[oad::object]
impl Counter {
    fn add(&self, #[cfg(unix)] n: u8) -> u8 {
        n
    }
}

fn main() {}
