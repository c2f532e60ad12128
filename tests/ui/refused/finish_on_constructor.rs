struct Counter;

#[oad::object]
impl Counter {
    #[oad(finish)]
    async fn new() -> Self {
        Counter
    }
}

fn main() {}
