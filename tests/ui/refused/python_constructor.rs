#[oad::python("io.StringIO")]
trait TextBuffer {
    fn utility() -> String;
    #[oad(constructor)]
    fn made(&self) -> Self;
    #[oad(constructor, name = "x")]
    fn named() -> Self;
    #[oad(attribute)]
    fn attribute() -> Self;
}

#[oad::python(module = "json")]
trait Json {
    fn new() -> Self;
}

fn main() {}
