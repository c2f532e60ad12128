struct Counter;

#[oad::object]
impl Counter {
    fn counts(&self) -> impl std::fmt::Display {
        0
    }
}

fn main() {}
