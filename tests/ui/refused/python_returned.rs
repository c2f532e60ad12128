#[oad::python("io.StringIO")]
trait TextBuffer {
    fn result(&self) -> oad::Result<String>;
    fn reference(&self) -> &str;
    fn nested(&self) -> Option<&str>;
    fn iterator(&self) -> impl Iterator<Item = String>;
    fn opaque(&self) -> impl Clone;
}

fn main() {}
