struct Counter;

#[oad::object]
impl Counter {
    #[oad(skip, finish)]
    async fn count(&self) -> u8 {
        0
    }
}

fn main() {}
