struct Counter;

#[oad::object]
impl Counter {
    fn fill(&self, list: &mut Vec<u8>) {
        list.push(0);
    }
}

fn main() {}
