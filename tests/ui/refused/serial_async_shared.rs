struct Counter;

#[oad::object(serial)]
impl Counter {
    async fn count(&self) -> u8 {
        0
    }
}

fn main() {}
