struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

mod counting {
    #[oad::object]
    impl super::Counter {
        fn count(&self) -> u8 {
            1
        }
    }
}

fn main() {}
