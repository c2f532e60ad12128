struct Counter;

#[oad::object]
impl Counter {
    fn exit(&self) -> ! {
        std::process::exit(0)
    }
}

fn main() {}
