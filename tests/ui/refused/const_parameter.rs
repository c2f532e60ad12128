struct Counter;

#[oad::object]
impl Counter {
    fn add<const N: usize>(&self, n: [u8; N]) -> usize {
        n.len()
    }
}

fn main() {}
