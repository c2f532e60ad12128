#[oad::python("io.StringIO")]
struct TextBuffer;

fn main() {}
