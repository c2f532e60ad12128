#[oad::python("io.StringIO")]
trait TextBuffer {
    fn body(&self) {}
    unsafe fn danger(&self);
    extern "C" fn foreign(&self);
    fn change(&mut self);
    fn consume(self);
    #[oad(skip)]
    fn skipped(&self);
    #[oad]
    fn bare(&self);
    #[oad(name = "a b")]
    fn spaced(&self);
    #[oad(operator = "a b")]
    fn operate(&self) -> i64;
    #[oad(attribute, attribute)]
    fn twice(&self) -> i64;
}

fn main() {}
