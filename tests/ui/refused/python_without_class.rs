#[oad::python]
trait TextBuffer {
    fn getvalue(&self) -> String;
}

fn main() {}
