struct Counter;

#[oad::object]
impl Counter {
    unsafe fn count(&self) -> u8 {
        0
    }
}

fn main() {}
