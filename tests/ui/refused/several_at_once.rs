struct Counter;

#[oad::object(serial, loud)]
impl Counter {
    fn add(&self, (a, b): (u8, &&u8), c: &mut u8) -> &mut u8 {
        *c += a + **b;
        todo!()
    }

    unsafe fn largest() -> u8 {
        u8::MAX
    }
}

fn main() {}
