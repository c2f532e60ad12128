struct Counter;

#[oad::object]
impl Counter {
    fn name(&mut self, name: &'static str) {
        let _ = name;
    }
}

fn main() {}
