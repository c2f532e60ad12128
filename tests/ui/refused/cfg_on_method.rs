struct Counter;

#[oad::object]
impl Counter {
    #[cfg(unix)]
    fn count(&self) -> u8 {
        0
    }
}

fn main() {}
