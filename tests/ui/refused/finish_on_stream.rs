struct Counter;

#[oad::object]
impl Counter {
    #[oad(finish)]
    async fn count(&self) -> impl Iterator<Item = u8> {
        0..3
    }
}

fn main() {}
