struct Counter;

#[oad::object]
impl Counter {
    extern "C" fn count(&self) -> u8 {
        0
    }
}

fn main() {}
