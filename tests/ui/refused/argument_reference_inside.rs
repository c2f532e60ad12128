struct Counter;

#[oad::object]
impl Counter {
    fn names(&mut self, names: &[&str]) {
        let _ = names;
    }
}

fn main() {}
