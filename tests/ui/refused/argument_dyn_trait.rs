struct Counter;

#[oad::object]
impl Counter {
    fn log(&self, line: &dyn ToString) {
        let _ = line;
    }
}

fn main() {}
