use std::borrow::Cow;

struct Counter;

#[oad::object]
impl Counter {
    fn name<'a>(&mut self, name: Cow<'a, str>) {
        let _ = name;
    }
}

fn main() {}
