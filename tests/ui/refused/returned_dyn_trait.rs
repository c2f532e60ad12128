struct Counter;

#[oad::object]
impl Counter {
    fn label(&self) -> Box<dyn ToString> {
        Box::new(0)
    }
}

fn main() {}
