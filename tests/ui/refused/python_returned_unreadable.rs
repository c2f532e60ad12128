struct Own;

#[oad::python("io.StringIO")]
trait TextBuffer {
    fn own(&self) -> Own;
    fn pass(&self, own: Own);
}

fn main() {}
